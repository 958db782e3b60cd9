"""Expressions of workflows: `{{ steps.opt.results.energy_total }}` in parameters, conditions and outputs.

The language of `conditions`, with paths into what is known: `inputs`, `parameters`, `steps.<name>` and, in a fan-out,
`item` and `index`. Of a step with several jobs each entry is a list: `steps.points.results.energy_total` are all energies.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from app.domain.bounds import MAX_TEXT, BoundError, allowance, measured, together, touched
from app.domain.sweeps import converged_at, label
from app.domain.templates.answers import read_number
from app.domain.templates.conditions import FUNCTIONS, Condition, ConditionError, Functions

_PLACE = re2.compile(r"(?s)\{\{(.*?)\}\}")
"""By RE2: Python's own engine would look from each opening brace to the end of the text."""
MAX_SOURCE = 20_000
"""Characters of a parameter with expressions in it."""
ROOTS = frozenset({"inputs", "parameters", "steps", "item", "index"})
Kind = str
"""What a value is: number, boolean, text, list, mapping or any."""


def _known(values: Any) -> list[Any]:
    return [value for value in values if value is not None]


def _at(values: list[Any], wanted: float) -> int:
    """The place of a value in a list."""
    return values.index(wanted)


def _converged(values: list[Any], tolerance: float) -> int:
    """The first place from which on all values lie within `tolerance` of the last one."""
    place = converged_at(values, tolerance)
    if place is None:
        raise ValueError(f"nothing has converged within {tolerance:g}")
    return place


def _rows(key: str, text: str) -> list[dict[str, str]]:
    """Rows of a fan-out from a list such as `2, 4, 6`."""
    return [{key: part.strip()} for part in text.split(";" if ";" in text else ",") if part.strip()]


LISTS: Functions = {
    **FUNCTIONS,
    "sum": lambda values: sum(_known(values)),
    "min": lambda *values: min(_known(values[0] if len(values) == 1 else values)),
    "max": lambda *values: max(_known(values[0] if len(values) == 1 else values)),
    "place": _at,
    "converged": _converged,
    "rows": _rows,
    "number": read_number,
    "cbrt": math.cbrt,
}
"""What expressions of workflows may call besides what the caller adds."""


