"""The steps that submit to SLURM, run by a real shell against commands that say what a scheduler may say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.domain.resources import Resources
from app.domain.verdict import Ending
from app.errors import RemoteFailure
from app.runners.answers import Receipt, receipts
from app.runners.base import Handle, Package
from app.runners.slurm import MAX_ELEMENTS, SlurmRunner
from app.settings import ClusterSettings
from app.transport.base import Completed
from app.transport.local import LocalTransport

TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
LIMITED = "sbatch: error: slurm_persist: rl_enable: RPC rate limit exceeded, backing off"
UNHEARD = "sbatch: error: the abbot of this cluster does not like your script"
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
if [ -e {spool}/prints ]; then sed "s/ID/$id/" {spool}/prints; else echo "$id;lab"; fi
"""
SQUEUE = """#!/bin/sh
[ ! -e {spool}/deaf ] || { echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1; }
for word; do case $word in --name=*) name=${word#--name=} ;; esac; done
[ ! -e {spool}/greets ] || echo 'Welcome to cluster 9'
sed -n "s/ $name\\$//p" {spool}/jobs 2>/dev/null
exit 0
"""
SACCT = "#!/bin/sh\n[ ! -e {spool}/deaf ] || exit 1\necho Greetings\nexit 0\n"


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


@pytest.mark.parametrize(
    "printed",
    [
        "ID", "ID;lab", "ID ", "*** Welcome ***\n--> Verifying queue...OK\nID", "ID;lab\nGoodbye, see you in 30 minutes",
        "Job 7 of yours runs\n\nID;lab-2.b\n",
    ],
)  # fmt: skip
@pytest.mark.parametrize("count", [1, 3])
async def test_the_id_is_the_only_line_that_is_one(runner: SlurmRunner, spool: Path, printed: str, count: int) -> None:
    batch = [package(f"j{number}", "volumes") for number in range(count)]
    await runner.stage(batch)
    (spool / "prints").write_text(printed)
    ids = ["101"] if count == 1 else [f"101_{number}" for number in range(count)]
    assert await words_of(runner, batch) == {one.name: ("id", own) for one, own in zip(batch, ids, strict=True)}


@pytest.mark.parametrize("printed", ["", "Submitted batch job ID", "12345\nID", "id ID"])
@pytest.mark.parametrize("count", [1, 3])
async def test_who_says_yes_and_tells_no_id_is_asked_by_name(
    runner: SlurmRunner, spool: Path, printed: str, count: int
) -> None:
    batch = [package(f"j{number}", "volumes") for number in range(count)]
    await runner.stage(batch)
    (spool / "prints").write_text(printed)
    (spool / "greets").touch()
    answers = await words_of(runner, batch)
    assert {word for word, _ in answers.values()} == {"id"} and answers["j0"][1] in ("101", "101_0")
    assert len(lines(spool / "asked")) == 1


async def test_what_it_took_without_an_id_is_never_submitted_again(runner: SlurmRunner, spool: Path) -> None:
    own = package("own")
    await runner.stage([own])
    (spool / "prints").write_text("Thank you")
    (spool / "deaf").touch()
    assert await words_of(runner, [own]) == {"own": ("uncertain", "the batch system gave no job id")}
    (spool / "deaf").unlink()
    (spool / "jobs").write_text("")
    grow_old(runner, own)
    assert (await words_of(runner, [own]))["own"][0] == "uncertain"
    assert lines(spool / "asked") == ["own"]


async def test_words_that_nobody_knows_refuse_only_when_surely_nobody_has_the_job(
    runner: SlurmRunner, spool: Path
) -> None:
    own = package("own")
    await runner.stage([own])
    (spool / "words").write_text(UNHEARD)
    assert await words_of(runner, [own]) == {"own": ("uncertain", UNHEARD)}
    assert (await words_of(runner, [own]))["own"][0] == "uncertain", "it may appear within a minute"
    grow_old(runner, own)
    (spool / "deaf").touch()
    assert (await words_of(runner, [own]))["own"][0] == "uncertain", "nobody could be asked"
    (spool / "deaf").unlink()
    assert await words_of(runner, [own]) == {"own": ("refused", UNHEARD)}
    assert lines(spool / "asked") == ["own"]


async def test_words_that_nobody_knows_of_a_job_that_was_taken_are_an_id(runner: SlurmRunner, spool: Path) -> None:
    own = package("own")
    await runner.stage([own])
    (spool / "words").write_text(UNHEARD)
    (spool / "takes").touch()
    assert await words_of(runner, [own]) == {"own": ("id", "101")}


def grow_old(runner: SlurmRunner, own: Package) -> None:
    """Let the claim of a job be two minutes old."""
    claim = Path(runner.settings.workdir) / own.directory / ".crystaldeck" / "submit"
    past = claim.stat().st_mtime - 120
    os.utime(claim, (past, past))


async def test_what_is_no_id_is_asked_for_by_nothing(runner: SlurmRunner, spool: Path) -> None:
    assert receipts(Completed(0, b"a\tid\tWelcome\nb\tid\t7_3\n", b""), runner.is_id) == {
        "a": Receipt("uncertain", "'Welcome' is no job id"), "b": Receipt("id", "7_3"),
    }  # fmt: skip
    assert await runner.accounting([Handle("job", "Welcome", "ada/job")]) == {}


SCANCEL = """#!/bin/sh
echo "$@" >> {spool}/cancelled
for id; do [ "$id" != 7 ] || echo "scancel: error: Kill job error on job id $id: Invalid job id specified" >&2; done
[ ! -e {spool}/deaf ] || { echo "scancel: error: slurm_kill_job2: Socket timed out" >&2; exit 1; }
case " $* " in *" 7 "*) exit 1 ;; esac
"""


async def test_a_job_that_cannot_be_cancelled_says_why_and_the_others_are(runner: SlurmRunner, spool: Path) -> None:
    program = spool.parent / "bin" / "scancel"
    program.write_text(SCANCEL.replace("{spool}", str(spool)))
    program.chmod(0o755)
    complaints = await runner.cancel(["5", "7", "Welcome", "71_2"])
    assert list(complaints) == ["Welcome", "7"] and "Invalid job id specified" in complaints["7"]
    assert (spool / "cancelled").read_text() == "5 7 71_2\n"
    (spool / "deaf").touch()
    with pytest.raises(RemoteFailure, match="Socket timed out"):
        await runner.cancel(["5"])


def test_elements_of_an_array_in_one_line() -> None:
    line = "123_[4-6,9%2]|CANCELLED by 1001|0:0|None assigned|0|00:00:00||None\n"
    words = SlurmRunner.read_accounting(line)
    assert sorted(words) == ["123_4", "123_5", "123_6", "123_9"]
    assert {word.ending for word in words.values()} == {Ending.CANCELLED}
    assert sorted(SlurmRunner.read_queue("8_[0-4:2]|PENDING||N/A|Priority\n")) == ["8_0", "8_2", "8_4"]
    assert list(SlurmRunner.read_queue("8_[0-999999999]|PENDING||N/A|x\n"))[-1] == f"8_{MAX_ELEMENTS - 1}"
    assert SlurmRunner.read_queue("8_[1-x]|PENDING||N/A|x\n") == {}
