"""A name that somebody typed becomes a path: in a template, an attachment, a directory, a step. None may lead anywhere else."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.errors import CrystalDeckError, InvalidInput, RemoteFailure
from app.library.template_files import BUILT_IN, build, read_folder
from app.library.templates import TemplateLibrary
from app.runners.base import Attached, Package
from app.runners.batch_systems import step
from app.runners.direct import DirectRunner
from app.runners.slurm import SlurmRunner
from app.services.catalogue import templates as library
from app.services.context import Context
from app.services.jobs.actions import act
from app.services.jobs.attachments import keep_upload
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.selections import Selection
from app.settings import ClusterSettings
from app.transport.local import LocalTransport
from tests.support.app import make_actor, running, settings_for
from tests.support.jobs import job_in

EVIL = [
    "job.sh", "JOB.SH", "job.log", "array.sh", "list", "INPUT", "input", "taking.out", "Taking.d12", "taking.d12",
    ".crystaldeck/token", ".crystaldeck", ".bashrc", "../../.bash_profile", "../x.DAT", "/etc/cron.d/x.DAT", "a/b.DAT",
    "a\\b.DAT", "..", ".", "-rf.DAT", "fort.9\n", "fort.9\tx", "fo rt.9", "fort.9 ", "förtö.DAT", "x.sh", "x.so", "fort.1234",
    "slurm-1.out", "authorized_keys", "BAND.DAT", "fort.25", "fort.87", "X" * 70 + ".DAT", "fort.9\0", "$(id).DAT",
]  # fmt: skip
GOOD = ["fort.9", "fort.20", "fort.34", "fort.98", "fort.13", "OPTINFO.DAT", "HESSOPT.DAT", "FREQINFO.DAT", "BORN.DAT",
        "TENS_RAMAN.DAT", "BASISSETS.DAT", "POINTCHG.INP", "start.gui", "other.d12", "mgo.f9", "mgo.f98", "mgo.xyz"]  # fmt: skip
DECK = """\
{{ title }}
CRYSTAL
0 0 0
225
4.21
2
12 0. 0. 0.
8 0.5 0.5 0.5
BASISSET
STO-3G
SHRINK
2 2
TOLDEE
6
END
"""


def texts(staged: str, *, file: str = "taking.d12", more: str = "") -> dict[str, str]:
    """A template that takes a file along under a name."""
    name = "".join(f"\\u{ord(char):04x}" for char in staged)
    return {
        "template.toml": f"""
id = "taking"
title = "Takes a file along"
description = "x"
files = [{{ name = "{file}", role = "d12" }}{more}]

[[fields]]
key = "title"
type = "string"
label = "Title"
default = "x"

