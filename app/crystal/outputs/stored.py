"""Results as they are stored, in the shape of now: what an older reader did not know is absent from its documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from app.crystal.outputs.results import Results


def with_all_fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Stored results with every field of `Results` and of its parts; what is missing has the field's default, else None.

    Parts stay mappings; a part that is None stays None.
    """
    return _completed(Results, stored)


@dataclass(frozen=True)
class _Field:
    name: str
    default: Callable[[], Any]
    part: type | None
    """The dataclass in it, if any: by itself, or as the members of a list."""


@cache
def _fields(owner: type) -> tuple[_Field, ...]:
    hints = get_type_hints(owner)
    return tuple(_Field(field.name, _default(field), _part(hints[field.name])) for field in fields(owner))


def _default(field: Any) -> Callable[[], Any]:
    if field.default_factory is not MISSING:
        make: Callable[[], Any] = field.default_factory
        return (lambda: asdict(make())) if is_dataclass(make) else make
    value = None if field.default is MISSING else field.default
    return lambda: value


def _part(hint: Any) -> type | None:
    """The first dataclass that a type is made of; mappings by free names are kept as they are."""
    if isinstance(hint, type) and is_dataclass(hint):
        return hint
    if get_origin(hint) is dict:
        return None
    parts = (_part(inner) for inner in get_args(hint) if inner is not NoneType)
    return next((part for part in parts if part is not None), None)


def _completed(owner: type, stored: Mapping[str, Any]) -> dict[str, Any]:
    completed = dict(stored)
    for field in _fields(owner):
        if field.name not in stored:
            completed[field.name] = field.default()
        elif field.part is not None:
            completed[field.name] = _filled(field.part, stored[field.name])
    return completed


def _filled(part: type, value: Any) -> Any:
    if isinstance(value, Mapping):
        return _completed(part, value)
    if isinstance(value, list) and value and not _is_complete(part, value[0]):
        return [_filled(part, member) for member in value]
    return value


def _is_complete(part: type, member: Any) -> bool:
    """Whether a member of a list has all fields: then the others have them too, since one reader wrote them all."""
    simple = all(field.part is None for field in _fields(part))
    return simple and isinstance(member, Mapping) and all(field.name in member for field in _fields(part))
