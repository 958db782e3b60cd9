"""The `crystaldeck` command as scripts use it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from app.cli import app, main
from app.db.tables import Cluster, Credential, OutboxEvent
from app.domain.people.permissions import Actor, Role
from app.errors import ConfigurationError, InvalidInput, NotFound
from app.services.clusters.changes import sync_configuration
from app.services.clusters.member_keys import make_key
from app.services.context import make_context
from app.services.jobs.creation import JobRequest, create_jobs
from app.settings import Settings, load_settings
from app.transport.vault import name_of
from tests.support.corpus import CORPUS
from tests.support.service import mgo


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYSTALDECK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CRYSTALDECK_CONFIG", str(tmp_path / "config.toml"))


def run(*arguments: str, stdin: str = "") -> str:
    result = CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_accounts_tokens_and_links() -> None:
    assert "Created account" in run(
        "user", "add", "ada", "--role", "admin", "--password-stdin", stdin="a long enough password\n"
    )
    token = run("token", "create", "--user", "ada", "--scope", "jobs:read", "--scope", "jobs:write")
    assert token.strip().startswith("cdk_") and token.count("\n") == 1
    assert "/setup/" in run("setup-link")
    assert "up to date" in run("db", "upgrade")


def test_errors_are_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["token", "create", "--user", "nobody", "--scope", "jobs:read"], "no account 'nobody'"),
        (["token", "create", "--user", "nobody", "--scope", "all"], "no scope all"),
        (["cluster", "test", "nowhere"], "no cluster 'nowhere'"),
        (["parse", "/nowhere.out"], "cannot be read"),
    ):
        monkeypatch.setattr("sys.argv", ["crystaldeck", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 1
        message = capsys.readouterr().err
        assert words in message and "Traceback" not in message


def test_clusters(tmp_path: Path) -> None:
    assert "none; add one" in run("doctor")
    run("cluster", "add", "here", "--set", "runner_type=local", "--set", f"workdir={tmp_path}/w", "--set", "crystal=cat",
        "--set", "properties=cat")  # fmt: skip
    assert run("cluster", "list") == "here\tlocal\tthis server\tok\n"
    report = run("cluster", "test", "here")
    assert "ok    workdir" in report and "FAIL" not in report
    assert "ok    cluster      here: no problem known" in run("doctor")


def test_parse() -> None:
    found = json.loads(run("parse", str(CORPUS / "mgo-opt/main.out"), "--json"))
    assert {
        "program_version", "dimensionality", "energy_scf", "energy_total", "energy_kind", "scf_cycles", "scf_converged",
        "optimization", "gap_ev", "gap_kind", "frequencies_cm1", "verdict", "diagnosis", "warnings",
    } <= found.keys()  # fmt: skip
    end = {"converged": True, "points": 6, "energy": -271.1570345679, "rms_gradient": 2.1e-05}
    assert end.items() <= found["optimization"].items()
    assert found["frequencies_cm1"] is None
    assert "verdict" in run("parse", str(CORPUS / "mgo-opt/main.out"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = 99999", "port"), ("nonsense = 1", "nonsense"), ("[clusters.x]\nrunner_type = 'pbs'", "clusters.x.runner_type"),
        ("[clusters.x]\nhostname = '-oProxyCommand=x'", "clusters.x.hostname"), ("port = ", "cannot be read"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        load_settings()


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("port = 1234\nhost = '127.0.0.2'")
    monkeypatch.setenv("CRYSTALDECK_PORT", "4321")
    settings = load_settings()
    assert (settings.port, settings.host) == (4321, "127.0.0.2")
    assert settings.database.startswith("sqlite+aiosqlite:///")


def test_unsafe_settings_are_refused(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.0.2.1", "deck.example.org"):
        with pytest.raises(ConfigurationError, match="reachable from other machines"):
            Settings(data=tmp_path, host=host).refuse_unsafe()
        Settings(data=tmp_path, host=host, base_url="https://deck.example.org").refuse_unsafe()
        Settings(data=tmp_path, host=host, allow_insecure=True).refuse_unsafe()
    Settings(data=tmp_path, host="localhost").refuse_unsafe()


def test_check_prints_a_line_per_finding(tmp_path: Path) -> None:
    made = run("render", "scf", "--example", "--set", "a=4.25", "--set", "title=From the shell")
    assert made.startswith("From the shell\nCRYSTAL\n0 0 0\n225\n4.25\n")
    good, bad = tmp_path / "good.d12", tmp_path / "bad.d12"
    good.write_text(made)
    assert run("check", str(good)) == ""
    bad.write_text(made.replace("SHRINK\n2 2\n", "SHRINK\n2\n"))
    found = CliRunner().invoke(app, ["check", str(good), str(bad)])
    assert found.exit_code == 1
    assert f"{bad}:14: error: SHRINK: needs 2 integers" in found.stdout


def test_render_writes_all_decks_of_a_template(tmp_path: Path) -> None:
    run("render", "bands", "--example", "--out", str(tmp_path / "decks"))
    assert {path.name for path in (tmp_path / "decks").iterdir()} == {"bands.d12", "bands.d3"}
    with pytest.raises(InvalidInput, match="a must be at least"):
        run("render", "scf", "--example", "--set", "a=-1")


def test_the_queue_from_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[clusters.here]\nrunner_type = 'local'\n")
    run("user", "add", "ada", "--role", "member", "--password-stdin", stdin="a long enough password\n")

    async def make() -> list[str]:
        context = make_context(load_settings())
        await sync_configuration(context)
        made = await create_jobs(
            context, Actor(1, "ada", Role.MEMBER), [JobRequest("scf", mgo(), "here", {}, f"j{n}") for n in range(2)]
        )
        await context.database.close()
        return [job.id for job in made]

    first, second = asyncio.run(make())
    assert [line.split()[0] for line in run("queue", "list").splitlines()] == [first, second]
    run("queue", "last", first, "--user", "ada")
    assert [line.split()[0] for line in run("queue", "list").splitlines()] == [second, first]
    assert "done  j0" in run("queue", "priority", first, "--user", "ada", "--value", "urgent")
    left = CliRunner().invoke(app, ["queue", "release", first, "--user", "ada"])
    assert left.exit_code == 1 and "not held" in left.stdout
    with pytest.raises(NotFound, match="no account 'eve'"):
        run("queue", "hold", first, "--user", "eve")


def sealed_keys(names: list[str]) -> dict[str, str]:
    """Key pairs of ada's on clusters of these names, and what they are sealed as."""

    async def look() -> dict[str, str]:
        context = make_context(load_settings())
        async with context.database.read() as session:
            rows = (await session.exec(select(Credential, Cluster).join(Cluster))).all()
            for row, _ in rows:
                assert b"PRIVATE KEY" in context.vault.open(row.private_key, f"ssh:{row.id}")
        await context.database.close()
        return {cluster.name: row.private_key for row, cluster in rows}

    found = asyncio.run(look())
    assert sorted(found) == sorted(names)
    return found


