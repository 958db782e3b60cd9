"""constraints.txt: every package that a part needs, at one version, by hash and without address."""

from __future__ import annotations

import re
import subprocess
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.machines.lab import REPOSITORY

PARTS = ("service", "build", "preview", "basis", "dev")
BASE = {"service": (), "build": (), "preview": ("service",), "basis": ("service",), "dev": PARTS[:-1]}
"""What a part comes on top of."""


def part(*names: str) -> dict[str, Requirement]:
    """The requirements of parts, by name."""
    out = subprocess.run(
        [REPOSITORY / "scripts" / "requirements", *names], check=True, capture_output=True, text=True
    ).stdout
    found = [Requirement(line.rstrip(" \\")) for line in out.splitlines() if line[:1] not in ("", " ", "#")]
    assert len({one.name for one in found}) == len(found), "a package stands twice"
    return {canonicalize_name(one.name): one for one in found}


def wanted() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for, by part."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    asked = {"service": project["project"]["dependencies"], "build": project["build-system"]["requires"], **extras}
    return {name: [Requirement(line) for line in lines] for name, lines in asked.items()}


def test_each_part_holds_what_is_asked_for() -> None:
    """If not: run scripts/lock."""
    assert set(wanted()) == set(PARTS)
    for name, requirements in wanted().items():
        pinned = part(*BASE[name], name)
        for requirement in requirements:
            pin = pinned.get(canonicalize_name(requirement.name))
            assert pin is not None, f"{requirement.name} is not pinned in the part {name}: run scripts/lock"
            [version] = [one.version for one in pin.specifier]
            assert requirement.specifier.contains(version), f"{pin} is not {requirement}: run scripts/lock"


def test_each_package_has_hashes_and_none_an_address() -> None:
    text = (REPOSITORY / "constraints.txt").read_text()
    assert "://" not in text and " @ " not in text
    blocks = re.findall(
        r"^(\S+?)==\S+ (?:; [^\\\n]+ )?\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE
    )
    assert [name for name, _ in blocks] == re.findall(r"^([A-Za-z0-9][^ =]*)==", text, re.MULTILINE)
    assert {canonicalize_name(name.partition("[")[0]) for name, _ in blocks} == set(part(*PARTS))


def test_a_part_that_is_not_there_is_named() -> None:
    done = subprocess.run(
        [REPOSITORY / "scripts" / "requirements", "nothing"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no part 'nothing'" in done.stderr and "preview" in done.stderr
