"""Which release of CRYSTAL has what an answer asks for, and whether a cluster's is late enough.

Releases are named by their year: 17 is CRYSTAL17. The first builds of CRYSTAL23 print CRYSTAL22, so these two count as one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.templates.answers import shortened
from app.domain.templates.fields import FieldSpec
from app.domain.templates.metadata import TemplateSpec
from app.errors import FieldError

_NAME = re.compile(r"CRYSTAL ?(\d\d)\b")
_SAME = {22: 23}
_LAST_CENTURY = 80


@dataclass(frozen=True)
class Demand:
    """An answer that only programs of the year `since` or later understand."""

    field: str
    label: str
    value: str
    since: int
    keyword: str = ""


def release_of(program: str) -> int | None:
    """The year in a program's own name, such as `CRYSTAL23 1.0.1`; None: it is not known."""
    match = _NAME.search(program)
    if match is None:
        return None
    year = int(match[1])
    return _SAME.get(year, year) if year < _LAST_CENTURY else 0


def demands(spec: TemplateSpec, values: Mapping[str, Any]) -> Iterator[Demand]:
    """What the template and these answers need beside a release that everybody has."""
    if spec.since:
        yield Demand("template", spec.title, spec.id, spec.since)
    for field in spec.fields:
        value = values.get(field.key)
        since = max(field.since, *(choice.since for choice in field.choices if _is_chosen(choice.value, value)), 0)
        if since and value not in (None, False, "", []):
            yield Demand(field.key, field.label, shortened(field.as_text(value), 60), since, _keyword(field, value))


def _is_chosen(choice: str, value: Any) -> bool:
    return choice in value if isinstance(value, list) else choice == value


def _keyword(field: FieldSpec, value: Any) -> str:
    return str(value) if field.type == "choice" else field.keyword


def too_old(spec: TemplateSpec, values: Mapping[str, Any], program: str, cluster: str) -> list[FieldError]:
    """The answers that the cluster's program does not understand; nothing where its release is not known."""
    release = release_of(program)
    if release is None:
        return []
    return [
        FieldError(
            wish.field,
            f"({wish.keyword or wish.label}) needs CRYSTAL{wish.since:02} or later, but {cluster} runs {program}: "
            "choose another cluster, or leave it out",
            wish.value,
        )
        for wish in demands(spec, values)
        if wish.since > release
    ]


def unproved(spec: TemplateSpec, values: Mapping[str, Any], program: str) -> list[Demand]:
    """What a program of unknown release may not understand."""
    return list(demands(spec, values)) if release_of(program) is None else []
