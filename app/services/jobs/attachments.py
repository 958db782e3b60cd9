"""Files attached to a job: from earlier jobs of the lab, or uploaded. A reference names a file; here it is looked up."""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.crystal.decks.facts import Supplies
from app.crystal.decks.guesses import basis_name, has_main_deck, same_basis
from app.crystal.files import staged_fault, written_beside
from app.db.repositories import jobs, library
from app.db.sessions import ReadSession
from app.db.tables import Job, JobAttachment, RemoteJob, StoredFile
from app.domain.people.credentials import CredentialKey
from app.domain.people.permissions import Actor, require
from app.domain.templates.answers import FILE_REFERENCE
from app.domain.templates.fields import FieldSpec
from app.errors import FieldError, InvalidInput
from app.library.kept import find
from app.runners.base import Attached
from app.services.clusters.remote_accounts import Account
from app.services.context import Context
from app.services.people.quotas import admit_upload
from app.workers.pool import Workers

MAX_GEOMETRY = 4_000_000
_SURE_OF_FERMI_ENERGIES = 3
"""Results of older schemas may hold a Fermi energy that a level shifter altered, or that of another geometry."""
MAX_UPLOAD = 16 << 20


@dataclass(frozen=True)
class NamedFile:
    """A file that a field names, and the job that it is from."""

    spec: FieldSpec
    source: str
    path: Path
    sha256: str
    size: int
    job: Job | None = None


@dataclass(frozen=True)
class Gathered:
    """What the file fields of one form name."""

    files: list[NamedFile] = field(default_factory=list)
    wrong: list[FieldError] = field(default_factory=list)
    supplies: Supplies = field(default_factory=Supplies)

    async def errors(self, workers: Workers, user: int, rendering: Any, *, patient: bool = False) -> list[FieldError]:
        """What is wrong with the files that these answers really use."""
        used = rendering.values.keys()
        errors = [error for error in self.wrong if error.field in used]
        taken = written_beside(rendering.decks)
        for file in self.files:
            if file.spec.key not in used:
                continue
            if reason := staged_fault(file.spec.staged_as, taken):
                reason = f"{file.spec.staged_as!r} {reason}"
            elif file.job is not None:
                unfit = _unfit(file, file.job, rendering)
                if unfit is None:
                    unfit = await workers.run(user, same_basis, rendering.decks, file.job.decks, patient=patient)
                reason = unfit
            if reason:
                errors.append(FieldError(file.spec.key, reason, file.source))
            taken.append(file.spec.staged_as)
        return errors

    def rows(self, job_id: str, values: Mapping[str, Any]) -> list[JobAttachment]:
        """Rows that record the attached files of a job; only those of fields that the answers kept."""
        return [
            JobAttachment(
                job_id=job_id,
                field=file.spec.key,
                name=file.spec.staged_as,
                sha256=file.sha256,
                size=file.size,
                source=file.source,
            )
            for file in self.files
            if file.spec.key in values
        ]


async def gather(context: Context, actor: Actor, template_id: str, raw: Mapping[str, Any]) -> Gathered:
    """The files that a template's answers name; what is wrong with them is told when the answers are used."""
    specs = [spec for spec in context.templates.get(template_id).spec.needs if raw.get(spec.key)]
    if not specs:
        return Gathered()
    require(actor, "job.read")
    files, wrong, contents = [], [], {}
    fermi, doubt, basis, decks = None, "", "", dict[str, str]()
    async with context.database.read() as session:
        for spec in specs:
            file = await _find(context, session, spec, str(raw[spec.key]))
            if isinstance(file, FieldError):
                wrong.append(file)
                continue
            files.append(file)
            if spec.role == "geometry" and file.size <= MAX_GEOMETRY:
                contents[spec.key] = await asyncio.to_thread(file.path.read_bytes)
            if file.job is not None and spec.staged_as == "fort.9":
                fermi, doubt = await _fermi_energy(session, file.job.id)
                decks = file.job.decks
    if decks:
        basis = await context.workers.run(actor.user_id, basis_name, decks, patient=True)
    return Gathered(files, wrong, Supplies(files=contents, fermi_energy=fermi, fermi_energy_doubt=doubt, basis=basis))


