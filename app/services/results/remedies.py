"""Why a job failed, and what to do: advice, and changes that the composer can apply. Nothing runs again by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.crystal.decks import remedies
from app.crystal.decks.remedies import REMEDIES, Change
from app.crystal.outputs.diagnosis import BY_CODE
from app.db.repositories import jobs
from app.db.tables import Job, JobFile, JobResult
from app.domain.people.permissions import Actor
from app.domain.resources import Resources
from app.domain.states import JobState
from app.domain.templates.metadata import TemplateSpec
from app.domain.verdict import Ending, ending_of
from app.errors import NotFound
from app.services.catalogue.templates import refresh
from app.services.context import Context
from app.services.jobs.outputs import job_of

BATCH_ENDS = {Ending.TIMEOUT: remedies.TIMEOUT, Ending.MEMORY: remedies.MEMORY, Ending.NODE: "node"}
"""Ends that the scheduler tells, by their codes in the catalogue."""


LABELS = {"walltime": "Time limit", "memory_mb": "Memory / MiB"}


@dataclass(frozen=True)
class Difference:
    """A parameter or resource that a remedy changes, in words."""

    name: str
    label: str
    before: str
    after: str


@dataclass(frozen=True)
class Offer:
    """A remedy that fits a job, with everything that it would change."""

    name: str
    change: Change
    differences: list[Difference]


@dataclass(frozen=True)
class Remedies:
    """What the catalogue says of a job's end."""

    code: str = ""
    meaning: str = ""
    advice: tuple[str, ...] = ()
    offers: list[Offer] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As the REST service answers it."""
        return {
            "code": self.code, "meaning": self.meaning, "advice": list(self.advice),
            "remedies": [
                {
                    "name": offer.name, "words": offer.change.words, "parameters": offer.change.parameters,
                    "resources": offer.change.resources,
                }
                for offer in self.offers
            ],
        }  # fmt: skip


def files_left(job_id: str, files: Sequence[JobFile]) -> dict[str, str]:
    """References of the files that a job left, by name; an empty file is none."""
    return {file.name: f"job:{job_id}/{file.name}" for file in files if file.size > 0}


def code_of(job: Job, results: Sequence[JobResult]) -> str:
    """What the catalogue calls the end of a job: the scheduler's word, else what the calculation said."""
    ending = ending_of(job.reason)
    if ending in BATCH_ENDS:
        return BATCH_ENDS[ending]
    return next((str(code) for row in results if (code := row.results.get("diagnosis_code"))), "")


async def remedies_of(context: Context, actor: Actor, job_id: str) -> Remedies:
    """
    Raises:
        NotFound: no such job.
    """
    job = await job_of(context, actor, job_id, whole=True)
    async with context.database.read() as session:
        results, files = await jobs.results(session, job_id), await jobs.files(session, job_id)
    await refresh(context)
    return shown(context, job, results, files)


def shown(context: Context, job: Job, results: Sequence[JobResult], files: Sequence[JobFile]) -> Remedies:
    """What is offered for a failed job; nothing for any other."""
    if job.state != JobState.FAILED:
        return Remedies()
    code = code_of(job, results)
    signature = BY_CODE.get(code)
    try:
        template = context.templates.get(job.template_id).spec
    except NotFound:
        template = None
    offers = _offers(job, template, code, files_left(job.id, files)) if template and code else []
    return Remedies(code, signature.meaning if signature else "", signature.advice if signature else (), offers)


def _offers(job: Job, template: TemplateSpec, code: str, files: Mapping[str, str]) -> list[Offer]:
    found = []
    for name in REMEDIES:
        change = remedies.apply(name, code, template, job.parameters, job.resources, files)
        if change is not None:
            found.append(Offer(name, change, differences(template, job, change)))
    return found


def differences(template: TemplateSpec, job: Job, change: Change) -> list[Difference]:
    """Each changed parameter and resource with its value before and after."""
    fields = {one.key: one for one in template.fields}
    found = [
        Difference(
            key, fields[key].label, fields[key].as_text(job.parameters.get(key, fields[key].default)) or "–",
            fields[key].as_text(value) or "–",
        )
        for key, value in change.parameters.items()
    ]  # fmt: skip
    asked = {**job.resources, "walltime": Resources(**job.resources).walltime}
    return found + [
        Difference(key, LABELS.get(key, key), str(asked.get(key) or "–"), str(value))
        for key, value in change.resources.items()
    ]


async def offer(context: Context, actor: Actor, job_id: str, name: str) -> Offer:
    """The remedy of this name for a job.

    Raises:
        NotFound: it does not fit the job's end.
    """
    found = await remedies_of(context, actor, job_id)
    for one in found.offers:
        if one.name == name:
            return one
    raise NotFound(
        f"The remedy {name[:40]!r} does not fit job {job_id}.",
        hint=f"Fitting: {', '.join(one.name for one in found.offers) or 'none'}.",
    )
