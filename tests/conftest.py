"""Fixtures that cost much are made once: the lab, the service in front of it."""

from __future__ import annotations

import faulthandler
import shutil
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.support.databases import new_sqlite
from tests.support.machines import lab as lab_module
from tests.support.machines.lab import REPOSITORY, Lab
from tests.support.machines.postgres import Postgres, binaries
from tests.support.service import Service, replayed
from tests.support.session import beside, reference, skipping
from tests.support.session.cheap import cheap_passwords, read_once

ABOUT_DATABASES = ("background", "db", "events")
"""Rooms of tests whose subject differs between SQLite and PostgreSQL."""
CLOSING_SECONDS = 240
"""The longest that closing may take what a failed test, or the whole run, had opened."""


def refuse_or_skip(reason: str) -> None:
    """Skip a test; where nothing may be skipped, `pytest_runtest_makereport` makes a failure of it."""
    pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    skipping.refuse(report, item.get_closest_marker("recorded") is not None)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A whole module skips itself where something cannot be imported."""
    recorded = "recorded" in collector.path.parts
    with beside.forbidden(unless=recorded):
        report = yield
    skipping.refuse(report, recorded)
    return report


def pytest_configure() -> None:
    beside.watch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with beside.forbidden(unless=item.get_closest_marker("recorded") is not None):
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := reference.lines():
        terminalreporter.section("recorded files against their reference values")
        for line in lines:
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands what it compared to the process that prints it."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["compared"] = reference.packed()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    reference.unpack(getattr(node, "workeroutput", {}).get("compared", {}))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """How tests are shared among processes."""
    from tests.support.session.together import Together

    return Together(config, log)


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(report: pytest.CollectReport | pytest.TestReport) -> None:
    """pytest forgets its own watch over a test once that has failed; what is closed afterwards may still hang."""
    if report.when != "collect":
        faulthandler.dump_traceback_later(CLOSING_SECONDS, exit=True, file=sys.__stderr__)


def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that never ends must not keep the finished run from ending: tell where it stands, and fail.

    A worker of pytest-xdist is ended by the process that started it, once the other has finished too.
    """
    sys.stdout.flush()
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(CLOSING_SECONDS, exit=True, file=sys.__stderr__)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A real SLURM cluster with sshd on this machine."""
    if reason := lab_module.missing():
        refuse_or_skip(reason)
    # Whoever ends the tests early ends the daemons too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    running = Lab()
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    path = shutil.which("chromium")
    if path is None:
        refuse_or_skip("Chromium is not installed (apt-get install chromium)")
    return str(path)


@pytest.fixture(scope="session")
def lab_service(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service with the lab as cluster `lab` (replay), `real` (preview engine) and `trial` (that with trial runs)."""
    preview = lab.preview_command()
    config = (
        "poll_interval = 2\npoll_interval_busy = 1\n"
        + lab.cluster_table("lab")
        + lab.cluster_table("real", crystal=f"{preview} crystal", properties=f"{preview} properties", workdir="real")
        + lab.cluster_table("trial", crystal=f"{preview} crystal", workdir="trial", preflight=True)
    )
    service = Service(tmp_path_factory.mktemp("service"), config)
    service.add_user()
    try:
        service.start()
        # They meet their time limit, which SLURM counts in minutes, while other tests run.
        limited = replayed("mgo-scf/main.out", seconds=600) | {"name": "limited", "resources": {"walltime": "00:01:00"}}
        service.early = service.submit(limited, limited)
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="session")
def time_limited(lab_service: Service) -> list[str]:
    """Two jobs whose time limit of a minute has come."""
    lab_service.wait(lab_service.early, 200)
    return lab_service.early


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server."""
    if binaries() is None:
        refuse_or_skip("PostgreSQL is not installed (apt-get install postgresql)")
    server = Postgres()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session", autouse=True)
def passwords_cost_little() -> Iterator[None]:
    """A hundred tests make accounts in this process: what argon2 costs there proves nothing."""
    with cheap_passwords():
        yield


@pytest.fixture(scope="session", autouse=True)
def templates_are_read_once() -> Iterator[None]:
    """Each application reads and compiles the templates of the installation: the same texts make the same template."""
    with read_once():
        yield


def _database(request: pytest.FixtureRequest, tmp_path: Path, *, migrated: bool) -> str:
    if request.param == "sqlite":
        file = tmp_path / "deck.sqlite3"
        return new_sqlite(file) if migrated else f"sqlite:///{file}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database(migrated=migrated)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measuring doubles the time of a test. It is done on both databases where they are the subject, else on SQLite alone."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and "postgresql" in callspec.params.values() and _room(item) not in ABOUT_DATABASES:
            item.add_marker("no_cover")


def _room(item: pytest.Item) -> str:
    return item.path.relative_to(REPOSITORY / "tests").parts[0]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind, without rows and up to date; tests that take this run on both."""
    return _database(request, tmp_path, migrated=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind in which there is nothing yet, for what migrates."""
    return _database(request, tmp_path, migrated=False)