async def _find(context: Context, session: ReadSession, spec: FieldSpec, reference: str) -> NamedFile | FieldError:
    if not FILE_REFERENCE.fullmatch(reference):
        return FieldError(spec.key, "must name a file as job:<id>/<name> or upload:<sha256>/<name>", reference[:80])
    kind, _, rest = reference.partition(":")
    owner, _, name = rest.partition("/")
    if kind == "upload":
        stored = await library.stored_file(session, owner)
        path = upload_path(context, owner)
        if stored is None or not path.is_file():
            return FieldError(spec.key, "names an upload that is not here", reference[:80])
        return NamedFile(spec, reference, path, stored.sha256, stored.size)
    job, row = await jobs.get(session, owner), await jobs.file(session, owner, name)
    if job is None or row is None:
        return FieldError(spec.key, f"names {name}, which job {owner} does not have here", reference[:80])
    if spec.accept and not any(fnmatch.fnmatch(name, pattern) for pattern in spec.accept):
        return FieldError(spec.key, f"must be {' or '.join(spec.accept)}", reference[:80])
    if kept := find(context.job_folder(owner), name):
        return NamedFile(spec, reference, kept.folder / kept.name, row.sha256, row.size, job)
    return FieldError(spec.key, f"names {name} of job {owner}, whose content is gone", reference[:80])


async def _fermi_energy(session: ReadSession, job_id: str) -> tuple[float | None, str]:
    """Hartree; else why the job's outputs do not tell it."""
    doubt = ""
    for result in await jobs.results(session, job_id):
        if result.results.get("schema_version", 0) < _SURE_OF_FERMI_ENERGIES:
            doubt = "its results are being read again by this release, try in a minute"
        elif (energy := result.results.get("fermi_energy")) is not None:
            return float(energy), ""
        elif why := result.results.get("fermi_energy_doubt"):
            doubt = str(why)
    return None, doubt


def _unfit(file: NamedFile, parent: Job, rendering: Any) -> str | None:
    """Why a wave function of `parent` cannot be read by this deck; empty: nothing speaks against it; None: see the decks."""
    if file.size == 0:
        return "is an empty file"
    if file.spec.role != "wavefunction" or not has_main_deck(parent.decks):
        return ""
    if not has_main_deck(rendering.decks):
        # Only properties: the answers here say which path and which atoms are meant.
        same = [key for key in ("system", "space_group", "layer_group") if key in rendering.values]
        other = [key for key in same if parent.parameters.get(key, rendering.values[key]) != rendering.values[key]]
        return f"belongs to a job with another {other[0].replace('_', ' ')}" if other else ""
    return None


# -- on the way to the cluster ---------------------------------------------------------------------------------------------


async def attached_files(
    context: Context, session: ReadSession, rows: Sequence[Job], accounts: Mapping[str, Account]
) -> dict[str, list[Attached]]:
    """What jobs take along, by job id: where it lies here and, if the same credential submitted its job, on the cluster.

    Args:
        accounts: where each of the jobs goes, by its id.
    """
    attachments = await library.attachments_of(session, [job.id for job in rows])
    if not attachments:
        return {}
    sources = {source for listed in attachments.values() for row in listed if (source := _source(row)[0])}
    parents = await jobs.get_all(session, list(sources))
    remotes = await jobs.remotes(session, sources)
    by_id = {job.id: job for job in rows}
    files: dict[str, list[Attached]] = {}
    for job_id, listed in attachments.items():
        job = by_id[job_id]
        for row in listed:
            parent_id, name = _source(row)
            remote, parent = "", parents.get(parent_id)
            there = remotes.get(parent_id)
            if parent is not None and there is not None and _same_credential(accounts[job.id].key, parent, there):
                remote = f"{there.directory}/{name}"
            files.setdefault(job_id, []).append(Attached(row.name, row.sha256, attached_path(context, row), remote))
    return files


