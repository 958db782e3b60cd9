"""What goes wrong on real clusters: each leaves the job's row, its history, and words that say what to do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.machines.lab import Lab
from tests.support.service import Service, replayed
from tests.support.waiting import wait_until

pytestmark = pytest.mark.lab
SCF_OUTPUT = "mgo-scf/main.out"


def _one(service: Service, job: dict, seconds: float = 120) -> dict:  # type: ignore[type-arg]
    [job_id] = service.submit(job)
    service.wait([job_id], seconds)
    return service.job(job_id)


def test_sbatch_refuses_a_partition_and_its_words_are_shown(lab_service: Service) -> None:
    job = replayed(SCF_OUTPUT)
    job["resources"] = {"partition": "nowhere"}
    found = _one(lab_service, job)
    assert found["state"] == "failed"
    assert "invalid partition" in found["reason"].lower()
    assert [event["to_state"] for event in found["events"]][-1] == "failed"


def test_a_calculation_that_did_not_converge_is_a_failure_and_its_files_are_here(lab_service: Service) -> None:
    found = _one(lab_service, replayed("nio-maxcycle/main.out"))
    assert found["state"] == "failed"
    assert "did not converge" in found["reason"]
    assert found["scheduler"]["accounting_state"] == "COMPLETED"
    assert "scf.out" in {file["name"] for file in found["files"]}


def test_an_output_cut_in_mid_line_is_not_completed(lab_service: Service) -> None:
    found = _one(lab_service, replayed(SCF_OUTPUT, cut=9011))
    assert found["state"] == "failed"
    assert "stops before" in found["reason"]


def test_a_running_job_is_cancelled_and_stays_in_the_history(lab: Lab, lab_service: Service) -> None:
    [job_id] = lab_service.submit(replayed(SCF_OUTPUT, seconds=100))
    lab_service.wait([job_id], states=("running",))
    assert lab_service.client.post(f"/jobs/{job_id}/cancel").status_code == 202
    [found] = lab_service.wait([job_id])
    assert found["state"] == "cancelled"
    assert lab.ended_rows(f"replayed-{job_id}", 1)[0][1].startswith("CANCELLED")
    again = lab_service.client.post(f"/jobs/{job_id}/cancel")
    assert again.status_code == 409
    assert again.json()["code"] == "conflict"


MANNERS = """#!/bin/sh
echo >> $HOME/manners
case $(($(wc -l < $HOME/manners) % 4)) in
    1) echo "*** Welcome to the abacus ***"; echo "--> Verifying access to desired queue...OK" ;;
    2) /usr/bin/sbatch "$@" > /dev/null 2>&1; echo "Thank you for your job"; exit 0 ;;
    3)
        /usr/bin/sbatch "$@" > /dev/null 2>&1
        echo "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received" >&2
        exit 1
        ;;
    0)
        /usr/bin/sbatch "$@" > /dev/null 2>&1
        echo "sbatch: error: the abbot of this cluster does not like your script" >&2
        exit 1
        ;;
