"""From typed values to decks: the context that templates see, the sandbox they render in, the checks on the result.

A deck is physics: it is text, never HTML-escaped, and nothing in it is changed silently.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Mapping
from typing import Any

import jinja2
import numpy as np
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.crystal.decks.facts import MAX_LINE, Supplies, Wrong, expand_ranges, facts_of
from app.crystal.decks.reading import oversize
from app.crystal.elements import atomic_number
from app.crystal.structures.bulk import number
from app.domain.templates.metadata import TemplateFile, TemplateSpec, refuse
from app.errors import ConfigurationError

_FAULTS = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What a template's own expressions raise when they meet a value that their author did not think of."""


_METHODS = {"record_in"}
"""Methods of our own objects that a template may call; everything else of them is data."""
_PLAIN = (str, int, float, bool, list, tuple, dict, type(None))


class DeckEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, narrowed: arrays have no attributes (some of their methods write files), our objects no methods."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Jinja's hook: as in its sandbox, and nothing of numpy's arrays, whose methods could write files."""
        return not isinstance(obj, (np.ndarray, np.generic)) and super().is_safe_attribute(obj, attr, value)

    def is_safe_callable(self, obj: Any) -> bool:
        """Jinja's hook: only functions, Jinja's own objects, and the listed methods of plain values may be called."""
        owner = getattr(obj, "__self__", None)
        ours = owner is None or isinstance(owner, _PLAIN) or type(owner).__module__.startswith("jinja2.")
        return (ours or getattr(obj, "__name__", "") in _METHODS) and super().is_safe_callable(obj)


def environment(sources: Mapping[str, str]) -> jinja2.Environment:
    """The sandbox: no attribute access to internals, no undefined names, no HTML escaping."""
    env = DeckEnvironment(
        loader=jinja2.DictLoader(sources),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # The optimiser evaluates constants while it compiles: 'x' * 10**10 would be computed without any limit.
        optimized=False,
    )
    env.filters["number"] = number
    env.globals |= {"expand_ranges": expand_ranges, "wrap": wrap, "net": net, "z_of": atomic_number}
    return env


def wrap(text: str) -> str:
    """Numbers broken over lines as Fortran list input allows."""
    return "\n".join(textwrap.wrap(text, MAX_LINE, break_on_hyphens=False))


def net(factors: list[int], gilat: int) -> str:
    """The records of SHRINK and NEWK: `IS ISP`, or `0 ISP` and one factor for each direction."""
    return f"{factors[0]} {gilat}" if len(factors) == 1 else f"0 {gilat}\n{' '.join(map(str, factors))}"


class DeckWriter:
    """One template, compiled once; it may be used from several threads."""

    def __init__(self, spec: TemplateSpec, sources: Mapping[str, str]) -> None:
        self._spec = spec
        self._environment = environment(sources)

    def compile(self) -> None:
        """Raise ValueError where a file is no Jinja template."""
        for file in self._spec.files:
            try:
                self._environment.get_template(file.source)
            except jinja2.TemplateError as error:
                line = getattr(error, "lineno", None)
                where = f"{getattr(error, 'name', None) or file.source}{f', line {line}' if line else ''}"
                raise ValueError(f"{where}: {error}") from error

    def write(self, values: dict[str, Any], supplies: Supplies | None = None) -> dict[str, str]:
        """Decks by file name.

        Raises:
            InvalidInput: the values make no correct deck; names the fields.
            ConfigurationError: the template itself is at fault.
        """
        context = deck_context(self._spec, values, supplies or Supplies())
        decks: dict[str, str] = {}
        for file in self._spec.files:
            try:
                if not file.wanted(context):
                    continue
                text = self._environment.get_template(file.source).render(context)
            except (jinja2.TemplateError, *_FAULTS) as error:
                raise ConfigurationError(
                    f"Template {self._spec.id} cannot be rendered: {file.source}: {error}.",
                    hint="This is an error in the template, not in your values: tell its author.",
                ) from error
            decks[file.name] = text if file.verbatim else check_form(self._spec, file, text)
        return decks


def deck_context(spec: TemplateSpec, values: dict[str, Any], supplies: Supplies) -> dict[str, Any]:
    """The field values (invisible fields as None) and what follows from them."""
    context: dict[str, Any] = {field.key: values.get(field.key) for field in spec.fields}
    try:
        return context | facts_of(values, supplies, set(context))
    except Wrong as wrong:
        raise refuse(spec.id, wrong.errors) from wrong


def check_form(spec: TemplateSpec, file: TemplateFile, text: str) -> str:
    """Return the deck unchanged when it has the form that CRYSTAL reads, else raise ConfigurationError."""
    faults = []
    if reason := oversize(text):
        faults.append(reason)
    lines = text.split("\n")
    if file.role != "auxiliary":
        if not text.endswith("\n") or not lines[0].strip():
            faults.append("it must begin with a title and end with a newline")
        if not any(line[:3] == "END" for line in lines[-3:]):
            faults.append("its last record is not END")
    long = [index for index, line in enumerate(lines, start=1) if len(line) > MAX_LINE]
    if long:
        faults.append(f"line {long[0]} is longer than {MAX_LINE} characters")
    if not text.isascii():
        faults.append("it contains non-ASCII characters")
    if faults:
        raise ConfigurationError(
            f"Template {spec.id} wrote a deck {file.name} that CRYSTAL would not read: {'; '.join(faults)}.",
            hint="Shorten the title or the values; if this persists, tell the template's author.",
        )
    return text


def written_roles(decks: Mapping[str, str]) -> dict[str, str]:
    """The decks among a job's files, each with its role; what lies beside them has none."""
    roles = {name: name.rpartition(".")[2] for name in decks}
    return {name: role for name, role in roles.items() if role in ("d12", "d3")}


def for_trial(text: str) -> str:
    """The deck with TESTPDIM before its last END: CRYSTAL then stops when it has read everything and knows the sizes."""
    lines = text.rstrip("\n").split("\n")
    last = max((index for index, line in enumerate(lines) if line.strip()[:3] == "END"), default=len(lines))
    return "\n".join([*lines[:last], "TESTPDIM", *lines[last:]]) + "\n"


def content_digest(decks: Mapping[str, str], attached: Mapping[str, str]) -> str:
    """One checksum of what a job computes: decks without their titles, and the checksums of files by name."""
    roles = written_roles(decks)
    bodies = {name: text.partition("\n")[2] if roles.get(name) == "d12" else text for name, text in decks.items()}
    # What the decks are called decides only what their outputs are called.
    parts = sorted((roles.get(name, name), body) for name, body in bodies.items())
    return hashlib.sha256(json.dumps([parts, sorted(attached.items())]).encode()).hexdigest()
