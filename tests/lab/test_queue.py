"""Two hundred jobs on a real SLURM: limits at every instant, pace, priorities, fair share, a scheduler that refuses, arrays."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.machines.lab import Lab
from tests.support.service import Service, replayed
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
CASE = "mgo-scf/main.out"
_SUBMITTED = re.compile(r"\[([^\]]+)\] _slurm_rpc_submit_batch_job: JobId=(\d+)")


@contextmanager
def recorded(lab: Lab, user: str = "alice") -> Iterator[list[tuple[float, int]]]:
    """How many jobs `squeue` lists of a user, many times a second, whoever submitted them."""
    seen: list[tuple[float, int]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            lines = lab.run_as(user, "squeue -h -r -t pending,running,completing,configuring -o %i").split()
            seen.append((time.monotonic(), len(lines)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def submissions(lab: Lab, since: int) -> list[tuple[float, str]]:
    """When slurmctld took each job after the id `since`, by its own clock, and its id."""
    found = _SUBMITTED.findall((lab.root / "slurmctld.log").read_text())
    return [(datetime.fromisoformat(moment).timestamp(), job) for moment, job in found if int(job) > since]


def last_id(lab: Lab) -> int:
    return max((int(job) for _, job in _SUBMITTED.findall((lab.root / "slurmctld.log").read_text())), default=0)


@contextmanager
def served(folder: Path, config: str) -> Iterator[Service]:
    service = Service(folder, "poll_interval = 1\npoll_interval_busy = 0.5\ndispatch_interval = 0.1\n" + config)
    service.add_user()
    try:
        yield service.start()
    finally:
        service.stop()


def act(service: Service, action: str, query: str = "", **more: Any) -> list[dict[str, Any]]:
    answer = service.client.post(f"/queue/actions{query}", json={"action": action, **more})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def test_two_hundred_jobs_by_one_action_keep_the_limit_and_the_priorities(lab: Lab, tmp_path: Path) -> None:
    limit, elsewhere = 20, 3
    lab.run_as("alice", f"for n in $(seq {elsewhere}); do sbatch -J elsewhere -o /dev/null --wrap 'sleep 12'; done")
    since = last_id(lab)
    with served(tmp_path, lab.cluster_table("lab", workdir="two-hundred", max_jobs=limit)) as service:
        job = replayed(CASE, seconds=0.3)
        drafts = [job | {"name": f"normal-{n:03}", "draft": True} for n in range(180)]
        drafts += [job | {"name": f"urgent-{n:03}", "priority": "urgent", "draft": True} for n in range(20)]
        ids = service.submit(*drafts)
        with recorded(lab) as seen:
            assert all(entry["done"] for entry in act(service, "submit", "?state=draft", all=True))
            wait_until(lambda: service.any_in("running", "finishing"), "the first jobs", 60)
            late = service.submit(*[job | {"name": f"urgent-late-{n}", "priority": "urgent"} for n in range(5)])
            began = time.time()
            found = service.wait([*ids, *late], 240)
    assert Counter(one["state"] for one in found) == {"completed": 205}
    assert max(number for _, number in seen) <= limit
    assert max(number for _, number in seen) >= limit - elsewhere
    rows = lab.ended_rows("normal-", 180) + lab.ended_rows("urgent-", 25)
    names = {row[0]: row[1] for row in lab.sacct("JobID", "JobName%80")}
    order = [(moment, names[job_id]) for moment, job_id in submissions(lab, since)]
    assert Counter(name.rpartition("-")[0].partition("-")[0] for _, name in order) == {"normal": 180, "urgent": 25}
    assert len({name for _, name in order}) == 205
    # All that is urgent left before anything else; what came late passed all that was still waiting.
    assert all(name.startswith("urgent") for _, name in order[:20])
    places = [place for place, (_, name) in enumerate(order) if name.startswith("urgent-late")]
    passed = [name for moment, name in order[: max(places)] if name.startswith("normal") and moment > began]
    assert len(passed) <= limit, "only a round that was under way may go first"
    assert len(rows) == 205 and {row[1] for row in rows} == {"COMPLETED"}


def test_jobs_leave_no_faster_than_the_delay(lab: Lab, tmp_path: Path) -> None:
    since = last_id(lab)
    with served(tmp_path, lab.cluster_table("lab", workdir="delayed", submit_delay=0.6)) as service:
        ids = service.submit(*[replayed(CASE, seconds=0.2) | {"name": "delayed"} for _ in range(12)])
        service.wait(ids, 120)
    moments = [moment for moment, _ in submissions(lab, since)]
    assert len(moments) == 12
    # The delay holds between two departures. The way to the scheduler takes longer for one job than for the next on a busy
    # machine, so it is the time of five delays that is compared, less one of them.
    assert min(b - a for a, b in zip(moments, moments[5:], strict=False)) > 5 * 0.6 - 0.6


def test_two_users_get_equal_shares(lab: Lab, tmp_path: Path) -> None:
    since = last_id(lab)
    with served(tmp_path, lab.cluster_table("lab", workdir="shared", max_jobs=8, fair_share=True)) as service:
        job = replayed(CASE, seconds=0.4)
        mine = service.client.headers["Authorization"]
        # Both stand in the queue, ada first, before anything leaves.
        assert service.client.post("/queue/pause", json={"cluster": "lab"}).status_code == 204
        ids = service.submit(*[job | {"name": f"ada-{n}"} for n in range(60)])
        service.add_user("bob", "member")
        ids += service.submit(*[job | {"name": f"bob-{n}"} for n in range(40)])
        service.client.headers["Authorization"] = mine
        assert service.client.post("/queue/resume", json={"cluster": "lab"}).status_code == 204
        service.wait(ids, 180)
    lab.ended_rows("ada-", 60)
    lab.ended_rows("bob-", 40)
    names = {row[0]: row[1] for row in lab.sacct("JobID", "JobName%80")}
    order = [names[job_id] for _, job_id in submissions(lab, since)]
    shared = Counter(name.partition("-")[0] for name in order[:60])
    assert len(order) == 100
    assert abs(shared["ada"] - shared["bob"]) <= 6, shared


REFUSE = """#!/bin/sh
if [ -e {flag} ]; then
    case $(($$ % 4)) in
        0) echo "sbatch: error: slurm_persist: rl_enable: RPC rate limit exceeded, backing off" >&2; exit 1 ;;
        1) echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1 ;;
        2)
            /usr/bin/sbatch "$@" > /dev/null 2>&1
            echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2
            exit 1
            ;;
    esac