@dataclass(frozen=True)
class Text:
    """A parameter with expressions in it."""

    source: str
    parts: tuple[str | Condition, ...]

    @property
    def is_whole(self) -> bool:
        """One expression and nothing around it: its value keeps its type."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Condition)

    @property
    def expressions(self) -> list[Condition]:
        """The expressions in the text, in order."""
        return [part for part in self.parts if isinstance(part, Condition)]

    def value(self, names: Mapping[str, Any]) -> Any:
        """The value, or the text with the values in it.

        Raises:
            ConditionError
        """
        parts: list[str] = []
        length = 0
        for part in self.parts:
            value = part if isinstance(part, str) else part.value(names)
            if isinstance(value, float) and not math.isfinite(value):
                raise ConditionError(f"{self.source[:200]!r} is not a finite number")
            if self.is_whole:
                return value
            parts.append(label(value))
            length += len(parts[-1])
            if length > MAX_TEXT:
                raise ConditionError(f"{self.source[:200]!r} makes more than {MAX_TEXT:,} characters (the limit)")
        return "".join(parts)


class Language:
    """The expression language with the functions that a caller adds to `LISTS`."""

    def __init__(self, more: Functions | None = None) -> None:
        self.functions: Functions = {**LISTS, **(more or {})}
        self._parse = lru_cache(maxsize=4096)(self._parsed)

    def _parsed(self, source: str) -> Condition:
        parsed = Condition(source.strip(), self.functions, paths=True)
        if unknown := parsed.names - ROOTS:
            raise ConditionError(
                f"{source.strip()!r} names {', '.join(sorted(unknown))}; known names: {', '.join(sorted(ROOTS))}"
            )
        return parsed

    def condition(self, source: str) -> Condition:
        """One expression, with or without braces around it.

        Raises:
            ConditionError
        """
        whole = _PLACE.fullmatch(source.strip())
        return self._parse(whole.group(1) if whole else source)

    def text(self, source: str) -> Text | None:
        """The expressions in a parameter; None where there are none.

        Raises:
            ConditionError
        """
        if "{{" not in source:
            return None
        if len(source) > MAX_SOURCE:
            raise ConditionError(
                f"a text of {len(source)} characters with expressions; at most {MAX_SOURCE} are allowed"
            )
        parts: list[str | Condition] = []
        end = 0
        stripped = source.strip()
        for match in _PLACE.finditer(stripped):
            if match.start() > end:
                parts.append(stripped[end : match.start()])
            parts.append(self._parse(match.group(1)))
            end = match.end()
        if stripped[end:]:
            parts.append(stripped[end:])
        return Text(source, tuple(parts))

    def computed(self, source: str) -> Text:
        """A value that is computed: an expression with or without braces, or a text with expressions in it.

        Raises:
            ConditionError
        """
        return self.text(source) or Text(source, (self._parse(source),))

    def fill(self, value: Any, names: Mapping[str, Any]) -> Any:
        """A parameter, a list or a mapping of them, with all expressions replaced by their values.

        Raises:
            ConditionError: one of them has no value, or all of them together are too large.
        """
        with together():
            try:
                return measured(self._filled(value, names))
            except BoundError as error:
                raise ConditionError(str(error)) from error

    def _filled(self, value: Any, names: Mapping[str, Any]) -> Any:
        if isinstance(value, str):
            text = self.text(value)
            if text is None:
                return value
            value_of_text = text.value(names)
            allowance().spend(touched(value_of_text))
            return value_of_text
        if isinstance(value, Mapping):
            return {key: self._filled(entry, names) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._filled(entry, names) for entry in value]
        return value

    def inside(self, value: Any) -> Iterator[Condition]:
        """All expressions in a parameter, a list or a mapping of them.

        Raises:
            ConditionError
        """
        if isinstance(value, str):
            text = self.text(value)
            yield from text.expressions if text else ()
        elif isinstance(value, (list, tuple, Mapping)):
            for entry in value.values() if isinstance(value, Mapping) else value:
                yield from self.inside(entry)


def paths(expression: Condition) -> list[tuple[str, ...]]:
    """Every path that an expression walks, the longest ones only: `("steps", "opt", "results", "energy_total")`."""
    listed: list[tuple[str, ...]] = []

    def visit(node: ast.AST) -> None:
        path = _path(node)
        if path:
            listed.append(path)
            return
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(expression.tree)
    return [path for path in listed if path[0] in ROOTS]


def _path(node: ast.AST) -> tuple[str, ...]:
    """A chain of attributes; an index leaves the path where it is."""
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=owner, attr=key):
            before = _path(owner)
            return (*before, key) if before else ()
        case ast.Subscript(value=owner):
            before = _path(owner)
            return (*before, "[]") if before else ()
    return ()


_NUMBERS = frozenset({"len", "abs", "round", "sum", "place", "converged", "number", "cbrt"})


def is_path(expression: Condition) -> bool:
    """The expression is one path and nothing else, not even an index: its value is what stands there."""
    path = _path(expression.tree)
    return bool(path) and "[]" not in path


def kind_of(expression: Condition) -> Kind:
    """What kind of value an expression makes, as far as its form tells; `any` where it does not."""
    match expression.tree:
        case ast.Constant(value=bool()) | ast.Compare() | ast.UnaryOp(op=ast.Not()):
            return "boolean"
        case ast.Constant(value=str()):
            return "text"
        case ast.Constant(value=int() | float()) | ast.UnaryOp(op=ast.USub()):
            return "number"
        case ast.BinOp(op=ast.Sub() | ast.Mult() | ast.Div() | ast.FloorDiv() | ast.Mod()):
            return "number"
        case ast.List() | ast.Tuple():
            return "list"
        case ast.Call(func=ast.Name(id=name)) if name in _NUMBERS:
            return "number"
    return "any"
