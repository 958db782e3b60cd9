"""What the developer's pages say of the code is so: paths exist, and the table of rooms is that of the imports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "developer").glob("*.md"))
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))


def test_the_table_of_rooms_is_that_of_the_imports() -> None:
    printed = subprocess.run(
        [sys.executable, ROOT / "scripts" / "rooms"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert printed.count("\n") > 20
    assert printed in (ROOT / "docs" / "developer" / "architecture.md").read_text(), "run scripts/rooms --write"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    for name in re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]+)`", page.read_text()):
        assert (ROOT / name).exists(), name


def test_where_a_thing_is_done_is_told_by_whole_paths() -> None:
    text = (ROOT / "docs" / "developer" / "architecture.md").read_text()
    answers = text.split("## Where is …?")[1].split("##")[0]
    paths = re.findall(r"`((?:app|tests|input_templates|html_templates)[\w./]*)`", answers)
    assert len(paths) > 25
    assert not [path for path in paths if not (ROOT / path).exists()]
