"""Clusters come and go: read from the configuration, added, changed and removed by people.

Whatever is kept was checked, so that nothing breaks later. Jobs keep naming their cluster: one that was removed stays as a
row, and a new one of the same name is another machine with keys of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from app.db.repositories import clusters, credentials, jobs, workflows
from app.db.sessions import ReadSession
from app.db.tables import Cluster, now
from app.domain.names import CLUSTER_NAME
from app.domain.people.credentials import is_account_name
from app.domain.people.permissions import Actor, require
from app.domain.resources import read_resources
from app.errors import Conflict, FieldError, InvalidInput, NotAllowed
from app.events.model import Topic
from app.events.outbox import announce
from app.runners.batch_systems import RunnerType
from app.runners.registry import place_of, remote_types
from app.services.clusters.registry import usable_cluster
from app.services.clusters.remote_accounts import legible_settings, setting_errors
from app.services.context import Context
from app.settings import ClusterSettings

LOCAL_KEYS = ("key_path", "use_agent", "run_as")
"""Settings that reach into this server's own files and accounts; only its operator may give them."""
PLACE_KEYS = ("runner_type", "hostname", "username", "key_path", "use_agent", "workdir", "run_as")
"""Where jobs lie, and as whom they are looked after: fixed while there are any."""
log = logging.getLogger(__name__)


async def sync_configuration(context: Context) -> None:
    """Bring the `[clusters.<name>]` tables of the configuration into the database."""
    async with context.database.write() as session:
        for name, settings in context.settings.clusters.items():
            check_cluster(name, settings)
            row = await clusters.by_name(session, name) or Cluster(name=name)
            _forget_program(row, settings)
            _forget_keys(row, settings)
            row.settings = settings.model_dump(mode="json")
            session.add(row)


def check_cluster(name: str, settings: ClusterSettings) -> None:
    """Raise InvalidInput for a cluster that cannot be used."""
    errors = []
    if not CLUSTER_NAME.fullmatch(name):
        errors.append(FieldError("name", "must be 1–40 of a–z, 0–9, '_', '-'", name[:60]))
    place = place_of(settings.runner_type)
    if place.host is True and not settings.hostname:
        errors.append(FieldError("hostname", "must be given"))
    if place.host is False and settings.hostname:
        errors.append(FieldError("hostname", f"must be empty for a machine of type {place.name}", settings.hostname))
    if settings.run_as and settings.hostname:
        errors.append(
            FieldError("run_as", "is only for this server; give username for another machine", settings.run_as)
        )
    if (settings.key_path or settings.use_agent) and not settings.username:
        errors.append(FieldError("username", "must be given with key_path or use_agent"))
    if settings.username and not is_account_name(settings.username):
        errors.append(FieldError("username", "only letters, digits, '.', '_', '-', at most 64", settings.username[:60]))
    for preset, values in settings.presets.items():
        try:
            read_resources(dict(values))
        except InvalidInput as error:
            errors += [FieldError(f"presets.{preset}", f"{one.field} {one.reason}", one.value) for one in error.fields]
    if errors:
        raise InvalidInput(
            f"The cluster {name!r} cannot be used: " + "; ".join(f"{e.field} {e.reason}" for e in errors) + ".",
            hint="Correct the named keys; docs/user/remote-cluster.md has examples.",
            fields=errors,
        )


def read_settings(name: str, values: Mapping[str, Any], *, remote_only: bool) -> ClusterSettings:
    """Settings as a form, a notebook or the command line gives them; what is empty is as by default.

    Raises:
        InvalidInput: names each wrong key. NotAllowed: `remote_only`, and it would run or read something on this server.
    """
    try:
        settings = ClusterSettings.model_validate(
            {key: value for key, value in values.items() if value not in ("", None)}
        )
    except ValidationError as error:
        fields = setting_errors(error)
        raise InvalidInput(
            "The cluster's settings are wrong: " + "; ".join(f"{f.field} {f.reason}" for f in fields) + ".",
            hint="Correct the named fields.",
            fields=fields,
        ) from error
    check_cluster(name, settings)
    if remote_only and is_local(settings):
        raise NotAllowed(
            f"The cluster {name} would run commands or read keys on this server.",
            hint="Give a host name, and no key_path; the server's operator can add others in the configuration file.",
        )
    return settings


def is_local(settings: ClusterSettings) -> bool:
    """Whether it reaches into this server: only its operator changes such a one."""
    return not settings.hostname or any(getattr(settings, key) for key in LOCAL_KEYS)


async def add(
    context: Context, actor: Actor, name: str, values: Mapping[str, Any], *, remote_only: bool = False
) -> Cluster:
    """Add a cluster by page (`remote_only`: nothing that runs or reads on this server) or command line.

    Raises:
        InvalidInput, NotAllowed. Conflict: there is one of this name.
    """
    require(actor, "cluster.change")
    settings = read_settings(name, values, remote_only=remote_only)
    async with context.database.write() as session:
        if await clusters.by_name(session, name):
            raise Conflict(f"There is already a cluster {name}.", hint="Choose another name.")
        cluster = Cluster(name=name, settings=settings.model_dump(mode="json"))
        session.add(cluster)
        announce(session, Topic.CLUSTER, name)
    log.info("cluster %s was added by %s: %s", name, actor.name, settings.hostname or "this server")
    return cluster