[[fields]]
key = "taken"
type = "file"
label = "File"
role = "restart"
staged_as = "{name}"
required = false
""",
        f"{file}.j2": DECK,
        "fort.34.j2": "3 1 1\n",
    }


# -- when a template is saved, or lies in a folder ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVIL, ids=ascii)
def test_no_template_stages_a_file_under_such_a_name(name: str) -> None:
    with pytest.raises(CrystalDeckError) as refused:
        build(texts(name), compiled=False)
    assert "taken" in refused.value.message


@pytest.mark.parametrize("name", GOOD)
def test_what_crystal_reads_may_be_staged(name: str) -> None:
    assert build(texts(name), compiled=False)[0].needs[0].staged_as == name


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("x" * 70 + ".d12", ""),
        ("taking.d12", ', { name = "TAKING.d12", role = "d12" }'),
        ("taking.d12", ', { name = "taking.d12", role = "d12" }'),
        ("taking.d12", ', { name = "taking.out", role = "auxiliary" }'),
        ("taking.d12", ', { name = "job.log", role = "auxiliary" }'),
        ("taking.d12", ', { name = "run.py", role = "auxiliary" }'),
        ("taking.d12", ', { name = "BAND.DAT", role = "auxiliary" }'),
    ],
)
def test_nor_renders_one_under_such_a_name(file: str, more: str) -> None:
    given = texts("fort.9", file=file, more=more)
    name = more.partition('name = "')[2].partition('"')[0]
    with pytest.raises(CrystalDeckError) as refused:
        build({f"{name}.j2": "x\nEND\n", **given} if name else given, compiled=False)
    assert "name" in refused.value.message


@pytest.mark.parametrize("name", ["../fort.9", ".crystaldeck/token", "a/b", "", ".x", "x" * 80])
def test_nor_hands_one_on_to_later_steps(name: str) -> None:
    given = texts("fort.9")
    given["template.toml"] = given["template.toml"].replace(
        'title = "Takes', f'produces = [{{ role = "wavefunction", name = "{name}" }}]\ntitle = "Takes', 1
    )
    with pytest.raises(CrystalDeckError, match="produces"):
        build(given, compiled=False)


def test_the_templates_of_the_installation_keep_the_rule() -> None:
    for path in sorted(BUILT_IN.glob("*/template.toml")):
        build(read_folder(path.parent))


def test_a_folder_with_such_a_template_is_listed_as_broken(tmp_path: Path) -> None:
    folder = tmp_path / "taking"
    folder.mkdir()
    for name, text in texts("../../.bash_profile").items():
        (folder / name).write_text(text)
    library_ = TemplateLibrary([tmp_path])
    [broken] = [entry for entry in library_.broken if entry.id == "taking"]
    assert "staged_as" in broken.reason


# -- on the way to the cluster ---------------------------------------------------------------------------------------------


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    program = tmp_path / "bin" / "program"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\ncat\n")
    program.chmod(0o755)
    settings = settings_for(tmp_path, data=tmp_path / "deck")
    settings.clusters["here"] = settings.clusters["here"].model_copy(update={"crystal": str(program)})
    async with running(settings) as app:
        yield app


async def job_with(context: Context, actor: Any, upload: str = "") -> Any:
    parameters = {"title": "x", **({"taken": upload} if upload else {})}
    [job] = await create_jobs(context, actor, [JobRequest("taking", parameters, "here", {}, "takes", draft=True)])
    return job


async def let_go(context: Context, *jobs: Any) -> None:
    async with context.database.write() as session:
        for job in jobs:
            job.state = "queued"
            await session.merge(job)
    context.nudge.set()


@pytest.mark.parametrize(
    "name", ["job.sh", "../../.bash_profile", "../.crystaldeck/x", ".crystaldeck/exit", "taking.d12"]
)
async def test_a_job_of_before_with_such_a_name_fails_alone_and_runs_nothing(
    app: FastAPI, tmp_path: Path, name: str
) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    await library.save_template(context, actor, texts("fort.20"))
    script = f"#!/bin/sh\ntouch {tmp_path}/owned\n".encode()
    upload = await keep_upload(context, actor, "fort.20", script)
    bad, good = await job_with(context, actor, upload), await job_with(context, actor)
    async with context.database.write() as session:
        [row] = (await library.library.attachments_of(session, [bad.id]))[bad.id]
        row.name = name
        session.add(row)
    await let_go(context, bad, good)
    view = await job_in(context, actor, bad.id)
    assert view.job.state == "failed" and repr(name) in view.job.reason, view.job.reason
    assert (await job_in(context, actor, good.id)).remote is not None
    assert not (tmp_path / "owned").exists()
    assert not list((tmp_path / "work").glob(f"*/*{bad.id}/job.sh"))


async def test_a_job_of_before_is_not_run_again_under_such_a_name(app: FastAPI) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    await library.save_template(context, actor, texts("fort.20"))
    upload = await keep_upload(context, actor, "fort.20", b"#!/bin/sh\n")
    bad, good = await job_with(context, actor, upload), await job_with(context, actor, upload)
    async with context.database.write() as session:
        [row] = (await library.library.attachments_of(session, [bad.id]))[bad.id]
        row.name = "job.sh"
        session.add(row)
        for job in (bad, good):
            job.state = "failed"
            await session.merge(job)
    told = {one.id: one for one in await act(context, actor, "rerun", Selection(ids=(bad.id, good.id)))}
    assert told[good.id].done and not told[bad.id].done
    assert "'job.sh'" in told[bad.id].reason


async def test_two_files_under_one_name_are_refused_with_the_field(app: FastAPI) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    given = texts("fort.34", more=', { name = "fort.34", role = "auxiliary" }')
    await library.save_template(context, actor, given)
    upload = await keep_upload(context, actor, "fort.34", b"3 1 1\n")
    with pytest.raises(InvalidInput) as refused:
        await job_with(context, actor, upload)
    assert [error.field for error in refused.value.fields] == ["taken"]
    assert (await job_with(context, actor)).decks["fort.34"]


def runner(folder: Path, kind: type[DirectRunner] | type[SlurmRunner] = DirectRunner) -> DirectRunner | SlurmRunner:
    return kind(LocalTransport(), ClusterSettings(runner_type="local", workdir=str(folder / "work")))


def package(**changes: Any) -> Package:
    values = {"token": "t" * 32, "directory": "ada/job-abcdefghij", "name": "job-abcdefghij",
              "files": {"scf.d12": b"x\nEND\n", "job.sh": b"#!/bin/bash\n"}}  # fmt: skip
    return Package(**(values | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"directory": "../ada/job-abcdefghij"}, {"directory": "/tmp/job"}, {"directory": "ada"}, {"directory": "ada/../x"},
        {"directory": "ada/.ssh"}, {"directory": "ada/-rf"}, {"directory": "ada/x\ny"}, {"directory": "a/b/c"},
        {"files": {"../evil.d12": b"", "job.sh": b""}}, {"files": {".crystaldeck/exit": b"", "job.sh": b""}},
        {"files": {"job.sh": b"", "JOB.SH": b""}}, {"name": "../../x"}, {"name": "x\n#SBATCH --uid=0"}, {"token": "a/../b"},
        {"group": "../../x"}, {"group": "x\ny"},
    ],
    ids=str,
)  # fmt: skip
async def test_the_runner_stages_nothing_outside_of_the_jobs_directory(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(RemoteFailure):
        await runner(tmp_path).stage([package(**changes)])
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", EVIL, ids=ascii)
async def test_the_runner_attaches_nothing_under_such_a_name(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"evil")
    attached = Attached(name, hashlib.sha256(b"evil").hexdigest(), source)
    deck = {"taking.d12": b"x\nEND\n", "job.sh": b"#!/bin/bash\n"}
    with pytest.raises(RemoteFailure):
        await runner(tmp_path).stage([package(files=deck, attached=(attached,))])
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["source"]


async def test_the_directory_of_an_array_is_checked_too(tmp_path: Path) -> None:
    batch = [package(token=f"{n:032d}", directory=f"ada/j-{n}", name=f"j-{n}", group="../../up") for n in range(3)]
    with pytest.raises(RemoteFailure):
        await runner(tmp_path, SlurmRunner).stage(batch)
    assert not (tmp_path / "work").exists()
    assert not list(tmp_path.rglob("array.sh"))


# -- the steps themselves ------------------------------------------------------------------------------------------------------


def archive(*members: tarfile.TarInfo, data: bytes = b"evil\n") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            member.size = len(data) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(data) if member.isreg() else None)
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


HOSTILE_ARCHIVES = {
    "outside": [member("../owned")],
    "absolute": [member("/{here}/owned")],
    "link": [member("ada/j-1/fort.9", tarfile.SYMTYPE, "/etc/passwd")],
    "through a link": [member("ada/j-1/up", tarfile.SYMTYPE, "../.."), member("ada/j-1/up/owned")],
    "hard link": [member("ada/j-1/x.DAT"), member("ada/j-1/fort.9", tarfile.LNKTYPE, "ada/j-1/x.DAT")],
    "pipe": [member("ada/j-1/fort.9", tarfile.FIFOTYPE)],
    "beside the jobs": [member("owned")],
    "too deep": [member("ada/j-1/a/b")],
    "our own": [member("ada/j-1/.crystaldeck/exit")],
    "hidden": [member("ada/j-1/.bashrc")],
}


@pytest.mark.parametrize("members", HOSTILE_ARCHIVES.values(), ids=HOSTILE_ARCHIVES)
async def test_the_step_that_unpacks_refuses(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    for info in members:
        info.name = info.name.replace("/{here}", str(tmp_path))
    with pytest.raises(RemoteFailure):
        await runner(tmp_path)._run("stage", str(tmp_path / "work"), stdin=archive(*members), doing="staging")
    left = [path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()]
    assert not left


async def test_unpacking_goes_through_no_link_that_lies_there(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "job.sh").write_text("mine\n")
    (tmp_path / "work" / "ada").mkdir(parents=True)
    (tmp_path / "work" / "ada" / "job-abcdefghij").symlink_to(victim)
    with pytest.raises(RemoteFailure):
        await runner(tmp_path).stage([package()])
    assert (victim / "job.sh").read_text() == "mine\n" and len(list(victim.iterdir())) == 1


async def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    job = tmp_path / "work" / "ada" / "job-abcdefghij"
    job.mkdir(parents=True)
    (job / "scf.d12").symlink_to(victim)
    await runner(tmp_path).stage([package()])
    assert victim.read_text() == "mine\n"
    assert (job / "scf.d12").read_bytes() == b"x\nEND\n" and not (job / "scf.d12").is_symlink()


@pytest.mark.parametrize(
    "target",
    ["../owned", "/{here}/owned", "ada/owned", "ada/j-1/job.sh", "ada/j-1/Job.SH", "ada/j-1/.crystaldeck/token",
     "ada/j-1/.bashrc", "ada/j-1/-x", "ada/../../owned", "ada/j-1/a/b.DAT", "ada/j-1/INPUT", "ada/j-1/scf.out"],
)  # fmt: skip
async def test_the_step_that_attaches_refuses(tmp_path: Path, target: str) -> None:
    source = tmp_path / "work" / "ada" / "j-0" / "fort.9"
    source.parent.mkdir(parents=True)
    source.write_bytes(b"evil")
    (tmp_path / "work" / "ada" / "j-1").mkdir()
    target = target.replace("/{here}", str(tmp_path))
    line = f"{hashlib.sha256(b'evil').hexdigest()}\t{target}\tada/j-0/fort.9\n".encode()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RemoteFailure):
        await runner(tmp_path)._run("attach", str(tmp_path / "work"), stdin=line, doing="attaching")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("source", ["ada/j-0/link", "ada/away/fort.9", "../secret", "ada/j-0/../../../secret"])
async def test_nothing_is_attached_through_a_link_or_from_elsewhere(tmp_path: Path, source: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    work = tmp_path / "work" / "ada"
    (work / "j-0").mkdir(parents=True)
    (work / "j-1").mkdir()
    (work / "j-0" / "link").symlink_to(secret)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "fort.9").write_bytes(b"secret")
    (work / "away").symlink_to(tmp_path / "elsewhere")
    line = f"{hashlib.sha256(b'secret').hexdigest()}\tada/j-1/fort.9\t{source}\n".encode()
    done = await runner(tmp_path).transport.run(step("attach"), [str(tmp_path / "work")], stdin=line)
    assert b"have" not in done.stdout and not (work / "j-1" / "fort.9").exists()


@pytest.mark.parametrize("linked", ["directory", "script", "log"])
async def test_nothing_starts_through_a_link(tmp_path: Path, linked: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".crystaldeck").mkdir(parents=True)
    (elsewhere / ".crystaldeck" / "token").write_text("t" * 32)
    (elsewhere / "job.sh").write_text(f"touch {tmp_path}/owned\n")
    (tmp_path / "victim").write_text("mine\n")
    job = tmp_path / "work" / "ada" / "job-abcdefghij"
    job.parent.mkdir(parents=True)
    if linked == "directory":
        job.symlink_to(elsewhere)
    else:
        await runner(tmp_path).stage([package(files={"scf.d12": b"x\nEND\n", "job.sh": b"exit 0\n"})])
        (job / "job.sh").unlink()
        (job / "job.sh").symlink_to(elsewhere / "job.sh")
        if linked == "log":
            (job / "job.sh").unlink()
            (job / "job.sh").write_text("echo evil\n")
            (job / "job.log").symlink_to(tmp_path / "victim")
    [receipt] = (await runner(tmp_path).submit_each([package()])).values()
    assert receipt.word == "refused" and "symbolic link" in receipt.detail
    assert not (tmp_path / "owned").exists() and (tmp_path / "victim").read_text() == "mine\n"
