"""The steps that submit to SLURM, run by a real shell against commands that say what a scheduler may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.domain.resources import Resources
from app.runners.base import Package
from app.runners.slurm import SlurmRunner
from app.settings import ClusterSettings
from app.transport.local import LocalTransport

TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
LIMITED = "sbatch: error: slurm_persist: rl_enable: RPC rate limit exceeded, backing off"
WRONG = "sbatch: error: invalid partition specified: nowhere"
ARRAYS = "sbatch: error: Batch job submission failed: Invalid job array specification"
SBATCH = """#!/bin/sh
name=$(sed -n 's/^#SBATCH --job-name=//p' "$2" | tail -n 1)
take() { echo "$name" >> {spool}/taken; id=$((100 + $(wc -l < {spool}/taken))); echo "$id $name" >> {spool}/jobs; }
echo "$name" >> {spool}/asked
if [ -s {spool}/words ]; then
    [ ! -e {spool}/takes ] || take
    cat {spool}/words >&2
    exit 1
fi
take
echo "$id;lab"
"""
SQUEUE = """#!/bin/sh
[ ! -e {spool}/deaf ] || { echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1; }
for word; do case $word in --name=*) name=${word#--name=} ;; esac; done
sed -n "s/ $name\\$//p" {spool}/jobs 2>/dev/null
exit 0
"""
SACCT = "#!/bin/sh\n[ ! -e {spool}/deaf ] || exit 1\nexit 0\n"


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder, programs = tmp_path / "spool", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    for name, text in {"sbatch": SBATCH, "squeue": SQUEUE, "sacct": SACCT}.items():
        (programs / name).write_text(text.replace("{spool}", str(folder)))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


@pytest.fixture
def runner(tmp_path: Path, spool: Path) -> SlurmRunner:
    return SlurmRunner(LocalTransport(), ClusterSettings(runner_type="slurm", workdir=str(tmp_path / "work")))


def package(name: str, group: str = "") -> Package:
    settings = ClusterSettings(runner_type="slurm")
    script = SlurmRunner.write_script(settings, name, f"token-{name}", ["scf.d12"], Resources())
    return Package(f"token-{name}", f"ada/{name}", name, {"scf.d12": b"x\n", "job.sh": script.encode()}, (), group)


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def words_of(runner: SlurmRunner, batch: list[Package]) -> dict[str, tuple[str, str]]:
    answers = await runner.submit(batch)
    return {token.removeprefix("token-"): (receipt.word, receipt.detail) for token, receipt in answers.items()}


async def test_jobs_that_are_taken_have_the_ids_of_the_scheduler(runner: SlurmRunner, spool: Path) -> None:
    batch = [package(f"j{number}") for number in range(6)]
    await runner.stage(batch)
    first, again = await words_of(runner, batch), await words_of(runner, batch)
    assert first == again and {word for word, _ in first.values()} == {"id"}
    assert sorted(lines(spool / "taken")) == [one.name for one in batch]


@pytest.mark.parametrize(("said", "word"), [(LIMITED, "later"), (WRONG, "refused")])
async def test_what_it_surely_did_not_take_may_be_submitted_again(
    runner: SlurmRunner, spool: Path, said: str, word: str
) -> None:
    own = package("own")
    await runner.stage([own])
    (spool / "words").write_text(said)
    assert await words_of(runner, [own]) == {"own": (word, said)}
    (spool / "words").write_text("")
    assert (await words_of(runner, [own]))["own"][0] == "id"
    assert lines(spool / "taken") == ["own"]


async def test_a_time_out_after_which_it_has_the_job_is_an_id(runner: SlurmRunner, spool: Path) -> None:
    own = package("own")
    await runner.stage([own])
    (spool / "words").write_text(TIMED_OUT)
    (spool / "takes").touch()
    assert await words_of(runner, [own]) == {"own": ("id", "101")}


async def test_a_time_out_of_which_nobody_knows_is_asked_for_before_anything_is_tried(
    runner: SlurmRunner, spool: Path
) -> None:
    own = package("own")
    await runner.stage([own])
    (spool / "words").write_text(TIMED_OUT)
    (spool / "takes").touch()
    (spool / "deaf").touch()
    assert await words_of(runner, [own]) == {"own": ("uncertain", TIMED_OUT)}
    assert (await words_of(runner, [own]))["own"][0] == "uncertain"
    (spool / "deaf").unlink()
    assert await words_of(runner, [own]) == {"own": ("id", "101")}
    assert lines(spool / "asked") == ["own"], "sbatch was called once"


@pytest.mark.parametrize(("said", "word"), [(LIMITED, "later"), (TIMED_OUT, "uncertain"), (WRONG, "refused")])
async def test_an_array_is_answered_as_a_job_is(runner: SlurmRunner, spool: Path, said: str, word: str) -> None:
    batch = [package(f"p{number}", "volumes") for number in range(3)]
    await runner.stage(batch)
    (spool / "words").write_text(said)
    assert await words_of(runner, batch) == {one.name: (word, said) for one in batch}
    assert len(lines(spool / "asked")) == 1


async def test_an_array_that_is_taken_and_one_that_no_array_may_be(runner: SlurmRunner, spool: Path) -> None:
    batch = [package(f"p{number}", "volumes") for number in range(3)]
    await runner.stage(batch)
    assert await words_of(runner, batch) == {f"p{number}": ("id", f"101_{number}") for number in range(3)}
    others = [package(f"q{number}", "others") for number in range(3)]
    await runner.stage(others)
    (spool / "words").write_text(ARRAYS)
    told = await words_of(runner, others)
    assert {word for word, _ in told.values()} == {"refused"}, "each was then tried by itself"
    assert len(lines(spool / "asked")) == 1 + 1 + 3
