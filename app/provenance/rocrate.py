"""RO-Crate 1.1 with the profile Provenance Run Crate 0.5: https://w3id.org/ro/wfrun/provenance/0.5.

The workflow is the main entity; each job is a CreateAction of its program, each step a HowToStep, and control actions tie the
two together. Files carry their sha256; values that passed between steps are PropertyValues.

rocrate keeps the entities and writes the metadata. What a run is in the terms of the profile is said here, since rocrate has
no model of it; and the files are only named here: whoever sends the crate streams them, without a copy and with its own care
about links, which rocrate's zip does not have.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from app.provenance.records import FileRecord, JobRecord, RunRecord, Source, folder_of

TERMS = {
    name: f"https://w3id.org/ro/terms/workflow-run#{name}"
    for name in ("ParameterConnection", "connection", "sourceParameter", "targetParameter", "sha256", "resourceUsage")
}
WORKFLOW_PROFILE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    WORKFLOW_PROFILE: "Workflow RO-Crate",
}
WORKFLOW_FILE = "workflow.toml"
LICENSE = "All rights reserved by the authors, unless they say otherwise."
_STATUS = {"completed": "CompletedActionStatus", "failed": "FailedActionStatus", "cancelled": "FailedActionStatus"}
_TYPES = {".d12": "text/plain", ".d3": "text/plain", ".out": "text/plain", ".outp": "text/plain", ".DAT": "text/plain"}

Entity = Any
"""An entity of rocrate, which has no types. It is loaded when a crate is written: that takes half a second, and `requests`."""
Properties = dict[str, Any]


def _ref(identifier: str) -> dict[str, str]:
    return {"@id": identifier}


def _moment(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


class Crate:
    """A crate with its entities, each once, and where the bytes of its files are."""

    def __init__(self, run: RunRecord) -> None:
        from rocrate.rocrate import ROCrate

        self.run = run
        self.files: dict[str, Source] = {}
        self.root = ROCrate(version="1.1")
        self.root.metadata.extra_terms.update(TERMS)

    def add(self, properties: Properties) -> Entity:
        """The entity with this `@id`, made where it is new; what is not known is left out."""
        from rocrate.model.contextentity import ContextEntity

        identifier = properties["@id"]
        return self.root.get(identifier) or self.root.add(ContextEntity(self.root, identifier, _known_of(properties)))

    def add_file(self, name: str, source: Source, properties: Properties) -> Entity:
        """A file of the crate: `properties` as for other entities, the `@id` is its name."""
        self.files[name] = source
        return self.root.get(quote(name)) or self.root.add_file(dest_path=name, properties=_known_of(properties))

    @property
    def metadata(self) -> bytes:
        """The bytes of ro-crate-metadata.json."""
        return json.dumps(self.root.metadata.generate(), indent=2, ensure_ascii=False).encode()


def _known_of(properties: Properties) -> Properties:
    return {key: value for key, value in properties.items() if value not in (None, "", [], {})}


def write_crate(run: RunRecord) -> dict[str, Source]:
    """All members of the crate, by name: `ro-crate-metadata.json`, the workflow, and the files of the jobs."""
    crate = Crate(run)
    person = crate.add({"@id": f"#person-{run.person}", "@type": "Person", "name": run.person})
    engine = crate.add(
        {
            "@id": "#crystaldeck",
            "@type": "SoftwareApplication",
            "name": run.software,
            "softwareVersion": run.software.rpartition(" ")[2],
        }
    )
    tools = {job.id: _tool(crate, job) for job in run.jobs}
    actions = {job.id: _action(crate, job, tools[job.id]) for job in run.jobs}
    steps = _steps(crate, run, tools, actions)
    workflow = _workflow(crate, run, tools, steps)
    inputs, outputs = _formal(crate, run)
    left = [_ref(quote(f"{folder_of(job)}/{file.name}")) for job in run.jobs for file in job.files if file.path]
    whole = crate.add(
        {
            "@id": f"#run-{run.id}",
            "@type": "CreateAction",
            "name": f"Run {run.name} of {run.title}",
            "instrument": workflow,
            "agent": person,
            "startTime": _moment(run.created_at),
            "endTime": _moment(run.ended_at),
            "actionStatus": _status(run.state),
            "error": run.remark if run.state == "failed" else None,
            "object": inputs,
            "result": outputs + left,
        }
    )
    _organize(crate, run, engine, whole, actions)
    mentions = [whole, *actions.values()]
    _describe(crate, run, {"author": person, "mainEntity": workflow, "mentions": mentions})
    return {"ro-crate-metadata.json": crate.metadata, **crate.files}


def _describe(crate: Crate, run: RunRecord, more: Properties) -> None:
    """What the crate is as a whole, and which profiles it keeps."""
    profiles = [
        crate.add({"@id": profile, "@type": "CreativeWork", "name": name, "version": profile.rpartition("/")[2]})
        for profile, name in PROFILES.items()
    ]
    described = {
        "name": f"{run.title}: {run.name}",
        "description": run.description
        or f"A run of the workflow {run.workflow}, with its calculations and their files.",
        "datePublished": _moment(run.ended_at or run.created_at),
        "license": LICENSE,
        "conformsTo": profiles,
        **more,
    }
    for key, value in described.items():
        crate.root.root_dataset[key] = value
    crate.root.metadata["conformsTo"] = [_ref(crate.root.metadata.profile), _ref(WORKFLOW_PROFILE)]


def _status(state: str) -> dict[str, str] | None:
    known = _STATUS.get(state)
    return _ref(f"http://schema.org/{known}") if known else None


# -- one job ---------------------------------------------------------------------------------------------------------------


def _tool(crate: Crate, job: JobRecord) -> Entity:
    """The program that a job ran with the template that wrote its deck."""
    name = f"{job.program}{' (preview engine, not CRYSTAL)' if job.is_preview else ''}"
    return crate.add(
        {
            "@id": quote(f"#tool-{job.template}-{name.replace(' ', '-')}", safe="#"),
            "@type": "SoftwareApplication",
            "name": f"{name}, template {job.template}",
            "softwareVersion": job.main_results.get("program_version"),
            "description": f"Decks written by the template {job.template}, revision {job.revision[:12]}.",
        }
    )


def _action(crate: Crate, job: JobRecord, tool: Entity) -> Entity:
    person = crate.add({"@id": f"#person-{job.person}", "@type": "Person", "name": job.person})
    inputs = [_file(crate, job, file) for file in job.files if file.role in ("deck", "script")]
    inputs += [_taken(crate, job, name) for name in range(len(job.taken))]
    inputs += [_value(crate, f"#{job.id}-parameter-{key}", key, value) for key, value in job.parameters.items()]
    left = [_file(crate, job, file) for file in job.files if file.role not in ("deck", "script")]
    left += [
        _value(crate, f"#{job.id}-{output}-{key}", key, value)
        for output, results in job.results.items()
        for key, value in results.items()
        if key in ("energy_total", "gap_ev", "verdict", "program_version") and value is not None
    ]
    usage = [
        _value(crate, f"#{job.id}-resource-{key}", key, value, key)
        for key, value in job.resources.items()
        if value not in (None, "", 0)
    ]
    return crate.add(
        {
            "@id": f"#job-{job.id}",
            "@type": "CreateAction",
            "name": job.name,
            "instrument": tool,
            "agent": person,
            "description": f"Job {job.scheduler_id} on {job.cluster}: {job.reason}",
            "startTime": _moment(job.started_at or job.created_at),
            "endTime": _moment(job.ended_at),
            "actionStatus": _status(job.state),
            "error": job.reason if job.state == "failed" else None,
            "object": [entry for entry in inputs if entry],
            "result": [entry for entry in left if entry],
            "resourceUsage": usage,
        }
    )


def _file(crate: Crate, job: JobRecord, file: FileRecord) -> Entity | None:
    """A file of a job; one whose bytes are gone is left out."""
    if file.path is None:
        return None
    name = f"{folder_of(job)}/{file.name}"
    kind = _TYPES.get(file.path.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return crate.add_file(
        name,
        file.path,
        {
            "name": file.name,
            "contentSize": str(file.size),
            "sha256": file.sha256,
            "encodingFormat": kind,
            "description": file.role,
        },
    )


def _taken(crate: Crate, job: JobRecord, index: int) -> Entity | None:
    """A file that came from another job: that job's own file where it is in the crate, else a copy beside this one."""
    taken = job.taken[index]
    for other in crate.run.jobs:
        if other.id == taken.job:
            return next((_file(crate, other, file) for file in other.files if file.name == taken.source), None)
    if taken.path is None:
        return None
    name = f"{folder_of(job)}/inputs/{taken.name}"
    origin = f"from job {taken.job}, which is not part of this run" if taken.job else "uploaded"
    return crate.add_file(
        name,
        taken.path,
        {
            "name": taken.name,
            "contentSize": str(taken.size),
            "sha256": taken.sha256,
            "encodingFormat": "application/octet-stream",
            "description": f"{taken.source}, {origin}",
        },
    )