fi
exec /usr/bin/sbatch "$@"
"""
DEAF = """#!/bin/sh
if [ -e {flag} ] && [ $(($$ % 2)) = 0 ]; then
    echo "slurm_load_jobs error: Socket timed out on send/recv operation" >&2
    exit 1
fi
exec /usr/bin/{command} "$@"
"""


def test_a_scheduler_that_refuses_for_half_a_minute_loses_and_doubles_nothing(lab: Lab, tmp_path: Path) -> None:
    flag = lab.root / "refusing"
    lab.place("sbatch", REFUSE.format(flag=flag))
    for command in ("squeue", "sacct"):
        lab.place(command, DEAF.format(flag=flag, command=command))
    flag.touch()
    try:
        with served(tmp_path, lab.cluster_table("lab", workdir="refused")) as service:
            ids = service.submit(*[replayed(CASE, seconds=0.2) | {"name": "refused"} for _ in range(24)])
            answer = service.client.post("/batches", json=_sweep("refused-array", 12))
            assert answer.status_code == 201, answer.text
            time.sleep(30)
            waiting = [one for one in service.jobs() if one["state"] in ("queued", "staging")]
            flag.unlink()
            batch = _over(service, answer.json()["id"], 200)
            found = service.wait(ids, 200)
            explained = [event["message"] for one in found for event in service.job(one["id"])["events"]]
    finally:
        flag.unlink(missing_ok=True)
        for command in ("sbatch", "squeue", "sacct"):
            lab.remove(command)
    assert waiting, "nothing was held up: the wrapper did not refuse"
    assert any("cannot take the job now" in words for words in explained)
    assert Counter(one["state"] for one in found) == {"completed": 24}
    assert Counter(row["job_state"] for row in batch["rows"]) == {"completed": 12}
    rows = lab.ended_rows("refused-", 36)
    assert len(rows) == 36, Counter(row[0] for row in rows).most_common(3)


def _sweep(name: str, points: int) -> dict[str, Any]:
    job = replayed(CASE, seconds=0.3)
    sweep = {"axes": [{"key": "a", "values": f"4.0..5.0 count {points}"}]}
    return {
        "template": "scf", "cluster": "lab", "name": name, "parameters": job["parameters"], "sweep": sweep,
        "resources": job["resources"], "naming": "{batch}-{point}",
    }  # fmt: skip


def _over(service: Service, batch_id: str, seconds: float = 120) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = service.client.get(f"/batches/{batch_id}").json()
        done = all(row["job_state"] in ("completed", "failed", "cancelled") for row in found["rows"])
        return found if found["state"] == "made" and done else None

    wait_until(look, "the end of the batch", seconds)
    found = look()
    assert found is not None
    return found


def test_a_sweep_goes_out_as_one_array_and_each_job_is_its_own(lab: Lab, tmp_path: Path) -> None:
    since = last_id(lab)
    with served(tmp_path, lab.cluster_table("lab", workdir="arrays")) as service:
        slow = _sweep("arrayed", 30)
        slow["parameters"]["title"] = f"replay {CASE} seconds=4"
        answer = service.client.post("/batches", json=slow)
        assert answer.status_code == 201, answer.text
        batch_id = answer.json()["id"]

        def running() -> list[str]:
            listed = service.client.get("/jobs", params={"batch": batch_id, "state": "running"}).json()["jobs"]
            return [job["id"] for job in listed]

        wait_until(lambda: len(running()) == 30, "the array's start", 60)
        chosen = running()[:2]
        assert all(entry["done"] for entry in act(service, "cancel", ids=chosen))
        batch = _over(service, batch_id)
        # The accounting tells some seconds later what they took; cancelled ones too.
        wait_until(
            lambda: all(service.job(row["job"])["scheduler"]["wall_s"] for row in batch["rows"]), "the accounting", 60
        )
        jobs = {row["job"]: service.job(row["job"]) for row in batch["rows"]}
    states = Counter(row["job_state"] for row in batch["rows"])
    assert states == {"completed": 28, "cancelled": 2}
    assert {key for key, job in jobs.items() if job["state"] == "cancelled"} == set(chosen)
    taken = submissions(lab, since)
    assert 1 <= len(taken) <= 3, "thirty jobs left in a few submissions"
    ids = [job["scheduler"]["id"] for job in jobs.values()]
    assert len(set(ids)) == 30 and all("_" in one for one in ids)
    for job in jobs.values():
        # Each has its own directory, script, output and log, as if it had gone out alone.
        names = {file["name"] for file in job["files"]}
        assert {"scf.d12", "job.sh", "job.log"} <= names and job["attention"] == ""
        assert job["scheduler"]["directory"].endswith(job["id"])
        if job["state"] == "completed":
            assert job["scheduler"]["wall_s"] >= 3 and job["started_at"] is not None
    rows = [row for row in lab.sacct("JobID", "JobName%80", "State") if row[1].startswith("arrayed-")]
    assert sorted(row[0] for row in rows) == sorted(ids)