def make_keys(names: list[str]) -> None:
    run("user", "add", "ada", "--password-stdin", stdin="a long enough password\n")

    async def make() -> None:
        context = make_context(load_settings())
        for name in names:
            await make_key(context, Actor(1, "ada", Role.MEMBER), name, "ada")
        await context.database.close()

    for name in names:
        run("cluster", "add", name, "--set", "runner_type=ssh", "--set", "hostname=127.0.0.1")
    asyncio.run(make())


def test_a_new_master_key_under_all_secrets(tmp_path: Path) -> None:
    make_keys(["one", "two"])
    before, old = sealed_keys(["one", "two"]), (tmp_path / "master.key").read_text()
    assert "2 secrets are now sealed with master key" in run("keys", "rotate")
    after, new = sealed_keys(["one", "two"]), (tmp_path / "master.key").read_text()
    assert old not in new and len(new.split()) == 1 and (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    assert not set(before.values()) & set(after.values())
    assert f"({name_of(new.strip().encode())})" in run("doctor")


def test_a_rotation_with_a_lost_key_changes_nothing(tmp_path: Path) -> None:
    make_keys(["one"])
    file = tmp_path / "master.key"
    old = file.read_text()
    file.write_text(run("keys", "new"))
    with pytest.raises(ConfigurationError, match="cannot be decrypted with any"):
        run("keys", "rotate")
    file.write_text(old)
    sealed_keys(["one"])


def test_keys_of_the_environment_are_rotated_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = run("keys", "new").strip(), run("keys", "new").strip()
    monkeypatch.setenv("CRYSTALDECK_MASTER_KEY", old)
    make_keys(["one"])
    monkeypatch.setenv("CRYSTALDECK_MASTER_KEY", f"{new},{old}")
    told = run("keys", "rotate")
    assert f"Remove the older keys ({name_of(old.encode())}) from" in told
    monkeypatch.setenv("CRYSTALDECK_MASTER_KEY", new)
    sealed_keys(["one"])
    assert not (tmp_path / "master.key").exists()
    assert run("keys", "rotate").count("\n") == 1


def test_doctor_says_the_command_that_mends(tmp_path: Path) -> None:
    """Each fault is made, found, mended by the very command that is printed, and gone."""
    make_keys(["one"])
    key = tmp_path / "ssh" / "id"
    key.parent.mkdir()
    key.write_text("key")
    key.chmod(0o600)
    (tmp_path / "config.toml").write_text(
        f"database_url = ''\n[clusters.lab]\nhostname = '127.0.0.1'\nusername = 'u'\nkey_path = '{key}'\n"
    )
    assert "FAIL" not in run("doctor")
    old = tmp_path / "data" / "secrets" / "master.key"

    def expose_in_data() -> None:
        (tmp_path / "master.key").rename(old)

    faults: dict[str, Callable[[], object]] = {
        "can be entered by others": lambda: (tmp_path / "data").chmod(0o755),
        "master.key can be read by others": lambda: (tmp_path / "master.key").chmod(0o640),
        "of lab can be read by others": lambda: key.chmod(0o644),
        "lies in the data folder": expose_in_data,
    }
    for words, break_it in faults.items():
        break_it()
        result = CliRunner().invoke(app, ["doctor"])
        assert result.exit_code == 1
        lines = result.output.splitlines()
        [at] = [number for number, line in enumerate(lines) if line.startswith("FAIL")]
        assert words in lines[at]
        subprocess.run(["/bin/sh", "-c", lines[at + 1].partition("→ ")[2]], check=True)
        assert "FAIL" not in run("doctor")


def test_doctor_names_what_no_command_mends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("db", "upgrade")

    def failed() -> str:
        result = CliRunner().invoke(app, ["doctor"])
        assert result.exit_code == 1
        return result.output

    monkeypatch.setenv("CRYSTALDECK_HOST", "0.0.0.0")
    assert "reachable from other machines" in failed()
    monkeypatch.setenv("CRYSTALDECK_BASE_URL", "https://deck.example.org")
    assert "set trusted_proxies" in failed()
    monkeypatch.setenv("CRYSTALDECK_TRUSTED_PROXIES", '["127.0.0.1"]')
    assert "FAIL" not in run("doctor")
    with monkeypatch.context() as patch:
        patch.setattr("app.services.upkeep.doctor.os.geteuid", lambda: 12345)
        before = sorted((tmp_path / "data").iterdir())
        told = failed()
        assert "but this runs as 12345" in told and "crystaldeck doctor" in told and "database" not in told
        assert sorted((tmp_path / "data").iterdir()) == before
    with monkeypatch.context() as patch:
        patch.setattr("app.services.upkeep.doctor._file_system", lambda folder: "nfs4")
        assert "network file system (nfs4)" in failed()
    (tmp_path / "config.toml").write_text(f"master_key = '{run('keys', 'new').strip()}'\n")
    (tmp_path / "config.toml").chmod(0o644)
    assert "which contains a password or key can be read by others" in failed()


def test_doctor_notices_a_clock_that_went_back(tmp_path: Path) -> None:
    run("db", "upgrade")

    async def write() -> None:
        context = make_context(load_settings())
        async with context.database.write() as session:
            session.add(OutboxEvent(at=datetime.now(UTC) + timedelta(days=1), topic="job"))
        await context.database.close()

    asyncio.run(write())
    result = CliRunner().invoke(app, ["doctor"])
    assert (result.exit_code, "FAIL  clock" in result.output) == (1, True)
