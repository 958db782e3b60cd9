"""The `crystaldeck` command."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from app import __version__
from app.crystal.decks.checker import check_deck
from app.crystal.decks.reading import MAX_DECK, read_deck
from app.crystal.decks.rewriting import CannotRewrite, write_deck
from app.crystal.outputs.reader import OutputReader
from app.db import migrations
from app.domain.jobs import JobFilter
from app.domain.people.permissions import SCOPE_WORDS, Actor, Role, Scope
from app.errors import CrystalDeckError, InvalidInput
from app.library.archive.corpus import Entry
from app.library.archive.data_files import describe, is_data
from app.library.templates import TemplateLibrary
from app.services.clusters import changes as cluster_changes
from app.services.clusters import checks as cluster_checks
from app.services.clusters import host_trust
from app.services.clusters import registry as clusters
from app.services.context import Context, make_context
from app.services.jobs import actions, queue
from app.services.jobs.selections import chosen
from app.services.people import accounts
from app.services.upkeep import doctor as checkups
from app.services.upkeep import master_key as keys
from app.services.upkeep.corpus import corpus_table, examined
from app.settings import load_settings
from app.transport import vault

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
user_app = typer.Typer(no_args_is_help=True, help="Accounts.")
token_app = typer.Typer(no_args_is_help=True, help="API tokens.")
db_app = typer.Typer(no_args_is_help=True, help="The database.")
cluster_app = typer.Typer(no_args_is_help=True, help="Clusters, the machines that run jobs.")
keys_app = typer.Typer(no_args_is_help=True, help="Master keys, which seal the stored secrets.")
for name, group in (
    ("user", user_app),
    ("token", token_app),
    ("db", db_app),
    ("cluster", cluster_app),
    ("keys", keys_app),
):
    app.add_typer(group, name=name)

OPERATOR = Actor(0, "operator", Role.ADMIN)
"""Anyone who can run this command on the server can also read its database."""
T = TypeVar("T")


def _run(work: Callable[[Context], Awaitable[T]]) -> T:
    """Run one use case on an up-to-date database, outside of the service."""
    settings = load_settings()
    migrations.upgrade(settings.database)

    async def main() -> T:
        context = make_context(settings)
        try:
            await cluster_changes.sync_configuration(context)
            return await work(context)
        finally:
            await context.pool.close()
            await context.database.close()

    return asyncio.run(main())


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"crystaldeck {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """CrystalDeck: CRYSTAL calculations for a whole group."""


@app.command()
def serve() -> None:
    """Start the service; prints the set-up link while there are no accounts."""
    from app.server import serve as run
    from app.transport.environment import hide_secrets

    settings = load_settings()
    settings.refuse_unsafe()
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    for fault in (check for check in checkups.own_files(settings) if not check.ok):
        typer.echo(f"{fault.name}: {fault.detail}.\n  → {fault.remedy}", err=True)
    link = _run(accounts.make_first_link)
    typer.echo(f"CrystalDeck on {settings.public_url} (data in {settings.data})")
    if link:
        typer.echo(f"\nThere are no accounts yet. Create the first admin here, within a week:\n\n    {link}\n")
    sys.stdout.flush()
    hide_secrets()
    run(settings)


@app.command("setup-link")
def setup_link() -> None:
    """Print a new one-time link for creating an admin account; an older unused link stops working."""
    typer.echo(_run(accounts.make_link))


@user_app.command("add")
def user_add(
    name: str,
    role: Annotated[Role, typer.Option(help="viewer, member, maintainer or admin")] = Role.MEMBER,
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
) -> None:
    """Create an account."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    _run(lambda context: accounts.add_user(context, name, password, role))
    typer.echo(f"Created account {name} ({role}).")


SCOPES_HELP = """Print a new API token, and nothing else. It is shown only once.

A token may do no more than its owner. Each scope includes those before it:

""" + "\n\n".join(f"{scope}: {words}." for scope, words in SCOPE_WORDS.items())