async def edit(
    context: Context, actor: Actor, name: str, changes: Mapping[str, Any], *, remote_only: bool = False
) -> list[str]:
    """Change settings of a cluster; those that are not named stay, empty ones become as by default. Keys that changed.

    Raises:
        NotFound, InvalidInput, NotAllowed. Conflict: it is one of the configuration file, or jobs are there whose place
            would change.
    """
    require(actor, "cluster.change")
    async with context.database.write() as session:
        row = await _own(context, session, name)
        before, _ = legible_settings(row)
        if remote_only and is_local(before):
            raise NotAllowed(
                f"The cluster {name} runs commands or reads keys on this server.",
                hint=f"The server's operator can change it: crystaldeck cluster edit {name} --set …",
            )
        stored = row.settings if isinstance(row.settings, dict) else {}
        settings = read_settings(name, {**stored, **changes}, remote_only=remote_only)
        new = settings.model_dump(mode="json")
        changed = sorted(
            key for key, value in new.items() if stored.get(key, ClusterSettings.model_fields[key].default) != value
        )
        await _refuse_moving(session, row, before, settings)
        _forget_program(row, settings)
        _forget_keys(row, settings)
        row.settings, row.problem = new, ""
        session.add(row)
        announce(session, Topic.CLUSTER, name)
    log.info("cluster %s was changed by %s: %s", name, actor.name, ", ".join(changed) or "nothing")
    await context.pool.drop(row.id)
    context.nudge.set()
    return changed


async def remove(context: Context, actor: Actor, name: str) -> None:
    """Take a cluster away. Its jobs, their files and results stay and keep naming it; members' keys for it are thrown away.

    Raises:
        NotFound. Conflict: it is one of the configuration file, or jobs or runs have not ended.
    """
    require(actor, "cluster.change")
    async with context.database.write() as session:
        row = await _own(context, session, name)
        going = await jobs.count_unfinished_by_state(session, row.id)
        runs = await workflows.going_on(session, name)
        if going or runs:
            listed = ", ".join(f"{count} {state}" for state, count in sorted(going.items()))
            told = " and ".join(
                part for part in (f"jobs ({listed})" if going else "", f"{runs} runs" if runs else "") if part
            )
            raise Conflict(
                f"{name} cannot be removed: {told} have not ended.",
                hint="Wait for them, or cancel them; pause the cluster meanwhile, so that nothing new is submitted.",
            )
        row.removed_at, row.removed_by = now(), actor.name
        await credentials.forget_cluster(session, row.id)
        session.add(row)
        announce(session, Topic.CLUSTER, name)
    log.info("cluster %s was removed by %s", name, actor.name)
    await context.pool.drop(row.id)


@dataclass(frozen=True)
class SettingField:
    """One setting in a form."""

    key: str
    value: str
    help: str
    choices: tuple[str, ...] = ()
    long: bool = False


def offered_types() -> list[RunnerType]:
    """Batch systems of machines that a page may add: those that are reached over SSH."""
    return remote_types()


def form_fields(settings: ClusterSettings, typed: Mapping[str, str]) -> list[SettingField]:
    """The settings that a page may change, with what was typed in place of what is kept."""
    fields = []
    for key, spec in ClusterSettings.model_fields.items():
        if key in (*LOCAL_KEYS, "presets"):
            continue
        value = getattr(settings, key)
        choices: tuple[str, ...] = ("true", "false") if isinstance(value, bool) else ()
        if key == "runner_type":
            choices = tuple(kind.name for kind in offered_types())
        told = str(value).lower() if isinstance(value, bool) else str(value)
        fields.append(SettingField(key, typed.get(key, told), spec.description or "", choices, key == "setup"))
    return fields


def why_fixed(context: Context, name: str, settings: ClusterSettings) -> str:
    """Why a page cannot change a cluster; empty: it can."""
    if name in context.settings.clusters:
        return f"It is defined in the server's configuration file: its operator changes [clusters.{name}] there."
    if is_local(settings):
        return f"It runs or reads something on this server: its operator changes it by crystaldeck cluster edit {name}."
    return ""


async def _own(context: Context, session: ReadSession, name: str) -> Cluster:
    """A cluster that is kept in the database alone."""
    row = await usable_cluster(session, name)
    if name in context.settings.clusters:
        raise Conflict(
            f"{name} is defined in the server's configuration file.",
            hint=f"Its operator changes [clusters.{name}] there and restarts the service.",
        )
    return row


async def _refuse_moving(session: ReadSession, row: Cluster, before: ClusterSettings, after: ClusterSettings) -> None:
    """Raise Conflict where jobs would be looked for at another place than where they are."""
    moved = [key for key in PLACE_KEYS if getattr(before, key) != getattr(after, key)]
    count = await jobs.count_occupying(session, row.id) if moved else 0
    if count:
        raise Conflict(
            f"{count} job{'s are' if count > 1 else ' is'} on {row.name}: {', '.join(moved)} cannot be changed now.",
            hint="Wait until they have ended, or add the other machine under another name.",
            fields=[FieldError(key, "cannot be changed while jobs are there") for key in moved],
        )


def _forget_keys(row: Cluster, settings: ClusterSettings) -> None:
    """Another machine shows another host key: it is confirmed anew."""
    before = row.settings if isinstance(row.settings, dict) else {}
    if not before:
        return
    if (before.get("hostname"), before.get("port", 22)) != (settings.hostname, settings.port):
        row.host_key = row.offered_key = ""
    if before.get("proxy_jump", "") != settings.proxy_jump:
        row.proxy_host_key = row.offered_key = ""


def _forget_program(row: Cluster, settings: ClusterSettings) -> None:
    """Other set-up lines or another executable may be another CRYSTAL: the next test or output tells which."""
    before = row.settings if isinstance(row.settings, dict) else {}
    if any(before.get(key, "") != getattr(settings, key) for key in ("crystal", "setup")):
        row.program = ""
