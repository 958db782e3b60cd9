"""What leaves CrystalDeck is judged by those who read it: AiiDA, the validator of RO-Crates, and a person with an unzip."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import refuse_or_skip
from tests.support.session import oracles

pytestmark = pytest.mark.timeout(900)


def programs(name: str) -> Path:
    try:
        return oracles.environment(name)
    except oracles.NotInstalled as error:
        refuse_or_skip(str(error))
        raise


def unpacked(data: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    return folder


# -- RO-Crate --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the validator would fetch from the network."""
    own, cache = programs("crates"), tmp_path_factory.mktemp("validator") / "cache"
    primed = subprocess.run(
        [own / "python", Path(__file__).with_name("prime_cache.py"), str(cache)], capture_output=True, text=True
    )
    assert "cached: True" in primed.stdout, primed.stderr
    return cache


def validate(crate: Path, profile: str, folder: Path, cache: Path) -> dict[str, Any]:
    """The report of the validator, without network."""
    own = programs("crates")
    report = folder / f"{profile}.json"
    done = subprocess.run(
        [own / "rocrate-validator", "-y", "validate", "-p", profile, "--cache-path", str(cache), "--offline", "--no-paging", "-v",
         "-f", "json", "-o", str(report), str(crate)], capture_output=True, text=True,
    )  # fmt: skip
    assert report.is_file(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(report.read_text())
    return found


@pytest.mark.parametrize("profile", ["process-run-crate", "workflow-run-crate", "provenance-run-crate"])
def test_the_crate_is_valid(exported: dict[str, Any], cache: Path, tmp_path: Path, profile: str) -> None:
    report = validate(unpacked(exported["rocrate"], tmp_path / "crate"), profile, tmp_path, cache)
    assert [issue["message"] for issue in report["issues"]] == []
    assert report["passed"]
    assert report["skipped_checks"] == 0


def test_the_validator_would_have_noticed(exported: dict[str, Any], cache: Path, tmp_path: Path) -> None:
    """A crate with a hole in it is not valid: the check above is none that always holds."""
    crate = unpacked(exported["rocrate"], tmp_path / "crate")
    document = json.loads((crate / "ro-crate-metadata.json").read_text())
    for entity in document["@graph"]:
        if entity["@type"] == "ControlAction":
            entity.pop("object")
    (crate / "ro-crate-metadata.json").write_text(json.dumps(document))
    assert not validate(crate, "provenance-run-crate", tmp_path, cache)["passed"]


def test_every_file_of_the_crate_is_there_and_whole(exported: dict[str, Any], tmp_path: Path) -> None:
    crate = unpacked(exported["rocrate"], tmp_path)
    graph = {entity["@id"]: entity for entity in json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]}
    files = [entity for entity in graph.values() if entity["@type"] == "File"]
    assert len(files) > 20
    for entity in files:
        data = (crate / entity["@id"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == entity["sha256"]
        assert str(len(data)) == entity["contentSize"]
    actions = [
        entity for entity in graph.values() if entity["@type"] == "CreateAction" and entity["@id"].startswith("#job-")
    ]
    # Seven steps' worth of jobs: the hard one was tried twice.
    assert len(actions) == 7
    given = {ref["@id"] for action in actions for ref in action["object"]}
    left = {ref["@id"] for action in actions for ref in action["result"]}
    assert any(name.endswith("/fort.9") for name in given & left)


# -- AiiDA -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def profile(exported: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A fresh AiiDA profile into which the archive was imported."""
    own = programs("aiida")
    folder = tmp_path_factory.mktemp("aiida")
    (folder / "run.aiida").write_bytes(exported["aiida"])
    environment = {**os.environ, "AIIDA_PATH": str(folder), "PATH": f"{own}:{os.environ['PATH']}"}
    for command in (["presto"], ["archive", "import", str(folder / "run.aiida")]):
        done = subprocess.run([own / "verdi", *command], env=environment, capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Success: imported archive" in done.stdout + done.stderr
    return own, environment


def verdi(profile: tuple[Path, dict[str, str]], *command: str) -> str:
    own, environment = profile
    done = subprocess.run(
        [own / "verdi", *command], env=environment, capture_output=True, text=True, cwd=environment["AIIDA_PATH"]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_aiida_lists_the_processes(exported: dict[str, Any], profile: tuple[Path, dict[str, str]]) -> None:
    listed = verdi(
        profile, "process", "list", "-a", "-r", "-P", "pk", "process_label", "exit_status", "label", "description"
    )
    rows = [line.split(None, 4) for line in listed.splitlines() if line.strip()[:1].isdigit()]
    assert len(rows) == 8
    assert {row[1] for row in rows} == {"judged", "scf"}
    assert all("imported" in row[4] for row in rows)
    top = next(row[0] for row in rows if row[1] == "judged")
    tree = verdi(profile, "process", "status", top)
    assert tree.count("scf<") == 7


def test_aiida_draws_the_graph_and_reads_the_files(
    exported: dict[str, Any], profile: tuple[Path, dict[str, str]]
) -> None:
    script = """
import json
from aiida import load_profile, orm
load_profile()
query = orm.QueryBuilder().append(orm.WorkChainNode, tag='w').append(orm.CalcJobNode, with_incoming='w', tag='c', project='*')
query.append(orm.Dict, with_incoming='c', edge_filters={'label': 'output_parameters'}, project='*')
rows = query.all()
single = orm.QueryBuilder().append(orm.SinglefileData, filters={'label': 'fort.9'}, project='*').all(flat=True)
passed = [node for node in single if node.base.links.get_incoming().all() and node.base.links.get_outgoing().all()]
print(json.dumps({
    'energies': sorted(next(iter(found.get_dict().values()))['energy_total'] or 0 for _, found in rows),
    'outputs': sorted({name for job, _ in rows for name in job.outputs.retrieved.list_object_names()}),
    'decks': [job.base.repository.get_object_content('scf.d12').splitlines()[1] for job, _ in rows],
    'passed': len(passed), 'top': rows[0][0].caller.pk, 'sealed': all(job.is_sealed for job, _ in rows),
    'cached': any(node.base.caching.is_valid_cache and node.base.caching.get_hash() for node, _ in rows),
    'structures': orm.QueryBuilder().append(orm.StructureData).count(),
}))
"""
    own, environment = profile
    done = subprocess.run([own / "python", "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    told = [task["energy_total"] for step in exported["run"]["steps"] for task in step["tasks"] if task["energy_total"]]
    assert set(told) <= set(found["energies"])
    assert {"scf.out", "job.log"} <= set(found["outputs"])
    assert set(found["decks"]) == {"CRYSTAL"}
    assert found["sealed"]
    assert found["passed"] == 2
    assert found["structures"] >= 5
    picture = Path(environment["AIIDA_PATH"]) / "graph.svg"
    verdi(profile, "node", "graph", "generate", str(found["top"]), "-f", "svg", "-O", str(picture))
    assert "fort.9" in picture.read_text()


# -- a person with an unzip ------------------------------------------------------------------------------------------------


def test_the_plain_folder_reads_by_itself(exported: dict[str, Any], tmp_path: Path) -> None:
    folder = unpacked(exported["zip"], tmp_path)
    readme = (folder / "README.md").read_text()
    record = json.loads((folder / "provenance.json").read_text())
    assert len(record["jobs"]) == 7
    for job in record["jobs"]:
        assert job["revision"][:12] in readme
        assert job["person"] == "ada"
        for file in job["files"]:
            data = (folder / "jobs" / f"{job['name']}-{job['id']}" / file["name"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == file["sha256"]
            assert file["sha256"] in readme
    assert "takes a = 4." in readme
    assert (folder / "workflow.toml").read_text().startswith('name = "judged"')