def _value(crate: Crate, identifier: str, name: str, value: Any, property_id: str = "") -> Entity:
    text = value if isinstance(value, (str, int, float, bool)) else json.dumps(value, default=str)
    return crate.add(
        {"@id": identifier, "@type": "PropertyValue", "name": name, "value": text, "propertyID": property_id or None}
    )


# -- the workflow ----------------------------------------------------------------------------------------------------------


def _steps(crate: Crate, run: RunRecord, tools: Mapping[str, Entity], actions: Mapping[str, Entity]) -> list[Entity]:
    """HowToSteps of the steps that had jobs, and control actions that tie them to their jobs."""
    entities = []
    for place, step in enumerate(run.steps):
        own = [job for job in run.jobs if job.step == step.name]
        if not own:
            continue
        entity = crate.add(
            {
                "@id": f"{WORKFLOW_FILE}#{step.name}",
                "@type": "HowToStep",
                "name": step.title,
                "position": str(place),
                "description": f"{step.does}: {step.state}. {step.message}".strip(),
                "workExample": tools[own[0].id],
            }
        )
        entities.append(entity)
        crate.add(
            {
                "@id": f"#control-{step.name}",
                "@type": "ControlAction",
                "name": f"Step {step.name}",
                "instrument": entity,
                "object": [actions[job.id] for job in own],
                "startTime": _moment(step.started_at),
                "endTime": _moment(step.ended_at),
            }
        )
    return entities