@token_app.command("create", help=SCOPES_HELP)
def token_create(
    user: Annotated[str, typer.Option(help="Owner of the token.")],
    scope: Annotated[list[str], typer.Option(help=f"One of {', '.join(Scope)}.")],
) -> None:
    """Print a new API token; the command's help is `SCOPES_HELP`."""
    scopes = [part for item in scope for part in item.replace(",", " ").split()]
    typer.echo(_run(lambda context: accounts.make_token(context, user, scopes)))


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the newest revision."""
    migrations.upgrade(load_settings().database)
    typer.echo("The database is up to date.")


@cluster_app.command("list")
def cluster_list() -> None:
    """List the name, type, host and state of each cluster."""
    for view in _run(lambda context: clusters.all_of(context, OPERATOR)):
        host = view.settings.hostname or "this server"
        typer.echo(f"{view.cluster.name}\t{view.settings.runner_type}\t{host}\t{view.cluster.problem or 'ok'}")


@cluster_app.command("add")
def cluster_add(
    name: str,
    option: Annotated[list[str], typer.Option("--set", help="key=value, as in a [clusters.<name>] table.")],
) -> None:
    """Add a cluster, e.g.: cluster add hpc --set hostname=hpc.example.org --set username=me --set key_path=~/.ssh/k"""
    values = dict(item.partition("=")[::2] for item in option)
    _run(lambda context: cluster_changes.add(context, OPERATOR, name, values))
    typer.echo(f"Added cluster {name}. Test it with: crystaldeck cluster test {name}")


@cluster_app.command("show")
def cluster_show(name: str) -> None:
    """Show the settings of a cluster, and what is wrong with them."""
    view = _run(lambda context: clusters.get(context, OPERATOR, name))
    for key, value in view.settings.model_dump(mode="json").items():
        typer.echo(f"{key} = {json.dumps(value)}")
    if view.broken:
        raise InvalidInput(view.broken, hint=f"Correct them: crystaldeck cluster edit {name} --set key=value")


@cluster_app.command("edit")
def cluster_edit(
    name: str,
    option: Annotated[list[str], typer.Option("--set", help="key=value; an empty value restores the default.")],
) -> None:
    """Change settings of a cluster that is not in the configuration file, e.g.: cluster edit hpc --set setup='module load X'"""
    values = dict(item.partition("=")[::2] for item in option)
    changed = _run(lambda context: cluster_changes.edit(context, OPERATOR, name, values))
    typer.echo(f"Cluster {name}: {', '.join(changed) + ' changed' if changed else 'nothing changed'}.")


@cluster_app.command("remove")
def cluster_remove(
    name: str, yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False
) -> None:
    """Remove a cluster that has no unfinished jobs or runs; its jobs, files and results stay."""
    if not yes:
        typer.confirm(f"Remove {name}? Members' keys for it are deleted; its jobs stay.", abort=True)
    _run(lambda context: cluster_changes.remove(context, OPERATOR, name))
    typer.echo(f"Removed cluster {name}.")


@cluster_app.command("pause")
def cluster_pause(
    name: Annotated[str, typer.Argument(help="Cluster; empty: all.")] = "",
    reason: Annotated[str, typer.Option(help="Reason shown to users whose jobs wait.")] = "",
) -> None:
    """Pause submission to one cluster or to all; running jobs continue."""
    _run(lambda context: queue.pause(context, OPERATOR, name, reason))
    typer.echo(
        f"Paused submission to {name or 'all clusters'}. Resume with: crystaldeck cluster resume {name}".rstrip()
    )


@cluster_app.command("resume")
def cluster_resume(name: Annotated[str, typer.Argument(help="Cluster; empty: all.")] = "") -> None:
    """Resume submission to one cluster or to all."""
    _run(lambda context: queue.resume(context, OPERATOR, name))
    typer.echo(f"Resumed submission to {name or 'all clusters'}.")


@app.command("queue")
def queue_action(
    action: Annotated[str, typer.Argument(help=f"list, or one of {', '.join(actions.ACTIONS)}.")],
    jobs: Annotated[list[str] | None, typer.Argument(help="Ids of jobs.")] = None,
    user: Annotated[str, typer.Option(help="User on whose behalf to act.")] = "",
    value: Annotated[str, typer.Option(help="Priority, time, cluster:partition or tag.")] = "",
    expect: Annotated[
        int | None, typer.Option(help="Number of jobs that must match; otherwise nothing is done.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would happen to the jobs.")] = False,
) -> None:
    """List waiting jobs in their order, or act on jobs."""
    if action == "list":
        for line in _run(queue.waiting_lines):
            typer.echo(line)
        return

    async def act(context: Context) -> list[actions.Outcome]:
        actor = await accounts.actor_named(context, user)
        selection = chosen(tuple(jobs or ()), False, JobFilter(), expect)
        if dry_run:
            preview = await actions.preview(context, actor, action, selection, value)
            typer.echo(f"{preview.count} job{'' if preview.count == 1 else 's'}; dry run, nothing was done.", err=True)
            return preview.sample
        return await actions.act(context, actor, action, selection, value)

    left = 0
    for outcome in _run(act):
        left += not outcome.done
        word = ("would" if outcome.done else "would not") if dry_run else ("done" if outcome.done else "left")
        typer.echo(f"{outcome.id}  {word}  {outcome.name}  {outcome.reason}".rstrip())
    raise typer.Exit(1 if left else 0)


@cluster_app.command("trust")
def cluster_trust(
    name: str, fingerprint: Annotated[str, typer.Option(help="SHA256:… as published by the centre.")]
) -> None:
    """Confirm a cluster's host key by its fingerprint."""
    _run(lambda context: host_trust.trust_key(context, OPERATOR, name, fingerprint))
    typer.echo(f"Trusted the host key of {name}: {fingerprint}")


