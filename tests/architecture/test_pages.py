"""Pages, styles and scripts can be read: one thing a line."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDEST = 120
FILES = [
    *sorted((ROOT / "html_templates").rglob("*.html")),
    *sorted((ROOT / "static" / "css").glob("*.css")),
    *sorted((ROOT / "static" / "js").glob("*.js")),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_line_is_wider_than_a_screen(path: Path) -> None:
    wide = [number for number, line in enumerate(path.read_text().splitlines(), 1) if len(line) > WIDEST]
    assert wide == []


def test_a_declaration_has_its_line() -> None:
    crowded = [
        f"{path.name}:{number}"
        for path in FILES
        if path.suffix == ".css"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r";\s*\S|\{\s*\S", line) and not line.startswith("/*")
    ]
    assert crowded == []


def test_the_first_load_is_small() -> None:
    """What every page loads: styles and scripts, compressed."""
    layout = (ROOT / "html_templates" / "layout.html").read_text()
    loaded = [ROOT / "static" / name for name in re.findall(r"asset\('([^']+\.(?:css|js))'\)", layout)]
    assert len(loaded) > 5
    assert sum(len(gzip.compress(path.read_bytes())) for path in loaded) < 60_000
