"""The test of a cluster: everything that a job will need, step by step, as a report for its page and the command line."""

from __future__ import annotations

import asyncio
import re
import secrets
import tempfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

from app.crystal.outputs.reader import read_output
from app.db.repositories import clusters
from app.db.tables import now
from app.domain.people.permissions import Actor, require
from app.domain.templates.releases import release_of
from app.errors import CrystalDeckError, RemoteFailure
from app.events.model import Topic
from app.events.outbox import announce
from app.runners.base import BaseRunner
from app.runners.batch_systems import Check, step
from app.services.clusters.access import concerns_everybody, lasting, note_problem, runner_for
from app.services.clusters.host_trust import endpoints
from app.services.clusters.registry import ClusterView, get, keep_partitions, keep_program
from app.services.clusters.remote_accounts import Account, account_of
from app.services.context import Context
from app.transport.host_keys import fingerprint
from app.transport.ssh import SSHTransport


async def test_cluster(context: Context, actor: Actor, name: str) -> list[Check]:
    """Check everything that a job will need; stops at the first step without which the next makes no sense.

    Raises:
        NotFound: no such cluster.
    """
    require(actor, "cluster.use")
    view = await get(context, actor, name)
    checks = await _check_steps(context, actor, view)
    async with context.database.write() as session:
        row = await clusters.by_name(session, name)
        assert row is not None
        row.report, row.reported_at = [check.as_dict() for check in checks], now()
        session.add(row)
        announce(session, Topic.CLUSTER, name)
    return checks


async def _check_steps(context: Context, actor: Actor, view: ClusterView) -> list[Check]:
    checks: list[Check] = []
    stage, account = "login", None
    try:
        account = await account_of(context, view.cluster, actor.user_id)
        if not account.is_local:
            stage = "reachable"
            context.pool.ask_again(account.key)
            target, _ = await endpoints(context, account)
            checks.append(Check("reachable", True, f"{target.hostname}:{target.port} answers"))
            checks.append(Check("host key", True, fingerprint(target.host_key)))
            stage = "login"
        runner = await runner_for(context, account)
        checks.append(Check("login", True, runner.transport.where))
        stage = "commands"
        checks += await _probe_account(context, account)
        checks += await _probe_copies(context, runner)
        checks += await _probe_program(context, account)
        checks += await _probe_scheduler(runner)
        await keep_partitions(context, account.cluster, await runner.partitions())
        await note_problem(context, account.cluster, "")
    except CrystalDeckError as error:
        name = {"host-key-unknown": "host key", "host-key-changed": "host key", "login-refused": "login"}.get(
            error.code, stage
        )
        checks.append(Check(name, False, error.sentence))
        # A member's own key that is refused is no trouble of the cluster.
        if account is not None and concerns_everybody(account, error):
            await note_problem(context, account.cluster, f"{name}: {lasting(error).sentence}")
    return checks


async def _probe_account(context: Context, account: Account) -> list[Check]:
    runner = await runner_for(context, account)
    settings = account.settings
    programs = [command.split()[0] for command in (settings.crystal, settings.properties) if command.split()]
    # Start-up files that print would break a naive client; here it is only worth a remark.
    done = await runner.transport.run(step("probe_account"), [settings.workdir, settings.setup, *programs])
    checks = [Check("commands", done.status == 0, "standard output is read after a marker, noise is ignored")]
    for line in done.text.splitlines():
        name, _, rest = line.partition("\t")
        word, _, detail = rest.partition("\t")
        if name in ("workdir", "program"):
            checks.append(Check(name, word == "ok", f"{settings.workdir}: {detail}" if name == "workdir" else detail))
    return checks


async def _probe_copies(context: Context, runner: BaseRunner) -> list[Check]:
    """Does a file go there and come back as it was? And may jobs push their changes?"""
    folder = context.settings.data / "tmp"
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        told = await _round_trip(runner, Path(place), f".crystaldeck-test-{secrets.token_hex(8)}")
    checks = [Check("large files", not told, told or "1 MB went there and came back unchanged")]
    if isinstance(runner.transport, SSHTransport):
        two = await runner.transport.allows_two()
        checks.append(Check("events", True, "jobs push their changes" if two else _ONE_SESSION))
    return checks


async def _round_trip(runner: BaseRunner, place: Path, name: str) -> str:
    """What is wrong with the ways of large files; empty: nothing."""
    data, workdir = secrets.token_bytes(1 << 20), runner.settings.workdir
    (place / "sent").write_bytes(data)
    try:
        await runner.transport.upload(place / "sent", workdir, name)
        await runner.transport.download(workdir, name, place / "back", len(data))
        if (place / "back").read_bytes() != data:
            return "1 MB came back changed: something between here and the disk alters what passes."
    except RemoteFailure as error:
        return error.sentence
    finally:
        await runner.transport.run(step("remove_probe"), [workdir, name])
    return ""


_ONE_SESSION = "one session per connection (MaxSessions 1): jobs cannot push their changes, they are polled"


async def _probe_scheduler(runner: BaseRunner) -> list[Check]:
    """Does the batch system answer? Where it does not, it is looked for in a login shell too: that is a setting."""
    checks, transport = await runner.probe(), runner.transport
    if all(check.ok for check in checks) or runner.settings.login_shell or not isinstance(transport, SSHTransport):
        return checks
    try:
        in_login_shell = await type(runner)(transport.in_login_shell(), runner.settings).probe()
    except CrystalDeckError:
        return checks
    found = {check.name for check in in_login_shell if check.ok}
    return [
        replace(check, detail=f"{check.detail} {_IN_LOGIN_SHELL}") if not check.ok and check.name in found else check
        for check in checks
    ]


_IN_LOGIN_SHELL = "It is found in a login shell: set login_shell = true for this cluster."


async def _probe_program(context: Context, account: Account) -> list[Check]:
    """Which CRYSTAL it is, by its own banner. A wrapper script is not run: it might submit something."""
    words = account.settings.crystal.split()
    if len(words) != 1 or not _PROGRAM.fullmatch(PurePosixPath(words[0]).name):
        return [Check("release", True, "not read from a wrapper; the outputs of jobs will tell it")]
    runner = await runner_for(context, account)
    done = await runner.transport.run(step("probe_program"), [account.settings.setup, words[0]], timeout=60)
    program = read_output(done.stdout[:_BANNER]).program_version or ""
    if release_of(program) is None:
        return [Check("release", True, "the program did not tell it here; the outputs of jobs will")]
    async with context.database.write() as session:
        row = await clusters.by_name(session, account.cluster)
        if row is not None:
            await keep_program(session, row.id, program)
    return [Check("release", True, program)]


_PROGRAM = re.compile(r"(?:MPP|P)?crystal(?:OMP)?(?:\d\d)?(?:\.(?:x|exe))?", re.IGNORECASE)
"""Names of CRYSTAL's own executables."""
_BANNER = 16_000
"""Bytes of the output in which the banner stands."""


async def test_in_background(context: Context, actor: Actor, name: str) -> None:
    """Start a test; the page shows its report once it is there.

    Raises:
        NotFound: no such cluster.
    """
    await get(context, actor, name)
    require(actor, "cluster.use")
    task = asyncio.create_task(test_cluster(context, actor, name), name=f"test of {name}")
    _running.add(task)
    task.add_done_callback(_running.discard)


_running: set[asyncio.Task[list[Check]]] = set()


async def stop_tests() -> None:
    """End the tests that are still going on, when the service stops."""
    for task in _running:
        task.cancel()
    await asyncio.gather(*_running, return_exceptions=True)