@cluster_app.command("test")
def cluster_test(name: str) -> None:
    """Check step by step everything a job needs on a cluster; exit status 1 if something is wrong."""
    checks = _run(lambda context: cluster_checks.test_cluster(context, OPERATOR, name))
    for check in checks:
        typer.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<12} {check.detail}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command()
def parse(output: Path, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Read a CRYSTAL output and print its results; or a file of bands, densities of states, maps or transport coefficients."""
    reader = OutputReader()
    try:
        if is_data(output.name):
            typer.echo(
                json.dumps(describe(output.name, output.read_text(encoding="utf-8", errors="replace")), indent=2)
            )
            return
        with output.open("rb") as file:
            while data := file.read(1 << 20):
                reader.feed(data)
    except OSError as error:
        raise CrystalDeckError(f"{output} cannot be read: {error.strerror}.", hint="Check the path.") from error
    except ValueError as error:
        raise InvalidInput(f"{output} cannot be read: {error}.", hint="Is it whole?") from error
    results = reader.results().as_dict()
    if as_json:
        typer.echo(json.dumps(results, indent=2))
        return
    for key, value in results.items():
        if value not in (None, [], False) and key != "geometry":
            typer.echo(f"{key:<16} {value}")


@app.command()
def corpus(
    folder: Annotated[Path, typer.Argument(help="A folder of decks, outputs and structures.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="Limit of time for one file, s.")] = 60.0,
    memory: Annotated[int, typer.Option(min=512, help="Limit of memory for one file, MiB.")] = 2048,
) -> None:
    """Read all decks, outputs and structures below a folder; exit status 1 if what is read is not what is printed.

    Exit status 2: nothing disagrees, but some files could not be examined within the limits.
    """

    async def examine() -> list[Entry]:
        return [entry async for entry in examined(folder, min(4, os.cpu_count() or 1), memory, seconds)]

    entries = asyncio.run(examine())
    typer.echo(json.dumps([entry.as_dict() for entry in entries], indent=2) if as_json else corpus_table(entries))
    wrong = sum(1 for entry in entries if entry.disagrees)
    if wrong or not all(entry.examined for entry in entries):
        raise typer.Exit(1 if wrong else 2)


@app.command()
def check(decks: Annotated[list[Path], typer.Argument(help=".d12 and .d3 files.")]) -> None:
    """Check decks: one line per finding; exit status 1 if there is an error."""
    failed = False
    for path in decks:
        try:
            text = path.read_bytes()[: MAX_DECK + 1].decode("latin-1")
        except OSError as error:
            raise CrystalDeckError(f"{path} cannot be read: {error.strerror}.", hint="Check the path.") from error
        role = path.suffix.lstrip(".")
        for finding in check_deck(text, role if role in ("d12", "d3") else None):
            failed = failed or finding.severity == "error"
            typer.echo(f"{path}:{finding.line}: {finding.severity}: {finding}")
    if failed:
        raise typer.Exit(1)


@app.command()
def tidy(deck: Annotated[Path, typer.Argument(help="A .d12 or .d3 file.")]) -> None:
    """Print a deck in canonical form: one record per line, same meaning, with its comments."""
    role = deck.suffix.lstrip(".")
    text = deck.read_text(encoding="utf-8", errors="replace")
    try:
        typer.echo(write_deck(read_deck(text, "d12" if role == "d12" else "d3" if role == "d3" else None)), nl=False)
    except CannotRewrite as error:
        raise InvalidInput(f"{deck} cannot be rewritten: {error}", hint="crystaldeck check shows more.") from error


@app.command()
def render(
    template: str,
    option: Annotated[list[str], typer.Option("--set", help="name=value of a parameter; can be repeated.")] = [],  # noqa: B006
    example: Annotated[bool, typer.Option("--example", help="Start from the template's example.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to write the decks to; by default they are printed.")] = None,
) -> None:
    """Write the decks of a template: render scf --example --set a=4.25 --set shrink=8"""
    library = TemplateLibrary(load_settings().template_dirs)
    parameters: dict[str, Any] = dict(library.get(template).spec.example) if example else {}
    parameters |= dict(item.partition("=")[::2] for item in option)
    rendering = library.render(template, parameters)
    for name, text in rendering.decks.items():
        if out is None:
            typer.echo(text, nl=False)
        else:
            out.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text, encoding="ascii", newline="")
            typer.echo(str(out / name))
    for name, findings in rendering.findings.items():
        for finding in findings:
            typer.echo(f"{name}:{finding.line}: {finding.severity}: {finding}", err=True)


@keys_app.command("new")
def keys_new() -> None:
    """Print a master key, and nothing else: for CRYSTALDECK_MASTER_KEY, or a credential of systemd."""
    typer.echo(vault.new_key())


@keys_app.command("rotate")
def keys_rotate() -> None:
    """Seal all stored secrets with a new master key; the service may be running."""
    done = _run(keys.rotate)
    typer.echo(f"{done.secrets} secrets are now sealed with master key {done.newest}.")
    if done.written:
        typer.echo(
            "The key file now holds only this key. Copies of the old key are still needed for earlier backups of the database."
        )
    elif done.idle:
        typer.echo(f"Remove the older keys ({', '.join(done.idle)}) from the settings, then restart.")


@app.command()
def doctor() -> None:
    """Check the installation: file modes and owners, keys, address, clock, disk, clusters. Exit status 1: see FAIL."""
    settings = load_settings()
    checks = checkups.own_files(settings)
    if all(check.name != "data" or check.ok for check in checks):
        # Otherwise the database is not opened: another account than the service's would leave its own files there.
        checks += _run(checkups.with_database)
    for check in checks:
        typer.echo(f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<12} {check.detail}")
        if check.remedy:
            typer.echo(f"{'':<18} → {check.remedy}")
    if not any(check.name == "cluster" for check in checks):
        typer.echo("--    cluster      none; add one with: crystaldeck cluster add")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def main() -> None:
    """Entry point: errors are one sentence, not a traceback."""
    try:
        app()
    except CrystalDeckError as error:
        typer.echo(f"crystaldeck: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        sys.exit(1)
