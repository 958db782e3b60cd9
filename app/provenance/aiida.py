"""An AiiDA archive (`.aiida`, schema main_0001) without AiiDA: a zip with metadata.json, db.sqlite3 and files by their sha256.

The run becomes a WorkChainNode, each job a CalcJobNode with its inputs, its retrieved files and its results; files that passed
between jobs are outputs of one and inputs of the other. All nodes say that they were imported, and carry no hash of AiiDA's:
its cache must not mistake them for its own calculations.
Source of the format: AiiDA's documentation of the sqlite_zip storage, and archives that aiida-core 2.9 wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import cos, radians, sin, sqrt
from typing import Any

from ase.data import atomic_masses

from app.crystal.elements import SYMBOLS
from app.provenance.aiida_database import write_database
from app.provenance.aiida_nodes import Archive, Node, sql_moment, uuid_of
from app.provenance.records import JobRecord, RunRecord, Source

SCHEMA = "main_0001"


_STATES = {"completed": ("finished", 0), "failed": ("finished", 300), "cancelled": ("killed", None)}


def write_archive(run: RunRecord) -> dict[str, Source]:
    """All members of the archive, by name."""
    archive = Archive()
    top = _workchain(archive, run)
    for job in run.jobs:
        _calculation(archive, run, job, top)
    database = write_database(archive, run)
    moment = sql_moment(run.ended_at or run.created_at).replace(" ", "T")
    metadata = {
        "export_version": SCHEMA,
        "aiida_version": "2.9.4",
        "key_format": "sha256",
        "compression": 6,
        "ctime": moment,
        "creation_parameters": {
            "entities_starting_set": {"node": [uuid_of(top)]},
            "include_authinfos": False,
            "include_comments": True,
            "include_logs": True,
            "graph_traversal_rules": {},
        },
    }
    repository = {f"repo/{digest}": source for digest, source in archive.objects.items()}
    return {"metadata.json": json.dumps(metadata).encode(), "db.sqlite3": database, **repository}


def _process(state: str, label: str) -> dict[str, Any]:
    process_state, status = _STATES.get(state, ("excepted", None))
    attributes: dict[str, Any] = {"process_state": process_state, "process_label": label, "sealed": True}
    return attributes | ({"exit_status": status} if status is not None else {})


def _workchain(archive: Archive, run: RunRecord) -> str:
    ended = run.ended_at or run.created_at
    top = archive.add(
        Node(
            f"run:{run.id}",
            "process.workflow.workchain.WorkChainNode.",
            run.name,
            run.created_at,
            ended,
            _process(run.state, run.workflow) | {"exit_message": run.remark or None},
            f"crystaldeck.workflow.{run.workflow}",
            person=run.person,
            description=f"imported from CrystalDeck: {run.title}",
            extras={"crystaldeck": {"run": run.id, "workflow": run.workflow, "version": run.version, "imported": True}},
        )
    )
    text = run.definition.encode()
    definition = archive.add(
        Node(
            f"definition:{run.id}",
            "data.core.singlefile.SinglefileData.",
            "workflow",
            run.created_at,
            run.created_at,
            {"filename": "workflow.toml"},
            files={"workflow.toml": archive.keep(text)},
            person=run.person,
        )
    )
    archive.link(definition, top, "workflow", "input_work")
    parameters = _dict(
        archive, f"parameters:{run.id}", "parameters", {**run.parameters, **run.inputs}, run.created_at, run.person
    )
    archive.link(parameters, top, "parameters", "input_work")
    return top


def _calculation(archive: Archive, run: RunRecord, job: JobRecord, top: str) -> None:
    began, ended = job.created_at, job.ended_at or job.created_at
    attributes = _process(job.state, job.template) | {
        "resources": {
            "num_machines": int(job.resources.get("nodes") or 1),
            "tot_num_mpiprocs": int(job.resources.get("ntasks") or 1),
        },
        "job_id": job.scheduler_id,
        "remote_workdir": job.directory,
        "exit_message": None if job.state == "completed" else job.reason,
        "version": {"plugin": job.revision[:12], "core": run.software},
    }
    decks = {file.name: file for file in job.files if file.role in ("deck", "script") and file.path is not None}
    node = archive.add(
        Node(
            f"job:{job.id}",
            "process.calculation.calcjob.CalcJobNode.",
            job.name,
            began,
            ended,
            attributes,
            f"crystaldeck.template.{job.template}",
            {name: archive.keep(file.path, file.sha256) for name, file in decks.items() if file.path is not None},
            job.cluster,
            job.person,
            f"imported from CrystalDeck: job {job.id} on {job.cluster}",
            {
                "crystaldeck": {
                    "job": job.id,
                    "template": job.template,
                    "revision": job.revision,
                    "program": job.program,
                    "preview": job.is_preview,
                    "reused": job.reused,
                    "values": list(job.uses),
                    "imported": True,
                }
            },
        )
    )
    archive.link(top, node, f"{job.step or 'job'}_{job.number + 1}", "call_calc")
    code = archive.add(
        Node(
            f"code:{job.cluster}:{job.program}",
            "data.core.code.installed.InstalledCode.",
            job.program.replace("@", "-"),
            began,
            began,
            {
                "input_plugin": None,
                "append_text": "",
                "prepend_text": "",
                "use_double_quotes": False,
                "with_mpi": None,
                "wrap_cmdline_params": False,
                "filepath_executable": f"/{job.program.split()[0].lower()}",
            },
            computer=job.cluster,
            person=job.person,
        )
    )
    archive.link(code, node, "code", "input_calc")
    parameters = _dict(archive, f"parameters:{job.id}", "parameters", job.parameters, began, job.person)
    archive.link(parameters, node, "parameters", "input_calc")
    _inputs(archive, run, job, node)
    _outputs(archive, job, node, top)


def _dict(archive: Archive, key: str, label: str, values: Mapping[str, Any], moment: datetime, person: str) -> str:
    plain = json.loads(json.dumps(values, default=str))
    return archive.add(Node(key, "data.core.dict.Dict.", label, moment, moment, plain, person=person))


def _inputs(archive: Archive, run: RunRecord, job: JobRecord, node: str) -> None:
    """Attached files: outputs of the job that they are from, if that is in the archive."""
    known = {other.id for other in run.jobs}
    for taken in job.taken:
        if taken.job in known:
            archive.link(f"file:{taken.job}:{taken.source}", node, taken.name, "input_calc")
        elif taken.path is not None:
            key = archive.add(
                Node(
                    f"taken:{taken.sha256}",
                    "data.core.singlefile.SinglefileData.",
                    taken.name,
                    job.created_at,
                    job.created_at,
                    {"filename": taken.name},
                    files={taken.name: archive.keep(taken.path, taken.sha256)},
                    person=job.person,
                    description=f"imported: {taken.source} of job {taken.job}" if taken.job else "imported: uploaded",
                )
            )
            archive.link(key, node, taken.name, "input_calc")


def _outputs(archive: Archive, job: JobRecord, node: str, top: str) -> None:
    ended = job.ended_at or job.created_at
    kept = [file for file in job.files if file.role not in ("deck", "script") and file.path is not None]
    plain = [file for file in kept if taken_role(file.name) == ""]
    retrieved = archive.add(
        Node(
            f"retrieved:{job.id}",
            "data.core.folder.FolderData.",
            "retrieved",
            ended,
            ended,
            {},
            files={file.name: archive.keep(file.path, file.sha256) for file in plain if file.path is not None},
            person=job.person,
        )
    )
    archive.link(node, retrieved, "retrieved", "create")
    for file in kept:
        if taken_role(file.name) and file.path is not None:
            single = archive.add(
                Node(
                    f"file:{job.id}:{file.name}",
                    "data.core.singlefile.SinglefileData.",
                    file.name,
                    ended,
                    ended,
                    {"filename": file.name},
                    files={file.name: archive.keep(file.path, file.sha256)},
                    person=job.person,
                )
            )
            archive.link(node, single, taken_role(file.name), "create")
    if job.results:
        numbers = {output: dict(results_of_output) for output, results_of_output in job.results.items()}
        results = _dict(archive, f"results:{job.id}", "results", numbers, ended, job.person)
        archive.link(node, results, "output_parameters", "create")
        archive.link(top, results, f"{job.step or 'job'}_{job.number + 1}_results", "return")
    structure = _structure(archive, job, ended)
    if structure:
        archive.link(node, structure, "output_structure", "create")


_PASSED = {"fort.9": "output_wavefunction", "fort.34": "output_geometry", "OPTINFO.DAT": "output_restart",
           "FREQINFO.DAT": "output_restart", "fort.20": "output_guess", "fort.13": "output_density",
           "fort.98": "output_wavefunction_text"}  # fmt: skip


def taken_role(name: str) -> str:
    """The label of a file that other jobs can read, which becomes a separate node; empty for all others."""
    return _PASSED.get(name, "")


def _structure(archive: Archive, job: JobRecord, moment: datetime) -> str:
    """The last geometry that the output shows, of crystals whose cell is printed."""
    geometry = job.main_results.get("geometry") or {}
    cell, atoms = geometry.get("primitive_cell"), geometry.get("atoms") or []
    if not cell or len(cell) != 6 or not atoms or job.main_results.get("dimensionality") not in (3, None):
        return ""
    lattice = _lattice(cell)
    sites, kinds = [], {}
    for atom in atoms:
        number = int(atom["number"]) % 100
        if not 1 <= number < len(SYMBOLS):
            return ""
        symbol = SYMBOLS[number]
        kinds[symbol] = {"symbols": [symbol], "weights": [1.0], "mass": float(atomic_masses[number]), "name": symbol}
        fractions = (float(atom["x"]), float(atom["y"]), float(atom["z"]))
        place = [sum(fractions[row] * lattice[row][axis] for row in range(3)) for axis in range(3)]
        sites.append({"position": place, "kind_name": symbol})
    attributes = {
        "cell": lattice,
        "pbc1": True,
        "pbc2": True,
        "pbc3": True,
        "kinds": list(kinds.values()),
        "sites": sites,
    }
    return archive.add(
        Node(
            f"structure:{job.id}",
            "data.core.structure.StructureData.",
            "structure",
            moment,
            moment,
            attributes,
            person=job.person,
        )
    )


def _lattice(cell: Sequence[float]) -> list[list[float]]:
    """Vectors in Å of a cell a, b, c, α, β, γ; the first along x, the second in the plane of x and y."""
    a, b, c = cell[:3]
    alpha, beta, gamma = (radians(angle) for angle in cell[3:])
    x = cos(beta)
    y = (cos(alpha) - cos(beta) * cos(gamma)) / sin(gamma)
    return [[a, 0.0, 0.0], [b * cos(gamma), b * sin(gamma), 0.0], [c * x, c * y, c * sqrt(max(0.0, 1 - x * x - y * y))]]
