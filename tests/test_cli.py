"""The `crystaldeck` command as scripts use it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app, main
from app.domain.permissions import Actor, Role
from app.errors import ConfigurationError, InvalidInput, NotFound
from app.services.clusters import sync_configuration
from app.services.context import make_context
from app.services.creation import JobRequest, create_jobs
from app.settings import Settings, load_settings
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
    assert "was made" in run(
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


def test_parse(recorded: Path) -> None:
    found = json.loads(run("parse", str(recorded / "c17-mgo-sto3g-opt/main.out"), "--json"))
    assert {
        "program_version", "dimensionality", "energy_scf", "energy_total", "energy_kind", "scf_cycles", "scf_converged",
        "optimization", "gap_ev", "gap_kind", "frequencies_cm1", "verdict", "diagnosis", "warnings",
    } <= found.keys()  # fmt: skip
    end = {"converged": True, "points": 6, "energy": -271.2596206888, "rms_gradient": 2.4e-05}
    assert end.items() <= found["optimization"].items()
    assert found["frequencies_cm1"] is None
    assert "verdict" in run("parse", str(recorded / "c17-mgo-sto3g-opt/main.out"))


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
