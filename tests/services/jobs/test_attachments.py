"""Files that jobs take along: staged under the name that the program reads, byte for byte, and not fetched back."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from app.db.repositories import jobs
from app.errors import InvalidInput, RemoteFailure
from app.runners.base import Attached, Package
from app.runners.direct import DirectRunner
from app.services.context import Context
from app.services.jobs.attachments import keep_upload
from app.services.jobs.creation import JobRequest, create_jobs
from app.services.jobs.views import JobView
from app.settings import ClusterSettings
from app.transport.local import LocalTransport
from tests.support.app import make_actor, place_replay, running, settings_for
from tests.support.jobs import job_in
from tests.support.service import mgo

GEOMETRY = b"3 1 1\n4.2 0 0\n0 4.2 0\n0 0 4.2\n1\n1 0 0\n0 1 0\n0 0 1\n0 0 0\n2\n12 0 0 0\n8 2.1 2.1 2.1\n"
TITLE = "replay mgo-scf/main.out seconds=0.1"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    place_replay(tmp_path)
    async with running(settings_for(tmp_path, data=tmp_path / "deck")) as app:
        yield app


async def run(app: FastAPI, actor: Any, **parameters: Any) -> JobView:
    context: Context = app.state.context
    [job] = await create_jobs(context, actor, [JobRequest("scf", mgo(TITLE) | parameters, "here", {}, "a")])
    return await job_in(context, actor, job.id)


def external(reference: str) -> dict[str, Any]:
    return {"system": "external", "geometry_file": reference}


async def test_uploads_and_files_of_jobs_lie_beside_the_deck(app: FastAPI, tmp_path: Path) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    reference = await keep_upload(context, actor, "slab.gui", GEOMETRY)
    first = await run(app, actor, **external(reference))
    assert first.job.state == "completed", first.job.reason
    assert first.remote is not None
    assert (tmp_path / "work" / first.remote.directory / "fort.34").read_bytes() == GEOMETRY
    # The copy here is the upload itself, under one more name.
    kept = context.job_folder(first.job.id) / "files" / "fort.34"
    assert kept.read_bytes() == GEOMETRY and kept.stat().st_nlink == 2

    # The next job takes the geometry and the wave function of the first; on the same machine they are copied there.
    second = await run(app, actor, **external(f"job:{first.job.id}/fort.34"), guess_file=f"job:{first.job.id}/fort.9")
    assert second.job.state == "completed", second.job.reason
    assert second.remote is not None
    folder = tmp_path / "work" / second.remote.directory
    assert (folder / "fort.20").read_bytes() == (tmp_path / "work" / first.remote.directory / "fort.9").read_bytes()
    assert "\nGUESSP\n" in second.job.decks["scf.d12"]

    assert [(row.name, row.source) for row in second.attached] == [
        ("fort.20", f"job:{first.job.id}/fort.9"), ("fort.34", f"job:{first.job.id}/fort.34"),
    ]  # fmt: skip

    # Where the first one's folder is gone, the copy that is kept here travels.
    shutil.rmtree(tmp_path / "work" / first.remote.directory)
    third = await run(app, actor, guess_file=f"job:{first.job.id}/fort.9")
    assert third.job.state == "completed", third.job.reason
    assert third.remote is not None
    assert (tmp_path / "work" / third.remote.directory / "fort.20").stat().st_size > 0


async def test_a_file_that_is_nowhere_any_more_fails_in_words(tmp_path: Path) -> None:
    runner = DirectRunner(LocalTransport(), ClusterSettings(runner_type="local", workdir=str(tmp_path / "work")))
    kept = tmp_path / "kept"
    kept.write_bytes(b"wave function")
    sha256 = hashlib.sha256(b"wave function").hexdigest()
    for local, fault in ((kept, ""), (tmp_path / "gone", "gone from this server and from CrystalDeck's own files")):
        package = Package("token", f"ada/{local.name}", "a", {"job.sh": b""}, (Attached("fort.20", sha256, local),))
        if not fault:
            await runner.stage([package])
            assert (tmp_path / "work" / package.directory / "fort.20").read_bytes() == b"wave function"
        else:
            with pytest.raises(RemoteFailure, match=fault):
                await runner.stage([package])
    # What arrives with another checksum than it was sent with is not submitted.
    wrong = Package("token", "ada/wrong", "a", {}, (Attached("fort.20", "0" * 64, kept),))
    with pytest.raises(RemoteFailure, match="did not arrive"):
        await runner.stage([wrong])


async def test_files_that_do_not_fit_are_refused_before_anything_leaves(app: FastAPI) -> None:
    context: Context = app.state.context
    actor = await make_actor(context)
    first = await run(app, actor)
    reference = f"job:{first.job.id}/fort.9"
    for parameters, field, words in (
        ({"guess_file": reference, "basis_set": "POB-DZVP-REV2"}, "guess_file", "different basis set"),
        ({"guess_file": f"job:{first.job.id}/scf.out"}, "guess_file", "must be fort.9"),
        ({"guess_file": "job:aaaaaaaa/fort.9"}, "guess_file", "does not have here"),
        ({"system": "external", "geometry_file": reference}, "geometry_file", "must be fort.34"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await create_jobs(context, actor, [JobRequest("scf", mgo(TITLE) | parameters, "here", {})])
        reasons = {error.field: error.reason for error in caught.value.fields}
        assert words in reasons.get(field, ""), reasons
    # A density of states of that wave function knows its Fermi energy, and writes absolute energies.
    window = {
        "start": "wavefunction",
        "wavefunction_file": reference,
        "window": "energy",
        "window_from": -10,
        "window_to": 5,
    }
    keep = {key: value for key, value in mgo().items() if key in ("title", "space_group", "a", "atoms")}
    [job] = await create_jobs(context, actor, [JobRequest("dos", keep | window, "here", {})])
    low, high = (float(part) for part in job.decks["dos.d3"].splitlines()[5].split())
    fermi = first.main_result["fermi_energy"]
    assert (low, high) == pytest.approx((fermi - 10 / 27.211386, fermi + 5 / 27.211386), abs=1e-6)
    assert list(job.decks) == ["dos.d3"]


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ({"schema_version": 3, "fermi_energy_doubt": "the level shifter altered it"}, "the level shifter altered it"),
        ({"schema_version": 2, "fermi_energy": -0.15}, "read again"),
        ({"schema_version": 3}, "no earlier job provides it"),
    ],
)
async def test_a_doubtful_fermi_energy_sets_no_window(app: FastAPI, stored: dict[str, Any], words: str) -> None:
    """A window of absolute energies around a shifted Fermi energy, or that of another geometry, would miss the bands."""
    context: Context = app.state.context
    actor = await make_actor(context)
    first = await run(app, actor)
    async with context.database.write() as session:
        for row in await jobs.results(session, first.job.id):
            row.results = {"verdict": "completed"} | stored
            session.add(row)
    window = {
        "start": "wavefunction",
        "wavefunction_file": f"job:{first.job.id}/fort.9",
        "window": "energy",
        "window_from": -10,
        "window_to": 5,
    }
    keep = {key: value for key, value in mgo().items() if key in ("title", "space_group", "a", "atoms")}
    with pytest.raises(InvalidInput) as caught:
        await create_jobs(context, actor, [JobRequest("dos", keep | window, "here", {})])
    assert words in {error.field: error.reason for error in caught.value.fields}["fermi_energy"]
    # Entered by hand it is the user's own.
    [job] = await create_jobs(context, actor, [JobRequest("dos", keep | window | {"fermi_energy": -0.2}, "here", {})])
    assert float(job.decks["dos.d3"].splitlines()[5].split()[0]) == pytest.approx(-0.2 - 10 / 27.211386, abs=1e-6)
