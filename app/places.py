"""Where the folders are that the service reads but Python does not import: pages, static files, templates, migrations.

In a checkout they lie beside the package, at the top level of the repository, where people look for them. A wheel can
carry only what is inside a package, so it has the same folders in `app/_share` (see `pyproject.toml`).
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_IN_A_WHEEL = _PACKAGE / "_share"
_ROOT = _IN_A_WHEEL if _IN_A_WHEEL.is_dir() else _PACKAGE.parent

MIGRATIONS = _ROOT / "alembic"
PAGES = _ROOT / "html_templates"
INPUT_TEMPLATES = _ROOT / "input_templates"
STATIC = _ROOT / "static"
WORKFLOWS = _ROOT / "workflows"
