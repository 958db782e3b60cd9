"""What a job computed, as page and notebook ask for it: a real program replays stored outputs."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlmodel import select

from app.crystal.outputs.results import SCHEMA_VERSION
from app.db.tables import Job, JobResult
from app.services.running.rereading import reread
from tests.support.app import make_client
from tests.support.deck import Deck
from tests.support.service import mgo
from tests.support.waiting import until_answer

ENDED = ("completed", "failed", "cancelled")


class Jobs(Deck):
    async def job(self, title: str, *, wait: bool = True, template: str = "scf", **parameters: Any) -> str:
        body = {"template": template, "cluster": "here", "parameters": mgo(f"replay {title}", **parameters)}
        job_id = str((await self.post("/jobs", **body))["id"])
        if wait:
            await until_answer(self.client, f"/api/v1/jobs/{job_id}", lambda job: job["state"] in ENDED)
        return job_id

    async def of(self, path: str, status: int = 200, **query: Any) -> Any:
        """What there is of a job."""
        return await self.get(f"/jobs{path}", status, **query)


@pytest.fixture
async def deck(start: Callable[..., Any]) -> AsyncIterator[Jobs]:
    async with start() as app, await make_client(app) as client:
        yield Jobs(app, client)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


async def test_a_growing_course_tells_only_what_is_new(deck: Jobs) -> None:
    job = await deck.job("quartz-freq/main.out seconds=6", wait=False)
    seen: list[int] = []
    hints = set()
    async with asyncio.timeout(60):
        while True:
            scf = 0 if seen else -1
            found = await deck.of(f"/{job}/convergence", scf=scf, since=len(seen))
            if found["scf"]:
                assert found["scf"]["since"] == len(seen)
                seen += found["scf"]["cycle"]
            hints.add(found["hint"]["kind"])
            if (await deck.of(f"/{job}"))["state"] in ENDED and len(seen) == 101:
                break
            await asyncio.sleep(0.1)
    assert seen == list(range(101))
    assert {"early", "slow", "converged"} <= hints
    table = rows(await deck.of(f"/{job}/convergence", format="csv"))
    assert (table[100]["cycle"], float(table[100]["energy_ha"])) == ("100", -1316.701234568)
    assert float(table[100]["delta_ha"]) == pytest.approx(-8.1e-10)


async def test_the_scfs_of_later_points_are_followed_in_their_own_log(deck: Jobs) -> None:
    """Without ONELOG the output is silent during them."""
    title = "replay nio-opt-cut/main.out seconds=5 scflog=1"
    text = f"{title}\nCRYSTAL\n0 0 0\n225\n4.2\n1\n12 0. 0. 0.\nOPTGEOM\nFULLOPTG\nEND\nBASISSET\nSTO-3G\nSHRINK\n2 2\nEND\n"
    body = {"template": "raw", "cluster": "here", "parameters": {"deck": text}}
    job = (await deck.client.post("/api/v1/jobs", json=body)).json()["id"]
    seen: dict[int, int] = {}
    async with asyncio.timeout(60):
        while (await deck.of(f"/{job}"))["state"] not in ENDED:
            found = await deck.of(f"/{job}/convergence")
            if found["scf"]:
                seen[found["scf"]["index"]] = found["scf"]["point"] or 1
            await asyncio.sleep(0.1)
    assert len(set(seen) - {0}) > 1, "more than one of the later points was seen while the job ran"
    assert all(point == index + 1 for index, point in seen.items() if index)
    found = await deck.of(f"/{job}/convergence")
    # Points 2 to 19 had ended, of point 20 there are two cycles.
    assert (found["scf_count"], found["scf"]["point"], found["scf"]["converged"]) == (20, 20, None)


async def test_before_there_is_anything_nothing_is_no_error(deck: Jobs) -> None:
    body = {"template": "scf", "cluster": "here", "parameters": mgo(), "draft": True}
    job = (await deck.client.post("/api/v1/jobs", json=body)).json()["id"]
    found = await deck.of(f"/{job}/convergence")
    assert (found["output"], found["scf"], found["hint"]["kind"]) == (None, None, "early")
    paths = (
        "bands",
        "dos",
        "modes",
        "spectrum",
        "phonons",
        "trajectory",
        "equation-of-state",
        "thermal",
        "modes/1",
        "maps",
        "transport",
    )
    for path in (*paths, "diffraction", "populations", "phonon-dos"):
        answer = await deck.of(f"/{job}/{path}", 404)
        assert answer["hint"], path
    await deck.of("/nosuchjob/convergence", 404)


async def test_bands_and_densities(deck: Jobs) -> None:
    job = await deck.job("mgo-spin/main.out with=mgo-spin,mgo-dos")
    found = await deck.of(f"/{job}/bands")
    assert len(found["bands"]["energies"]) == 2
    assert found["bands"]["fermi_energy"] == found["dos"]["fermi_energy"] == -0.152
    assert found["dos"]["names"] == ["projection 1", "projection 2", "total"]
    table = rows(await deck.of(f"/{job}/bands", format="csv"))
    assert len(table) == 91
    assert float(table[0]["band_11_alpha_ev"]) - float(table[0]["band_10_alpha_ev"]) == pytest.approx(6.8954, abs=1e-3)
    densities = rows(await deck.of(f"/{job}/dos", format="csv"))
    assert list(densities[0]) == ["energy_ev", "projection 1", "projection 2", "total"]
    page = await deck.page(f"/jobs/{job}/figures?e_low=-6&e_high=9")
    assert "gap along the path 6.825 eV" in page
    assert 'value="-6"' in page
    refused = await deck.client.get(f"/jobs/{job}/figures?e_low=5&e_high=-5")
    assert refused.status_code == 422
    assert "Enter the lower limit first." in refused.text


async def test_absolute_energies_of_old_releases_are_shifted(deck: Jobs) -> None:
    """The Fermi energy stands in fort.25 only; the top of the valence states then lies where that of the bands does."""
    job = await deck.job("mgo-scf/main.out with=nacl-crystal14")
    found = (await deck.of(f"/{job}/bands"))["dos"]
    assert found["fermi_energy"] == -0.396861
    occupied = [e for e, d in zip(found["energies"], found["densities"][0][0], strict=True) if d > 1]
    assert max(occupied) == pytest.approx(0, abs=5e-3)


async def test_bands_of_one_job_beside_the_densities_of_another(deck: Jobs) -> None:
    """Both took along the same wave function."""
    first = await deck.job("mgo-scf/main.out seconds=0.1")
    guess = f"job:{first}/fort.9"
    await deck.job("mgo-scf/main.out with=mgo-dos", guess_file=guess)
    bands = await deck.job("mgo-scf/main.out with=mgo-bands", guess_file=guess)
    assert (await deck.of(f"/{bands}/bands"))["dos_job"] is None
    dos = await deck.job("mgo-scf/main.out with=mgo-dos")
    found = await deck.of(f"/{bands}/dos", dos_of=dos)
    assert (found["dos_job"], found["dos"]["names"][-1]) == (dos, "total")


async def test_vibrations(deck: Jobs) -> None:
    job = await deck.job("dry-ice-ir/main.out seconds=0.1")
    modes = (await deck.of(f"/{job}/modes"))["modes"]
    assert [mode["irrep"] for mode in modes[:4]] == ["Fu", "Fu", "Eg", "Fg"]
    assert rows(await deck.of(f"/{job}/modes", format="csv"))[14]["ir_intensity"] == "3901.25"
    found = await deck.of(f"/{job}/spectrum", width=20, shape="gaussian", low=2000, high=2800)
    highest = max(range(len(found["intensities"])), key=found["intensities"].__getitem__)
    assert found["wavenumbers_cm1"][highest] == pytest.approx(2401.3, abs=1)
    powder = await deck.of(f"/{job}/spectrum", kind="raman", width=8)
    highest = max(range(len(powder["intensities"])), key=powder["intensities"].__getitem__)
    assert powder["wavenumbers_cm1"][highest] == pytest.approx(1362.1, abs=1)
    assert (await deck.of(f"/{job}/spectrum", 422, width=0))["errors"][0]["field"] == "width"
    moved = await deck.of(f"/{job}/modes/34")
    assert len(moved["atoms"]) == len(moved["vectors"]) == 12
    assert max(sum(part**2 for part in vector) for vector in moved["vectors"]) == pytest.approx(1, abs=1e-3)
    await deck.of(f"/{job}/modes/37", 404)
    phonons = await deck.job("graphene-phonons/main.out seconds=0.1 with=graphene-phonons")
    assert len((await deck.of(f"/{phonons}/phonons"))["points"]) == 123
    await deck.of(f"/{phonons}/spectrum", 404, kind="raman")
    page = await deck.page(f"/jobs/{phonons}/figures")
    assert ">(1/3 1/3 0)<" in page
    assert ">(1/2 0 0)<" in page
    assert "Density of phonon states: total, projection 1, projection 2" in page
    found = await deck.of(f"/{phonons}/phonon-dos")
    assert (len(found["wavenumber_cm1"]), max(found["total"])) == (181, 0.006)
    assert float(rows(await deck.of(f"/{phonons}/phonon-dos", format="csv"))[90]["projection 2"]) == 0.003
    assert list(rows(await deck.of(f"/{job}/modes", format="csv"))[0])[-2:] == ["raman_parallel", "raman_perpendicular"]


async def test_trajectories(deck: Jobs) -> None:
    job = await deck.job("mgo-opt/main.out seconds=0.1")
    found = await deck.of(f"/{job}/trajectory")
    assert [frame["point"] for frame in found["frames"]] == [1, 2, 3, 4, 5, 6]
    assert found["frames"][5]["energy"] == pytest.approx(-271.1570345679)
    text = await deck.of(f"/{job}/trajectory", format="xyz")
    assert text.startswith('2\nLattice="')
    assert 'pbc="T T T"' in text
    # Both atoms lie in the cell, whatever signs the program prints.
    lattice = found["frames"][0]["lattice"]
    middle = [sum(row[axis] for row in lattice) / 2 for axis in range(3)]
    assert found["frames"][0]["atoms"][1][1:] == pytest.approx(middle, abs=1e-4)
    course = await deck.of(f"/{job}/convergence")
    assert course["optimization_hint"]["kind"] == "converged"
    assert course["thresholds"]["rms_gradient"] == 0.0003


async def test_a_failed_scf_offers_its_remedies_and_the_composer_applies_one(deck: Jobs) -> None:
    job = await deck.job("nio-maxcycle/main.out seconds=0.1", maxcycle=10)
    found = await deck.of(f"/{job}/remedies")
    assert found["code"] == "scf-not-converged"
    more = found["remedies"][0]
    assert (more["name"], more["parameters"]) == ("more_cycles", {"maxcycle": 20, "guess_file": f"job:{job}/fort.9"})
    page = await deck.page(f"/jobs/{job}")
    assert "What went wrong" in page
    assert f"/new/scf?clone={job}&amp;remedy=more_cycles" in page
    composer = await deck.page(f"/new/scf?clone={job}&remedy=more_cycles")
    assert "<del>10</del> <ins>20</ins>" in composer
    assert "+GUESSP" in composer
    refused = await deck.client.get(f"/new/scf?clone={job}&remedy=more_memory")
    assert refused.status_code == 404
    good = await deck.job("mgo-scf/main.out seconds=0.1")
    assert (await deck.of(f"/{good}/remedies"))["remedies"] == []


async def test_a_time_limit_is_doubled_in_the_form(deck: Jobs) -> None:
    job = await deck.job("mgo-scf/main.out cut=9000")
    async with deck.context.database.write() as session:
        row = await session.get(Job, job)
        assert row is not None
        row.reason = "The time limit was reached before the calculation ended."
        session.add(row)
    found = await deck.of(f"/{job}/remedies")
    assert (found["code"], found["remedies"][0]["resources"]) == ("timeout", {"walltime": "02:00:00"})
    composer = await deck.page(f"/new/scf?clone={job}&remedy=longer")
    assert "<del>01:00:00</del> <ins>02:00:00</ins>" in composer
    assert 'id="r_walltime" name="r_walltime" value="02:00:00"' in composer


async def test_logs_explain_what_the_output_does_not(deck: Jobs) -> None:
    job = await deck.job("mgo-scf/main.out cut=9000 log=oom")
    found = await deck.of(f"/{job}")
    assert found["state"] == "failed"
    assert found["results"]["diagnosis_code"] == "memory"
    assert "ran out of memory" in found["results"]["diagnosis"]
    assert (await deck.of(f"/{job}/remedies"))["code"] == "memory"


async def test_pieces_of_files(deck: Jobs) -> None:
    job = await deck.job("mgo-opt/main.out seconds=0.1")
    head = await deck.of(f"/{job}/pieces/scf.out")
    assert (head["start"], head["size"]) == (0, 29866)
    tail = await deck.of(f"/{job}/pieces/scf.out", at=-6000)
    assert tail["end"] == tail["size"]
    assert "TERMINATION" in tail["text"]
    hit = await deck.of(f"/{job}/pieces/scf.out", find="OPTIMIZATION - POINT    3")
    assert hit["found"]
    assert hit["text"].split("\n")[0].strip() == "CELL OPTIMIZATION - POINT    3"
    assert not (await deck.of(f"/{job}/pieces/scf.out", find="OPTIMIZATION - POINT    3", at=hit["after"]))["found"]
    remote = await deck.of(f"/{job}/pieces/scf.out", where="cluster", at=-6000)
    assert remote["text"] == tail["text"]
    names = {entry["name"] for entry in await deck.of(f"/{job}/cluster-files")}
    assert {"scf.out", "scf.d12", "fort.9"} <= names
    await deck.of(f"/{job}/pieces/nothing.here", 404)
    await deck.of(f"/{job}/pieces/%2e%2e/%2e%2e/secret", 404, where="cluster")
    assert "Use in" in await deck.page(f"/jobs/{job}/look/fort.9")
    assert f"job:{job}/fort.9" in await deck.page(f"/new/scf?take=job:{job}/fort.9")
    archive = await deck.client.get(f"/jobs/{job}/files.zip?name=scf.d12")
    assert archive.content[:2] == b"PK"


async def test_cubes(deck: Jobs) -> None:
    job = await deck.job("mgo-scf/main.out cube=1")
    found = await deck.of(f"/{job}/cubes/DENS_CUBE.DAT")
    assert found["value"] > 0
    assert found["cube"].count("\n") > 100
    await deck.of(f"/{job}/cubes/scf.out", 422)
    assert "DENS_CUBE.DAT" in await deck.page(f"/jobs/{job}/figures")


async def test_jobs_beside_each_other(deck: Jobs) -> None:
    jobs = [await deck.job("mgo-scf/main.out seconds=0.1", shrink=str(n), gilat=str(2 * n)) for n in (2, 4, 6)]
    query = "&".join(f"id={job}" for job in jobs)
    table = rows((await deck.client.get(f"/jobs/compare?{query}&format=csv")).text)
    assert [row["formula"] for row in table] == ["MgO"] * 3
    assert float(table[0]["energy_per_formula_ha"]) == -271.1234567891
    assert [row["relative_mev"] for row in table] == ["0.0"] * 3
    page = await deck.page(f"/jobs/compare?{query}")
    assert "SCF convergence" in page
    # Two parameters differ: no single axis.
    assert 'id="study"' not in page
    one = [await deck.job("mgo-scf/main.out seconds=0.1", maxcycle=n) for n in (50, 60, 70)]
    query = "&".join(f"id={job}" for job in one)
    study = await deck.page(f"/jobs/compare?{query}")
    assert "converged within 1 meV per atom from maxcycle = <strong>50</strong>." in study
    assert "of=gap#study" in study
    assert "of=volume#study" in study


async def test_a_gap_over_a_parameter(deck: Jobs) -> None:
    """Three MgO, whose gaps differ by volts: none confirms the last one until the tolerance is as wide."""
    outputs = ("mgo-scf/main.out", "mgo-b3lyp/main.out", "mgo-scf/main.out")
    jobs = [await deck.job(f"{name} seconds=0.1", maxcycle=n) for name, n in zip(outputs, (50, 60, 70), strict=True)]
    found = await deck.get("/comparison", id=jobs, of="gap")
    gaps = found["gaps"]
    assert len(set(gaps)) == 2
    assert found["study"]["differences"] == pytest.approx([0.0, (gaps[1] - gaps[0]) * 1000, 0.0])
    assert (found["study"]["parameter"], found["study"]["unit"], found["study"]["tolerance"]) == (
        "maxcycle",
        "meV",
        10.0,
    )
    assert found["study"]["reached"] is None
    wide = await deck.get("/comparison", id=jobs, of="gap", tolerance=20000)
    assert wide["study"]["reached"] == "50"
    assert "not converged within 10 meV;" in await deck.page(
        "/jobs/compare?of=gap&" + "&".join(f"id={job}" for job in jobs)
    )
    await deck.get("/comparison", 422, id=jobs, of="gap", tolerance=0)


async def test_bands_over_each_other(deck: Jobs) -> None:
    same = [await deck.job("mgo-scf/main.out with=mgo-bands") for _ in range(2)]
    other = await deck.job("graphene/main.out with=graphene")
    page = await deck.page("/jobs/compare?" + "&".join(f"id={job}" for job in [*same, other]))
    drawn = page.partition('<section id="bands">')[2].partition("</section>")[0]
    assert drawn.count("line-0") > 2
    assert drawn.count("line-0") == drawn.count("line-1")
    assert "Not shown, because they follow a different path" in drawn
    assert len(page) < 100_000
    # Carbon is not lower than magnesia; it is something else.
    assert (await deck.get("/comparison", id=[*same, other]))["relative"] == [0.0, 0.0, 0.0]
    apart = await deck.page(f"/jobs/compare?id={same[0]}&id={other}")
    assert "Bands are not overlaid" in apart


async def test_results_of_an_older_release_are_read_again(deck: Jobs) -> None:
    job = await deck.job("dry-ice-ir/main.out seconds=0.1")
    async with deck.context.database.write() as session:
        row = (await session.exec(select(JobResult).where(JobResult.job_id == job))).one()
        row.results = {
            "schema_version": 1,
            "verdict": "completed",
            "diagnosis": None,
            "diagnosis_code": None,
            "remedy": None,
        }
        session.add(row)
    while await reread(deck.context):
        pass
    found = (await deck.of(f"/{job}"))["results"]
    assert (found["schema_version"], len(found["modes"])) == (SCHEMA_VERSION, 15)


async def test_analyses_by_properties(deck: Jobs) -> None:
    """Maps, transport coefficients, powder pattern and critical points: drawn, and as numbers."""
    job = await deck.job("mgo-analyses/main.outp with=mgo-analyses")
    maps = await deck.of(f"/{job}/maps")
    assert [one["unit"] for one in maps] == ["a.u.", "a.u."]
    assert len(maps[0]["values"]) == len(maps[0]["values"][0]) == 33
    places = rows(await deck.of(f"/{job}/maps", number=2, format="csv"))
    centre = next(
        row for row in places if abs(float(row["x_a"]) - 2.1167) < 1e-3 and abs(float(row["y_a"]) - 2.1167) < 1e-3
    )
    assert float(centre["value"]) == 1.0
    await deck.of(f"/{job}/maps", 404, number=3, format="csv")
    sigma = await deck.of(f"/{job}/transport")
    assert (sigma["unit"], sigma["temperatures_k"], len(sigma["potentials_ev"])) == ("1/Ohm/m", [300.0, 600.0], 41)
    seebeck = rows(await deck.of(f"/{job}/transport", quantity="seebeck", format="csv"))
    assert (len(seebeck), float(seebeck[0]["seebeck_zx"]), seebeck[0]["temperature_k"]) == (82, 10.0, "300.0")
    await deck.of(f"/{job}/transport", 404, quantity="kappa")
    overlap = await deck.of(f"/{job}/populations")
    assert (overlap["fermi_energy"], len(overlap["values"][0])) == (-0.152, 81)
    assert min(overlap["values"][0]) == pytest.approx(-1, abs=0.01)
    assert list(rows(await deck.of(f"/{job}/populations", format="csv"))[0]) == ["energy_from_fermi_ev", "column_1"]
    await deck.of(f"/{job}/populations", 404, kind="cohp")
    pattern = await deck.of(f"/{job}/diffraction")
    assert len(pattern["2theta_deg"]) == len(pattern["intensity_lp"]) == 241
    assert len(rows(await deck.of(f"/{job}/diffraction", format="csv"))) == 241
    found = (await deck.of(f"/{job}"))["results"]
    assert [point["signature"] for point in found["critical_points"]] == [-1, 1, 3]
    assert found["diffraction"]["strongest_angle"] == 43.0
    page = await deck.page(f"/jobs/{job}/figures")
    for words in (
        "Electrical conductivity",
        "Seebeck coefficient",
        "Powder pattern",
        "X-ray powder pattern",
        "T / K",
        "COOP",
    ):
        assert words in page
    assert page.count('class="above"') >= 10 and page.count('class="below"') >= 4
    assert len(page) < 400_000
    assert "Critical points of the density (3)" in await deck.page(f"/jobs/{job}")


async def test_damaged_analyses_leave_the_other_figures(deck: Jobs) -> None:
    job = await deck.job("mgo-scf/main.out with=mgo-analyses")
    folder = deck.context.job_folder(job) / "files"
    (folder / "SIGMA.DAT").write_text("# 0 Sigma in 1/Ohm/m\n# T(K) = 300 Npoints = 5\n 0.0 300.0 0.1 1.0\n")
    (folder / "fort.25").write_text("-%-0MAPN   33   33 2.50000E-01 2.50000E-01 0.00000E+00\n")
    page = await deck.page(f"/jobs/{job}/figures")
    assert "SIGMA.DAT: its temperatures have different numbers of rows" in page
    assert "fort.25: it contains no maps, or they are truncated" in page
    assert "Seebeck coefficient" in page
    await deck.of(f"/{job}/maps", 404)
    await deck.of(f"/{job}/transport", 404)


async def test_the_energy_of_a_wave_function_is_in_no_list(deck: Jobs) -> None:
    """properties repeats it, and does not tell what is in it: the job itself computed none."""
    job = await deck.job("mgo-bands/main.outp with=mgo-bands")
    found = await deck.of(f"/{job}")
    assert (found["energy_total"], found["results"]["energy_total"]) == (None, -274.0)
    assert found["results"]["energy_kind"] == "wave function"
    page = await deck.page(f"/jobs/{job}")
    assert "Wave function read by properties" in page
