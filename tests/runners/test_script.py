"""The job script and the remote steps, run by a real shell on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from app.domain.names import safe_path
from app.domain.resources import Resources
from app.errors import RemoteFailure
from app.runners.base import Handle, Package, parse_marker
from app.runners.batch_systems import step
from app.runners.direct import DirectRunner
from app.runners.script import launch_words
from app.runners.slurm import SlurmRunner
from app.settings import ClusterSettings
from app.transport.local import LocalTransport
from tests.support.waiting import until


def settings(folder: Path, crystal: str = "cat", **more: str) -> ClusterSettings:
    return ClusterSettings(runner_type="local", workdir=str(folder / "work"), crystal=crystal, properties="wc", **more)


def package(runner: DirectRunner, name: str, walltime: int = 60) -> Package:
    script = runner.write_script(runner.settings, name, f"token-{name}", ["scf.d12"], Resources(walltime_s=walltime))
    return Package(f"token-{name}", f"ada/{name}", name, {"scf.d12": b"deck\n", "job.sh": script.encode()})


async def until_marker(folder: Path, name: str) -> str:
    marker = folder / "work" / "ada" / name / ".crystaldeck" / "exit"
    await until(marker.exists)
    return marker.read_text()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))


async def test_handing_over_twice_starts_once(tmp_path: Path) -> None:
    runner = DirectRunner(LocalTransport(), settings(tmp_path))
    batch = [package(runner, f"j{n}") for n in range(3)]
    await runner.stage(batch)
    assert {receipt.word for receipt in (await runner.find(batch)).values()} == {"absent"}
    answers = await asyncio.gather(*(runner.submit(batch) for _ in range(4)))
    ids = [{token: r.detail for token, r in answer.items() if r.word == "id"} for answer in answers]
    assert max(map(len, ids)) >= 1
    again = await runner.submit(batch)
    assert {receipt.word for receipt in again.values()} == {"id"}
    for known in ids:
        assert all(again[token].detail == value for token, value in known.items())
    assert {receipt.word for receipt in (await runner.find(batch)).values()} == {"claimed"}
    for own in batch:
        marker = parse_marker(await until_marker(tmp_path, own.name))
        assert marker is not None and (marker.status, marker.signal) == (0, "")
        assert (tmp_path / "work" / own.directory / "scf.out").read_text() == "deck\n"
    events = tmp_path / ".crystaldeck" / "events"
    # A job tells of its end just after it has written its marker.
    await until(lambda: events.read_text().count("ended") == 3)
    assert events.read_text().count("running") == events.read_text().count("ended") == 3


async def test_a_list_that_was_cut_starts_nothing(tmp_path: Path) -> None:
    runner = DirectRunner(LocalTransport(), settings(tmp_path))
    own = package(runner, "cut")
    await runner.stage([own])
    with pytest.raises(RemoteFailure):
        await runner._run(
            runner.submission(step("submit")), runner.settings.workdir,
            stdin=b"token-cut\tada/cut\tcut\n", doing="submitting",
        )  # fmt: skip
    assert (await runner.find([own]))["token-cut"].word == "absent"
    assert (await runner.submit([package(runner, "never")]))["token-never"].word == "absent"


async def test_a_second_start_of_the_script_does_nothing(tmp_path: Path) -> None:
    runner = DirectRunner(LocalTransport(), settings(tmp_path))
    own = package(runner, "once")
    await runner.stage([own])
    folder = tmp_path / "work" / own.directory
    runs = [subprocess.run(["/bin/bash", "job.sh"], cwd=folder, capture_output=True, text=True) for _ in range(2)]
    assert "already started once" in runs[1].stderr
    assert (folder / "scf.out").read_text() == "deck\n"


async def test_the_limit_ends_the_program_and_says_so(tmp_path: Path) -> None:
    runner = DirectRunner(LocalTransport(), settings(tmp_path, "sleep 100"))
    own = package(runner, "limit")
    own.files["job.sh"] = own.files["job.sh"].replace(b"sleep 60 &", b"sleep 0.3 &")
    await runner.stage([own])
    await runner.submit([own])
    marker = parse_marker(await until_marker(tmp_path, "limit"))
    assert marker is not None and marker.signal == "USR1" and marker.status != 0


async def test_cancel_ends_the_group_even_if_it_does_not_listen(tmp_path: Path) -> None:
    script = tmp_path / "deaf"
    script.write_text("#!/bin/sh\ntrap '' TERM\nsleep 100 & wait\n")
    script.chmod(0o755)
    runner = DirectRunner(LocalTransport(), settings(tmp_path, str(script)))
    own = package(runner, "deaf")
    await runner.stage([own])
    identity = (await runner.submit([own]))["token-deaf"].detail
    handle = Handle("deaf", identity, own.directory, "scf.out")
    await until((tmp_path / "work" / own.directory / "scf.out").exists)
    assert "deaf" in await runner.queue([handle])
    await runner.cancel([identity])
    time.sleep(0.2)
    os.killpg(int(identity.split(".")[0]), signal.SIGKILL)

    async def gone() -> bool:
        return not await runner.queue([handle])

    await until(gone)
    assert (await runner.accounting([handle]))["deaf"].raw == "KILLED"


async def test_looking_listing_and_tailing(tmp_path: Path) -> None:
    runner = DirectRunner(LocalTransport(), settings(tmp_path))
    own = package(runner, "look")
    await runner.stage([own])
    await runner.submit([own])
    await until_marker(tmp_path, "look")
    folder = tmp_path / "work" / own.directory
    (folder / "fort.9").write_bytes(b"\0" * 100)
    (folder / "fort.62.pe3").write_bytes(b"scratch")
    (folder / "evil\nname").write_bytes(b"x")
    handle = Handle("look", "1.1", own.directory, "scf.out", 2)
    assert await runner.tail(handle) == b"ck\n"
    glimpse = (await runner.peek([handle, Handle("gone", "1.1", "ada/gone", "scf.out")]))["gone"]
    assert (glimpse.marker, glimpse.size) == (None, 0)
    listed = await runner.list_files([handle, Handle("gone", "1.1", "ada/gone")])
    assert {file.name for file in listed["look"].files} == {"scf.d12", "scf.out", "job.sh", "job.log", "fort.9"}
    assert "gone" not in listed
    assert [check.name for check in await runner.probe()] == ["scheduler"]


def test_names_from_a_cluster_are_hostile() -> None:
    assert safe_path("optc/optc001") and safe_path("fort.9")
    for name in ("", "/etc/passwd", "../x", "a/../b", "a//b", "a\x00b", "a\nb", "./a"):
        assert not safe_path(name)


def test_slurm_directives_and_launchers() -> None:
    own = ClusterSettings(hostname="h", default_partition="main", setup="module load CRYSTAL/23", crystal="Pcrystal")
    resources = Resources(ntasks=8, cpus_per_task=2, memory_mb=4000, walltime_s=7200, account="chem", qos="long")
    script = SlurmRunner.write_script(own, "n-1", "tok", ["bands.d12", "bands.d3"], resources)
    for line in (
        "#SBATCH --job-name=n-1", "#SBATCH --comment=tok", "#SBATCH --ntasks=8", "#SBATCH --cpus-per-task=2",
        "#SBATCH --time=02:00:00", "#SBATCH --mem=4000M", "#SBATCH --partition=main", "#SBATCH --account=chem",
        "#SBATCH --qos=long", "#SBATCH --signal=B:USR1@120", "#SBATCH --no-requeue", "module load CRYSTAL/23",
        "export OMP_NUM_THREADS=2 OMP_STACKSIZE=256M", "run bands.d12 bands.out srun Pcrystal",
        "run bands.d3 bands.outp srun properties",
    ):  # fmt: skip
        assert f"\n{line}\n" in script, line
    assert launch_words("mpirun -np {ntasks}", Resources(ntasks=4)) == ["mpirun", "-np", "4"]
    assert launch_words("srun", Resources()) == []
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).returncode == 0
