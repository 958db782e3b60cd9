"""Jinja for pages: a part that htmx asks for is a file that the page includes, so that both come from one source."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app import places
from app.crystal.constants import HARTREE_EV
from app.crystal.outputs.stability import judge_stability
from app.crystal.outputs.stored import with_all_fields
from app.domain.people.permissions import can
from app.domain.resources import format_walltime
from app.domain.states import Priority
from app.domain.sweeps import label
from app.domain.templates.fields import FieldSpec
from app.errors import CrystalDeckError
from app.routes.graph_nodes import edge_words, lineage_nodes, run_nodes, step_nodes
from app.routes.tables import atom_table, flat_rows, formatted, number_table

# A misspelt name is an error, not an empty cell.
pages = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(places.PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
)


def load_pages() -> None:
    """Compile all pages, so that the first visitor need not wait for it."""
    for name in pages.env.list_templates(extensions=["html"]):
        pages.env.get_template(name)


@lru_cache
def asset(path: str) -> str:
    """URL of a static file with a checksum, so that browsers may keep it for ever."""
    digest = hashlib.sha256((places.STATIC / path).read_bytes()).hexdigest()[:12]
    return f"/static/{path}?v={digest}"


def ago(moment: datetime | None) -> str:
    """`12 s ago`; the page shows the exact time on hover."""
    if moment is None:
        return "never"
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def file_size(size: int) -> str:
    """A size in bytes, in the unit that suits it."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def px(length: float) -> str:
    """A coordinate in a drawing."""
    return f"{length:.1f}"


def hartree(value: float | None) -> str:
    """An energy in hartree with eight decimals; empty where there is none."""
    return "" if value is None else f"{value:.8f}"


def told(value: Any) -> str:
    """A computed value as people read it: numbers with the digits that mean something, lists by their members."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.8f}".rstrip("0").rstrip(".") if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.6e}"
    if isinstance(value, list):
        if len(value) > 40:
            return ", ".join(map(told, value[:40])) + ", …"
        return ", ".join(map(told, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {told(entry)}" for key, entry in value.items())
    return str(value)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 warning`, `2 warnings`; the plural is named where it is not made with an s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def in_ev(value: float | None) -> str:
    """An energy in hartree, shown in eV; empty where there is none."""
    return "" if value is None else f"{value * HARTREE_EV:.5f} eV"


def axis_value(value: Any) -> str:
    """A value on an axis of a sweep."""
    return "" if value is None else label(value)


_ICONS = {
    "draft": "pencil", "waiting": "clock", "queued": "clock", "held": "pause", "staging": "upload", "submitted": "send",
    "running": "play", "finishing": "download", "completed": "check", "failed": "x", "cancelled": "ban", "skipped": "skip",
}  # fmt: skip

_PARTS_OF = {
    "title": "title", "system": "kind", "space_group": "group", "layer_group": "group", "rod_group": "group",
    "point_group": "group", "rhombohedral": "kind", "origin": "kind", "a": "cell", "b": "cell", "c": "cell", "alpha": "cell",
    "beta": "cell", "gamma": "cell", "atoms": "atom", "geometry_file": "kind", "basis_text": "basis", "basis_library": "basis",
    "basis_elements": "basis", "functional": "DFT",
}  # fmt: skip


def lights(spec: FieldSpec) -> str:
    """The parts of a deck that a field writes: its keywords, or a part of the geometry."""
    words: list[str] = re.findall(r"[A-Z0-9]{3,}", spec.keyword)
    return " ".join(filter(None, [*words, _PARTS_OF.get(spec.key, "")]))


pages.env.filters |= {
    "ago": ago,
    "counted": counted,
    "file_size": file_size,
    "formatted": formatted,
    "flat_rows": flat_rows,
    "stability": judge_stability,
    "hartree": hartree,
    "px": px,
    "results": with_all_fields,
    "in_ev": in_ev,
    "walltime": format_walltime,
    "axis_value": axis_value,
    "told": told,
}
STEP_ICONS = {**_ICONS, "asking": "question", "paused": "pause", "ready": "clock", "active": "play", "later": "clock"}
"""Runs of workflows and their steps have some states more than jobs."""


pages.env.globals |= {
    "asset": asset,
    "state_icons": _ICONS,
    "step_icons": STEP_ICONS,
    "step_nodes": step_nodes,
    "run_nodes": run_nodes,
    "edge_words": edge_words,
    "lineage_nodes": lineage_nodes,
    "priorities": list(Priority),
    "lights": lights,
    "number_table": number_table,
    "atom_table": atom_table,
}
_UI = SimpleNamespace()
pages.env.globals["ui"] = _UI
for _subject in ("icons", "fields", "forms", "tables", "charts", "decks", "results"):
    _macros = pages.env.get_template(f"macros/{_subject}.html").module
    vars(_UI).update({name: macro for name, macro in vars(_macros).items() if not name.startswith("_")})


def is_fragment(request: Request) -> bool:
    """Did htmx ask for a part of a page?"""
    return request.headers.get("hx-request-type") == "partial" or (
        "hx-request" in request.headers and "hx-request-type" not in request.headers
    )


def page(request: Request, file: str, /, *, part: str = "", status: int = 200, **context: Any) -> Response:
    """A page; `part` names the file that htmx gets instead when it asks for a part of the page."""
    context.setdefault("actor", getattr(request.state, "actor", None))
    # What a page offers is what its reader may do; the services decide again when it is done.
    context["may"] = partial(can, context["actor"])
    response: Response = pages.TemplateResponse(
        request, part if part and is_fragment(request) else file, context, status_code=status
    )
    response.headers["Vary"] = "HX-Request, HX-Request-Type"
    return response


def render_error(request: Request, error: CrystalDeckError) -> Response:
    """An error as a page, or as the part that htmx asked for."""
    return page(request, "error.html", part="error_message.html", status=error.status, error=error)