esac
exec /usr/bin/sbatch "$@"
"""


def test_whatever_sbatch_says_of_a_job_that_it_took_the_job_runs_once(lab: Lab, lab_service: Service) -> None:
    lab.place("sbatch", MANNERS)
    try:
        ids = lab_service.submit(*[replayed(SCF_OUTPUT, seconds=0.2) | {"name": "manners"} for _ in range(8)])
        found = lab_service.wait(ids, 120)
    finally:
        lab.remove("sbatch")
    assert {(job["state"], job["attention"]) for job in found} == {("completed", "")}
    assert [state for _, state in lab.ended_rows("manners-", 8)] == ["COMPLETED"] * 8


def test_a_job_that_slurm_puts_back_into_its_queue_ends_once(lab: Lab, lab_service: Service) -> None:
    [job_id] = lab_service.submit(replayed(SCF_OUTPUT, seconds=6))
    lab_service.wait([job_id], states=("running",))
    number = lab_service.job(job_id)["scheduler"]["id"]
    lab.run_as("alice", f"scontrol update JobId={number} Requeue=1 && scontrol requeue {number}")
    [found] = lab_service.wait([job_id], 180)
    assert (found["state"], found["attention"]) == ("completed", ""), found["reason"]
    states = [event["to_state"] for event in lab_service.job(job_id)["events"]]
    assert states.count("running") >= 2 and states[-1] == "completed", states
    assert [row[1] for row in lab.ended_rows(f"replayed-{job_id}", 1)] == ["COMPLETED"]


def test_somebody_else_cancels_on_the_cluster(lab: Lab, lab_service: Service) -> None:
    [job_id] = lab_service.submit(replayed(SCF_OUTPUT, seconds=100))
    lab_service.wait([job_id], states=("running",))
    lab.run_as("alice", f"scancel --name replayed-{job_id}")
    [found] = lab_service.wait([job_id])
    assert found["state"] == "cancelled"
    assert "someone else" in found["reason"]


def test_a_full_disk_while_staging_is_named_and_waited_for(lab: Lab, lab_service: Service) -> None:
    lab.place("tar", "#!/bin/sh\ncase \"$*\" in *-xf*) cat >/dev/null; echo 'tar: Disk quota exceeded' >&2; exit 2 ;; esac\n"
              'exec /usr/bin/tar "$@"\n')  # fmt: skip
    try:
        [job_id] = lab_service.submit(replayed(SCF_OUTPUT))

        def told() -> str:
            messages = [
                event["message"] for event in lab_service.job(job_id)["events"] if event["to_state"] == "queued"
            ]
            return next((words for words in messages if "Disk quota exceeded" in words), "")

        assert "free some space" in wait_until(told, "the reason of the full disk")
    finally:
        lab.remove("tar")
    # Nothing is lost: it goes on once there is room.
    [found] = lab_service.wait([job_id], 120)
    assert found["state"] == "completed", found["reason"]


def test_a_scheduler_that_times_out_is_asked_before_anything_is_tried_again(lab: Lab, lab_service: Service) -> None:
    lab.place(
        "sbatch",
        '#!/bin/sh\n/usr/bin/sbatch "$@" >/dev/null\n'
        "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2\nexit 1\n",
    )
    try:
        found = _one(lab_service, replayed(SCF_OUTPUT) | {"name": "timedout"})
    finally:
        lab.remove("sbatch")
    assert found["state"] == "completed", found["reason"]
    assert len(lab.ended_rows(f"timedout-{found['id']}", 1)) == 1


def test_the_missing_program_is_named(lab: Lab, tmp_path: Path) -> None:
    service = Service(tmp_path, lab.cluster_table("lab", crystal="/nowhere/crystal"))
    service.add_user()
    try:
        found = _one(service.start(), replayed(SCF_OUTPUT))
    finally:
        service.stop()
    assert found["state"] == "failed"
    assert "status 127" in found["reason"] and "Check crystal" in found["reason"]


def test_an_unreachable_cluster_keeps_jobs_waiting_and_is_found_again(lab: Lab, tmp_path: Path) -> None:
    service = Service(tmp_path, "poll_interval = 1\n" + lab.cluster_table("lab", workdir="unreachable"))
    service.add_user()
    lab.stop_sshd()
    try:
        service.start()
        [job_id] = service.submit(replayed(SCF_OUTPUT))
        problem = wait_until(lambda: service.client.get("/clusters").json()[0]["problem"], "a problem", 30)
        assert "cannot be reached" in problem
        assert service.job(job_id)["state"] == "queued"
        lab.restart_sshd()
        [found] = service.wait([job_id])
        assert found["state"] == "completed"
    finally:
        service.stop()


def test_a_changed_host_key_is_refused(lab: Lab, tmp_path: Path) -> None:
    service = Service(tmp_path, lab.cluster_table("lab", workdir="changed"))
    assert "ok" in service.command("cluster", "test", "lab").stdout
    lab.stop_sshd()
    lab.restart_sshd(new_host_key=True)
    try:
        tested = service.command("cluster", "test", "lab")
        assert tested.returncode == 1
        assert "a different host key from the trusted one" in tested.stdout
    finally:
        lab.stop_sshd()
        lab.restart_sshd()


def test_first_contact_waits_for_a_person(lab: Lab, tmp_path: Path) -> None:
    service = Service(tmp_path, lab.cluster_table("lab", host_key=""))
    first = service.command("cluster", "test", "lab")
    assert first.returncode == 1
    assert f"cluster trust lab --fingerprint {lab.host_fingerprint}" in first.stdout
    wrong = service.command("cluster", "trust", "lab", "--fingerprint", "SHA256:wrong")
    assert wrong.returncode == 1
    assert "nothing was trusted" in wrong.stderr
    assert service.command("cluster", "trust", "lab", "--fingerprint", lab.host_fingerprint).returncode == 0
    second = service.command("cluster", "test", "lab")
    assert second.returncode == 0, second.stdout
    for step in ("reachable", "host key", "login", "workdir", "scheduler", "partitions", "accounting", "program"):
        assert f"ok    {step}" in second.stdout


def test_a_wrong_key_is_refused_three_times_at_most(lab: Lab, tmp_path: Path) -> None:
    import asyncssh

    asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "other")
    service = Service(
        tmp_path / "s", "dispatch_interval = 0.2\n" + lab.cluster_table("lab", key_path=str(tmp_path / "other"))
    )
    service.add_user()
    before = lab.sshd_log.read_text().count("Connection closed by authenticating user")
    try:
        service.start()
        [job_id] = service.submit(replayed(SCF_OUTPUT))

        def problem() -> str:
            return str(service.client.get("/clusters").json()[0]["problem"])

        wait_until(lambda: "suspended" in problem(), problem, 40)
        assert "does not accept the key" in problem()
        time.sleep(3)
        assert service.job(job_id)["state"] == "queued"
    finally:
        service.stop()
    text = lab.sshd_log.read_text()
    assert text.count("Connection closed by authenticating user") - before <= 3


def test_a_chatty_bashrc_breaks_nothing(lab: Lab, lab_service: Service) -> None:
    bashrc = Path("/home/alice/.bashrc")
    before = bashrc.read_text() if bashrc.exists() else ""
    bashrc.write_text('echo "Welcome to the cluster!"; printf "no newline"\n' + before)
    try:
        assert _one(lab_service, replayed(SCF_OUTPUT))["state"] == "completed"
    finally:
        bashrc.write_text(before)


def test_a_time_limit_keeps_the_wave_function(lab_service: Service, time_limited: list[str]) -> None:
    found = lab_service.job(time_limited[0])
    assert found["state"] == "failed"
    assert "time limit" in found["reason"]
    assert "scf.out" in {file["name"] for file in found["files"]}
    assert found["scheduler"]["marker"].endswith("USR1")
