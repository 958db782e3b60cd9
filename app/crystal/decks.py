"""From typed values to decks: the context that templates see, the sandbox they render in, the checks on the result.

A deck is physics: it is text, never HTML-escaped, and nothing in it is changed silently.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.crystal.basis import uncovered
from app.crystal.elements import minimal_basis_size
from app.crystal.kpaths import standard_path
from app.crystal.structures import Bulk, StructureError, number, read_bulk
from app.domain.templates import TemplateSpec, refuse
from app.errors import ConfigurationError, FieldError

MAX_LINE = 80
"""CRYSTAL cuts titles here; records are kept below it too."""
MAX_DECK = 1_000_000


def environment(sources: Mapping[str, str]) -> jinja2.Environment:
    """The sandbox: no attribute access to internals, no undefined names, no HTML escaping."""
    env = ImmutableSandboxedEnvironment(
        loader=jinja2.DictLoader(sources),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters["number"] = number
    return env


class DeckWriter:
    """One template, compiled once; it may be used from several threads."""

    def __init__(self, spec: TemplateSpec, sources: Mapping[str, str]) -> None:
        self._spec = spec
        self._environment = environment(sources)

    def write(self, values: dict[str, Any]) -> dict[str, str]:
        """Decks by file name.

        Raises:
            InvalidInput: the values make no correct deck; names the fields.
            ConfigurationError: the template itself is at fault.
        """
        context = deck_context(self._spec, values)
        decks: dict[str, str] = {}
        for file in self._spec.files:
            if not file.wanted(context):
                continue
            try:
                text = self._environment.get_template(file.source).render(context)
            except jinja2.TemplateError as error:
                raise ConfigurationError(
                    f"Template {self._spec.id} cannot be rendered: {file.source}: {error}.",
                    hint="This is a fault of the template, not of your values: tell its author.",
                ) from error
            decks[file.name] = text if file.verbatim else check_form(self._spec, file.name, text)
        return decks


def deck_context(spec: TemplateSpec, values: dict[str, Any]) -> dict[str, Any]:
    """The field values (invisible fields as None) and what follows from them: structure, band path, band range."""
    context: dict[str, Any] = {field.key: values.get(field.key) for field in spec.fields}
    if "space_group" not in values:
        return context
    try:
        structure = read_bulk(values)
    except StructureError as error:
        raise refuse(spec.id, [FieldError(error.field, str(error))]) from error
    errors = _physical_errors(structure, values)
    if errors:
        raise refuse(spec.id, errors)
    context["structure"] = structure
    context["multiplicities"] = structure.multiplicities
    context["projections"] = _projections(structure)
    bands = _band_range(structure, values)
    if bands["first_band"] > bands["last_band"]:
        reason = f"must not be above the last band, {bands['last_band']}"
        raise refuse(spec.id, [FieldError("first_band", reason, str(bands["first_band"]))])
    context |= bands
    if any(file.name == "bands.d3" for file in spec.files):
        context["path"] = standard_path(structure)
    return context


def _physical_errors(structure: Bulk, values: dict[str, Any]) -> list[FieldError]:
    errors = []
    basis = values.get("basis_set", "")
    if values.get("basis_kind") == "internal" and (missing := uncovered(basis, structure.numbers)):
        errors.append(FieldError("basis_set", f"does not cover {', '.join(missing)}", basis))
    if values.get("dispersion") and values.get("functional") not in D3_FUNCTIONALS:
        errors.append(
            FieldError("dispersion", f"is parametrised only for {', '.join(D3_FUNCTIONALS)}", str(values["functional"]))
        )
    return errors


D3_FUNCTIONALS = ("BLYP", "PBEXC", "B3LYP", "PBE0", "HSE06", "M06")
"""Functionals of the form that take the suffix -D3."""


def _projections(structure: Bulk) -> list[str]:
    """DOSS records `-N a1 … aN` by element, wrapped as Fortran list input allows.

    CRYSTAL lists the images of one atom of the asymmetric unit together, in the deck's order.
    """
    by_element: dict[int, list[int]] = {}
    start = 1
    for z, count in zip(structure.numbers, structure.multiplicities, strict=True):
        by_element.setdefault(z, []).extend(range(start, start + count))
        start += count
    records = [f"-{len(atoms)} " + " ".join(map(str, atoms)) for atoms in by_element.values()]
    return ["\n".join(textwrap.wrap(record, MAX_LINE, break_on_hyphens=False)) for record in records]


def _band_range(structure: Bulk, values: dict[str, Any]) -> dict[str, int]:
    """First and last band: all occupied ones and some above, never more than the basis certainly has."""
    occupied = -(-structure.electrons // 2)
    virtual = max(8, occupied // 2)
    if values.get("basis_set") == "STO-3G":
        virtual = max(1, sum(minimal_basis_size(z) for z in structure.primitive[1]) - occupied)
    last = values.get("last_band") or occupied + min(virtual, 30)
    return {"first_band": values.get("first_band") or 1, "last_band": last, "occupied_bands": occupied}


def check_form(spec: TemplateSpec, name: str, text: str) -> str:
    """Return the deck unchanged when it has the form that CRYSTAL reads, else raise ConfigurationError."""
    faults = []
    lines = text.split("\n")
    if len(text) > MAX_DECK:
        faults.append(f"it is longer than {MAX_DECK} characters")
    if not text.endswith("\n") or not lines[0].strip():
        faults.append("it must begin with a title and end with a line end")
    if not any(line[:3] == "END" for line in lines[-3:]):
        faults.append("its last record is not END")
    long = [index for index, line in enumerate(lines, start=1) if len(line) > MAX_LINE]
    if long:
        faults.append(f"line {long[0]} is longer than {MAX_LINE} characters")
    if not text.isascii():
        faults.append("it holds characters that are not ASCII")
    if faults:
        raise ConfigurationError(
            f"Template {spec.id} wrote a deck {name} that CRYSTAL would not read: {'; '.join(faults)}.",
            hint="Shorten the title or the values; if this stays, tell the template's author.",
        )
    return text