def _workflow(crate: Crate, run: RunRecord, tools: Mapping[str, Entity], steps: list[Entity]) -> Entity:
    language = crate.add(
        {"@id": "#toml", "@type": "ComputerLanguage", "name": "CrystalDeck workflow (TOML)", "url": "https://toml.io/"}
    )
    parts = list({tool.id: tool for tool in tools.values()}.values())
    inputs, outputs = _parameters(run)
    return crate.add_file(
        WORKFLOW_FILE,
        run.definition.encode(),
        {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": run.title,
            "version": run.version or None,
            "programmingLanguage": language,
            "encodingFormat": "application/toml",
            "step": steps,
            "hasPart": parts,
            "description": run.description,
            "input": [crate.add(parameter) for parameter in inputs],
            "output": [crate.add(parameter) for parameter in outputs],
        },
    )


def _parameters(run: RunRecord) -> tuple[list[Properties], list[Properties]]:
    """Formal parameters of the workflow, each with what it was in this run."""
    values = {**run.parameters, **run.inputs}
    inputs = [_formal_parameter("in", key) for key in values]
    return inputs, [_formal_parameter("out", key) for key, entry in run.outputs.items() if _known(entry) is not None]


def _formal_parameter(side: str, key: str) -> Properties:
    return {
        "@id": f"#{side}-{key}",
        "@type": "FormalParameter",
        "name": key,
        "additionalType": "PropertyValue",
        "workExample": _ref(f"#{side}-{key}-value"),
    }


def _known(entry: Any) -> Any:
    return entry.get("value") if isinstance(entry, Mapping) else entry


def _formal(crate: Crate, run: RunRecord) -> tuple[list[Entity], list[Entity]]:
    """The values of the formal parameters."""
    inputs = []
    for key, value in {**run.parameters, **run.inputs}.items():
        inputs.append(_example(crate, "in", key, value))
    outputs = [
        _example(crate, "out", key, _known(entry)) for key, entry in run.outputs.items() if _known(entry) is not None
    ]
    return inputs, outputs


def _example(crate: Crate, side: str, key: str, value: Any) -> Entity:
    text = value if isinstance(value, (str, int, float, bool)) and value != "" else json.dumps(value, default=str)
    return crate.add(
        {
            "@id": f"#{side}-{key}-value",
            "@type": "PropertyValue",
            "name": key,
            "value": text,
            "exampleOfWork": _ref(f"#{side}-{key}"),
        }
    )


def _organize(crate: Crate, run: RunRecord, engine: Entity, whole: Entity, actions: Mapping[str, Entity]) -> None:
    controls = [_ref(f"#control-{step.name}") for step in run.steps if any(job.step == step.name for job in run.jobs)]
    crate.add(
        {
            "@id": "#organize",
            "@type": "OrganizeAction",
            "name": f"{run.software} ran {run.workflow}",
            "instrument": engine,
            "result": whole,
            "object": controls,
            "startTime": _moment(run.created_at),
            "endTime": _moment(run.ended_at),
        }
    )
