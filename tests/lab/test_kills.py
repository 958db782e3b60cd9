"""`kill -9` of the service at every dangerous moment: each job runs once and ends right.

The moments are caught on the cluster's side: commands before the site's own on the account's PATH stop at the moment,
say so, and go on once the service is dead.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machines.lab import Lab
from tests.support.service import Service, replayed
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
KILLS_PER_MOMENT = 5
"""Each finds what the ones before it left: twenty-five by moments that are known, thirty more by chance (`test_workflows`)."""

# $1 is the folder of the signals; the rest runs the real command. `reached` is taken by the first to come.
_STOP = """
pause() {
    if [ -e "$signals/armed" ] && mv "$signals/armed" "$signals/reached" 2>/dev/null; then
        n=0
        while [ ! -e "$signals/killed" ] && [ "$n" -lt 600 ]; do sleep 0.02; n=$((n + 1)); done
        rm -f "$signals/killed" "$signals/reached"
    fi
}
"""
WRAPPERS = {
    "staging": ("tar", 'case "$*" in *-xf*) pause ;; esac\nexec /usr/bin/tar "$@"'),
    "before sbatch": ("sbatch", 'pause\nexec /usr/bin/sbatch "$@"'),
    "after sbatch": ("sbatch", 'out=$(/usr/bin/sbatch "$@"); code=$?\npause\nprintf "%s\\n" "$out"\nexit $code'),
    "running": (
        "squeue",
        'case "$(/usr/bin/squeue -h -t R -u alice -o %i)" in ?*) pause ;; esac\nexec /usr/bin/squeue "$@"',
    ),
    "fetching": ("tar", 'case "$*" in *-cf*) pause ;; esac\nexec /usr/bin/tar "$@"'),
}


@pytest.fixture
def signals(lab: Lab) -> Iterator[Path]:
    folder = lab.root / "signals"
    folder.mkdir()
    folder.chmod(0o777)
    yield folder
    for name, _ in WRAPPERS.values():
        lab.remove(name)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


@pytest.mark.parametrize("moment", WRAPPERS)
def test_nothing_is_lost_or_doubled(lab: Lab, signals: Path, tmp_path: Path, moment: str) -> None:
    name, body = WRAPPERS[moment]
    lab.place(name, f"#!/bin/sh\nsignals={signals}\n{_STOP}\n{body}\n")
    prefix = f"kill-{moment.replace(' ', '-')}"
    config = "poll_interval = 1\npoll_interval_busy = 0.5\n" + lab.cluster_table("lab", workdir="kills")
    service = Service(tmp_path, config)
    service.add_user()
    ids: list[str] = []
    kills = 0
    try:
        for _ in range(KILLS_PER_MOMENT):
            service.start()
            job = replayed("mgo-scf/main.out", seconds=1) | {"name": prefix}
            ids += service.submit(job, job)
            _arm(signals)
            wait_until((signals / "reached").exists, f"the moment {moment}", 60)
            service.kill()
            kills += 1
            (signals / "killed").touch()
            (signals / "killed").chmod(0o666)
            wait_until(lambda: not (signals / "reached").exists(), "the command going on", 30)
        service.start()
        found = service.wait(ids, 200)
    finally:
        service.stop()
    assert kills == KILLS_PER_MOMENT
    assert {job["state"] for job in found} == {"completed"}, [(j["state"], j["reason"]) for j in found]
    rows = lab.ended_rows(prefix, len(ids))
    assert sorted(row[0] for row in rows) == sorted(f"{prefix}-{job_id}" for job_id in ids)


def _arm(signals: Path) -> None:
    (signals / "armed").touch()
    (signals / "armed").chmod(0o666)


@pytest.mark.parametrize("moment", ["before sbatch", "after sbatch"])
def test_an_array_is_neither_lost_nor_doubled(lab: Lab, signals: Path, tmp_path: Path, moment: str) -> None:
    name, body = WRAPPERS[moment]
    lab.place(name, f"#!/bin/sh\nsignals={signals}\n{_STOP}\n{body}\n")
    prefix = f"kill-array-{moment.partition(' ')[0]}"
    config = "poll_interval = 1\npoll_interval_busy = 0.5\n" + lab.cluster_table("lab", workdir="kill-arrays")
    service = Service(tmp_path, config)
    service.add_user()
    job = replayed("mgo-scf/main.out", seconds=1)
    asked = {"template": "scf", "cluster": "lab", "parameters": job["parameters"], "resources": job["resources"],
             "reuse": False, "naming": "{batch}-{n}"}  # fmt: skip
    try:
        for number in range(2):
            service.start()
            sweep = {"axes": [{"key": "a", "values": f"{4 + number}.0..{4 + number}.5 count 6"}]}
            answer = service.client.post("/batches", json=asked | {"name": prefix, "sweep": sweep})
            assert answer.status_code == 201, answer.text
            _arm(signals)
            wait_until((signals / "reached").exists, f"the moment {moment}", 60)
            service.kill()
            (signals / "killed").touch()
            (signals / "killed").chmod(0o666)
            wait_until(lambda: not (signals / "reached").exists(), "the command going on", 30)
        service.start()
        wait_until(lambda: len(service.jobs()) == 12, "the jobs", 60)
        found = service.wait([one["id"] for one in service.jobs()], 200)
    finally:
        service.stop()
    assert {one["state"] for one in found} == {"completed"}, [(j["state"], j["reason"]) for j in found]
    assert len(lab.ended_rows(prefix, 12)) == 12