def _same_credential(key: CredentialKey, parent: Job, there: RemoteJob) -> bool:
    """Whether what a job left on its cluster may be copied there. Elsewhere a path means what another account likes."""
    return (parent.cluster_id, there.credential_id, there.account) == (key.cluster_id, key.credential_id, key.username)


def _source(row: JobAttachment) -> tuple[str, str]:
    """The job that a file is from (empty: it was uploaded) and its name there."""
    kind, _, rest = row.source.partition(":")
    owner, _, name = rest.partition("/")
    return owner if kind == "job" else "", name


def attached_path(context: Context, row: JobAttachment) -> Path:
    """Where the bytes of an attached file lie here."""
    parent_id, name = _source(row)
    return _kept(context, parent_id, name) if parent_id else upload_path(context, row.sha256)


def _kept(context: Context, job_id: str, name: str) -> Path:
    folder = context.job_folder(job_id)
    kept = find(folder, name)
    return kept.folder / kept.name if kept else folder / "files" / name


# -- uploads ---------------------------------------------------------------------------------------------------------------


def upload_path(context: Context, sha256: str) -> Path:
    """Where the content of an uploaded file is kept."""
    return context.settings.data / "uploads" / sha256[:2] / sha256


async def keep_upload(context: Context, actor: Actor, name: str, data: bytes) -> str:
    """Keep a file under its checksum; returns the reference by which a field names it.

    Raises:
        InvalidInput: it is empty, too large, or has an impossible name.
        LimitReached, QuotaExceeded: its owner has uploaded, or keeps, as much as one person may.
    """
    require(actor, "job.create")
    plain = name.replace("\\", "/").rpartition("/")[2].strip()[:100]
    if not data or len(data) > MAX_UPLOAD:
        reason = "is empty" if not data else f"is larger than {MAX_UPLOAD >> 20} MiB"
        raise InvalidInput(
            f"The file {plain!r} {reason}.",
            hint="Attach a file of an earlier job instead.",
            fields=[FieldError("file", reason, plain)],
        )
    if not plain or not plain.isprintable() or plain in (".", ".."):
        raise InvalidInput(
            "The file has no usable name.", hint="Rename it.", fields=[FieldError("file", "has no name")]
        )
    sha256 = hashlib.sha256(data).hexdigest()
    await admit_upload(context, actor, len(data))
    await asyncio.to_thread(_write, upload_path(context, sha256), data)
    async with context.database.write() as session:
        if await library.stored_file(session, sha256) is None:
            session.add(StoredFile(sha256=sha256, name=plain, size=len(data), owner_id=actor.user_id))
    return f"upload:{sha256}/{plain.replace(' ', '_')}"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


async def offers(context: Context, actor: Actor, specs: Sequence[FieldSpec]) -> dict[str, list[tuple[str, str]]]:
    """Files that fit each field, newest first: reference and words."""
    if not specs:
        return {}
    require(actor, "job.read")
    by_field: dict[str, list[tuple[str, str]]] = {}
    async with context.database.read() as session:
        names: Collection[str] = {name for spec in specs for name in spec.accept if "*" not in name}
        rows = await jobs.with_files(session, names, 200)
        uploads = await library.stored_by(session, actor.user_id)
    for spec in specs:
        listed = [
            (f"job:{job.id}/{name}", f"{name} of {job.name}, {job.created_at:%d %b %Y}")
            for job, name in rows
            if not spec.accept or any(fnmatch.fnmatch(name, pattern) for pattern in spec.accept)
        ][:30]
        if spec.role == "geometry":
            listed += [
                (f"upload:{row.sha256}/{row.name.replace(' ', '_')}", f"{row.name}, uploaded") for row in uploads
            ]
        by_field[spec.key] = listed
    return by_field
