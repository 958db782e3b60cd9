"""What `pip install crystaldeck-….whl` brings serves without a checkout."""

from __future__ import annotations

import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from email.parser import Parser
from pathlib import Path

import httpx
import pytest
from alembic.script import ScriptDirectory
from hatchling.builders.wheel import WheelBuilder

import app
from app import places
from app.db import migrations
from tests.packaging.conftest import ROOT, run
from tests.support.service import Service

CARRIED = ("alembic", "html_templates", "input_templates", "static", "workflows")


def files_below(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }  # fmt: skip


def test_the_wheel_carries_what_the_service_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in CARRIED:
        wanted = {f"app/_share/{folder}/{name}" for name in files_below(ROOT / folder)}
        assert wanted == {name for name in names if name.startswith(f"app/_share/{folder}/")}
    code = {f"app/{name}" for name in files_below(ROOT / "app")}
    assert code == {name for name in names if name.startswith("app/") and not name.startswith("app/_share/")}
    others = {name.partition("/")[0] for name in names} - {"app"}
    assert others == {f"crystaldeck-{app.__version__}.dist-info"}


def test_the_version_is_written_in_one_place(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"crystaldeck-{app.__version__}.dist-info/METADATA").decode())
    assert metadata["Version"] == app.__version__
    assert metadata["License-Expression"] == "MIT"
    assert {Path(name).name for name in metadata.get_all("License-File", [])} >= {"LICENSE", "htmx.txt", "uPlot.txt"}


def test_an_editable_installation_is_the_checkout_itself(tmp_path: Path) -> None:
    """It carries no copies that could grow stale, only the way to the checkout."""
    [built] = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["editable"])
    with zipfile.ZipFile(built) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        assert [archive.read(name).decode().split() for name in names] == [[str(ROOT)]]


def test_a_checkout_reads_its_own_folders() -> None:
    assert places.STATIC == ROOT / "static"
    assert all((ROOT / folder).is_dir() for folder in CARRIED)


# -- installed -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The installed service, started in an empty folder."""
    folder, empty = tmp_path_factory.mktemp("service"), tmp_path_factory.mktemp("empty")
    preview = installed / "crystaldeck-preview"
    config = (
        f'[clusters.this-server]\nrunner_type = "local"\ncrystal = "{preview} crystal"\nworkdir = "{folder}/jobs"\n'
        f'properties = "{preview} properties"\ncores = 2\n'
    )
    running = Service(folder, config)
    running.programs, running.workdir = installed, empty
    for name in [name for name in running.environment if name.startswith(("PYTHON", "COV"))]:
        del running.environment[name]
    running.start()
    yield running
    running.stop()


def test_nothing_comes_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    program = (
        "import app, json, sys; from app import places; print(json.dumps([app.__file__, str(places.STATIC), sys.path]))"
    )
    package, static, path = json.loads(run(installed / "python", "-c", program, cwd=tmp_path))
    assert Path(package).is_relative_to(installed.parent)
    assert Path(static).is_relative_to(installed.parent)
    assert str(ROOT) not in path


def test_the_installed_service_migrates_its_database(service: Service) -> None:
    head = ScriptDirectory.from_config(migrations.alembic_config("sqlite://")).get_current_head()
    with closing(sqlite3.connect(service.folder / "data" / "crystaldeck.sqlite3")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(head,)]


def test_the_installed_service_shows_pages_with_their_assets(service: Service) -> None:
    page = httpx.get(service.setup_link())
    assert page.status_code == 200
    assets = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert len(assets) > 3
    assert {httpx.get(service.url + asset).status_code for asset in assets} == {200}


def test_the_installed_service_has_templates_and_workflows(service: Service) -> None:
    service.add_user("ada")
    shipped = {path.parent.name for path in (ROOT / "input_templates").glob("*/template.toml")}
    assert {template["id"] for template in service.client.get("/templates").json()} == shipped
    assert len(service.client.get("/workflows").json()) == len(list((ROOT / "workflows").glob("*.toml")))


@pytest.mark.preview
def test_the_installed_service_runs_the_example(service: Service) -> None:
    service.add_user("bob")
    example = service.client.get("/templates/scf/schema").json()["examples"][0]
    [job] = service.wait(service.submit({"template": "scf", "parameters": example, "cluster": "this-server"}))
    assert job["state"] == "completed", job


def test_the_command_tells_its_version(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "crystaldeck", "--version", cwd=tmp_path) == f"crystaldeck {app.__version__}\n"
