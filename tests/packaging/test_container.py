"""The container: what its files promise, and that the service can live so. No engine for containers is asked for: the kernel's own
means, which one would use, take away from a process what `compose.yaml` takes away."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.packaging.conftest import ROOT
from tests.support.service import PASSWORD, Service
from tests.support.structures import rock_salt

DIGEST = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
ENTRYPOINT = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
"""What PostgreSQL's first process needs to become the user postgres."""


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def instructions() -> list[str]:
    """The Dockerfile's instructions, each on one line."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def test_all_images_are_pinned_by_digest() -> None:
    stages = set()
    for line in instructions():
        if line.startswith("FROM "):
            _, image, *named = line.split()
            assert image in stages or DIGEST.fullmatch(image), line
            stages.update(named[1:])
    assert stages
    pulled = [one["image"] for one in services().values() if "image" in one]
    assert pulled and all(DIGEST.fullmatch(image) for image in pulled)


def test_packages_are_installed_by_their_hashes() -> None:
    installs = [part for line in instructions() for part in line.split("&&") if "pip install" in part]
    assert len(installs) == 3
    for part in installs:
        assert "--require-hashes" in part or ("--no-deps" in part and "--no-index" in part), part


def test_no_container_can_write_or_gain_rights() -> None:
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged") and "network_mode" not in service and "pid" not in service, name
        assert all(
            "docker.sock" not in volume and not volume.startswith(("/", ".")) for volume in service["volumes"]
        ), name
        assert set(service.get("cap_add", [])) <= (set() if name == "crystaldeck" else ENTRYPOINT), name


def test_the_service_is_no_root_and_is_seen_by_this_machine_only() -> None:
    users = [line.split()[1] for line in instructions() if line.startswith("USER ")]
    assert users == ["1000"] and "user" not in services()["crystaldeck"]
    assert all(port.startswith("127.0.0.1:") for port in services()["crystaldeck"]["ports"])


def test_what_is_written_lies_in_volumes_and_the_keys_apart_from_the_data() -> None:
    environment = dict(re.findall(r"(CRYSTALDECK_\w+)=(\S+)", "\n".join(instructions())))
    volumes = {volume.partition(":")[2] for volume in services()["crystaldeck"]["volumes"]}
    assert environment["CRYSTALDECK_DATA"] in volumes
    assert str(Path(environment["CRYSTALDECK_MASTER_KEY_FILE"]).parent) in volumes - {environment["CRYSTALDECK_DATA"]}


# -- a service that lives so ---------------------------------------------------------------------------------------------------

_CONFINED = """#!/bin/sh
# A mount namespace of its own in which nothing can be written but the volumes and TMPDIR; no capability; no way to get one.
exec unshare --mount --propagation private sh -ec '
for folder in {volumes}; do mount --bind "$folder" "$folder"; done
awk "{{ print \\$2 }}" /proc/self/mounts | grep -vE "^(/proc|/sys|/dev|{kept})(/|\\$)" | sort -u | while read -r place; do
    mount -o remount,bind,ro "$place"
done
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"' sh {program} "$@"
"""


@pytest.fixture(scope="module")
def confined(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The installed service behind what `compose.yaml` says of it."""
    if os.geteuid() != 0:
        pytest.skip("only root can take file systems and capabilities away")
    folder = tmp_path_factory.mktemp("confined")
    volumes = [folder / name for name in ("data", "keys", "tmp")]
    for place in (*volumes, folder / "bin"):
        place.mkdir()
    program = folder / "bin" / "crystaldeck"
    program.write_text(
        _CONFINED.format(
            volumes=shlex.join(map(str, volumes)), kept="|".join(map(str, volumes)), program=installed / "crystaldeck"
        )
    )
    program.chmod(0o755)
    running = Service(
        folder, "", CRYSTALDECK_MASTER_KEY_FILE=str(folder / "keys" / "master.key"), TMPDIR=str(folder / "tmp"),
        PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    running.programs = program.parent
    for name in [name for name in running.environment if name.startswith(("PYTHONPATH", "COV"))]:
        del running.environment[name]
    running.start()
    yield running
    running.stop()


def test_the_process_has_no_rights_and_no_place_to_write(confined: Service, tmp_path: Path) -> None:
    assert confined.process is not None
    process = Path("/proc", str(confined.process.pid))
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    mounts = {line.split()[4]: line.split()[5].split(",") for line in (process / "mountinfo").read_text().splitlines()}
    assert "ro" in mounts["/"] and "rw" in mounts[str(confined.folder / "data")]
    with pytest.raises(OSError, match="Read-only file system"):
        (process / "root" / tmp_path.relative_to("/") / "anything").touch()


def test_the_confined_service_does_its_work(confined: Service) -> None:
    """Accounts, sessions, a sealed key, a structure read by a worker process: all that writes or starts something."""
    confined.add_user()
    with httpx.Client(base_url=confined.url, follow_redirects=True) as browser:
        assert browser.post("/login", data={"name": "ada", "password": PASSWORD}).status_code == 200
        added = confined.command("cluster", "add", "far", "--set", "hostname=127.0.0.1", "--set", "port=1")
        assert added.returncode == 0, added.stderr
        assert browser.post("/clusters/far/key", data={"username": "ada"}).status_code == 200
    assert (confined.folder / "keys" / "master.key").stat().st_mode & 0o777 == 0o600
    answer = confined.client.post("/structures", files={"file": ("mgo.cif", rock_salt("Mg", "O", 4.2))})
    assert (answer.status_code, answer.json()["group"]) == (200, 225), answer.text
