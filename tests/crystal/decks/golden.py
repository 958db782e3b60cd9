"""Golden decks: the cases of golden.toml, rendered. Run as a module to write what the test compares with."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from app.library.structures import textbook_crystal
from app.library.templates import TemplateLibrary

HERE = Path(__file__).parent
EXPECTED = HERE / "expected"
CASES: dict[str, dict[str, Any]] = tomllib.loads((HERE / "golden.toml").read_text(encoding="utf-8"))
LIBRARY = TemplateLibrary()
_CELL = ("a", "b", "c", "alpha", "beta", "gamma")
_STRUCTURE = {"title", "system", "space_group", "layer_group", "atoms", "rhombohedral", "origin", *_CELL}


def parameters_of(case: dict[str, Any]) -> dict[str, Any]:
    """The example of the template; with another structure in it where one is named; then what the case says."""
    asked = case.get("parameters", {})
    values = dict(LIBRARY.get(case["template"]).spec.example)
    if "textbook" in case or "system" in asked or "space_group" in asked:
        values = {key: value for key, value in values.items() if key not in _STRUCTURE}
    if "textbook" in case:
        values |= textbook_crystal(case["textbook"]).parameters
    return values | asked


def decks_of(case: dict[str, Any]) -> dict[str, str]:
    return LIBRARY.render(case["template"], parameters_of(case)).decks


if __name__ == "__main__":
    for name, case in CASES.items():
        folder = EXPECTED / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in decks_of(case).items():
            (folder / file).write_text(text, encoding="utf-8")
