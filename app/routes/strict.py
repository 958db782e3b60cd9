"""A misspelt name is refused by name. An ignored `ownr=bob` would turn "Bob's jobs" into "all jobs".

One dependency of the whole application compares the names of a request with those that its route declares; forms that a page
reads itself pass through `known_fields`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from fastapi import Request, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import FormData

from app.errors import FieldError, InvalidInput

TOLD = 10
"""Wrong names of one request that are told: finding what was meant takes a millisecond each."""


async def refuse_unknown(request: Request) -> None:
    """Refuse parameters that the route does not have, single ones that are given twice, and texts with a NUL.

    Raises:
        InvalidInput: names each.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    query, form = _declared(route)
    wrong = _wrong_names(request.query_params.multi_items(), query, "this address")
    sent = getattr(request, "_form", None)
    if form and isinstance(sent, FormData):
        wrong += _wrong_names(sent.multi_items(), form, "this form")
    wrong += [
        FieldError(name, "must not contain the character NUL")
        for name, value in (*request.query_params.multi_items(), *request.path_params.items())
        if "\0" in str(value)
    ]
    _refuse(wrong, "request")


def known_fields(form: FormData, names: Iterable[str], *, prefixes: Sequence[str] = ()) -> None:
    """Refuse fields that a form does not have; those with one of the `prefixes` belong to it whatever follows."""
    sent = [(name, value) for name, value in form.multi_items() if not name.startswith(tuple(prefixes))]
    _refuse(_wrong_names(sent, dict.fromkeys(names, True), "this form"), "form")


def number_of(text: object) -> int | None:
    """The number of objects that a page showed and a person confirmed; None where none was.

    Raises:
        InvalidInput: it is not a number.
    """
    if not text:
        return None
    if not isinstance(text, str) or not text.isdecimal() or len(text) > 9:
        raise InvalidInput("The confirmed number is not a number.", hint="Go back and check again.",
                           fields=[FieldError("expect", "must be a number", str(text)[:40])])  # fmt: skip
    return int(text)


def _wrong_names(sent: Iterable[tuple[str, Any]], known: dict[str, bool], where: str) -> list[FieldError]:
    """Errors of names that are not `known`, or come twice though they hold one value."""
    wrong: dict[str, FieldError] = {}
    seen: set[str] = set()
    for name, value in sent:
        if name not in known:
            if len(wrong) >= TOLD:
                break
            near = get_close_matches(name[:60], known, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else f"; it takes {', '.join(known) or 'none'}"
            wrong[name] = FieldError(name[:60], f"is not known at {where}{hint}", str(value)[:80])
        elif name in seen and not known[name]:
            wrong[name] = FieldError(name, "appears twice, but takes one value", str(value)[:80])
        seen.add(name)
    return list(wrong.values())


def _refuse(wrong: list[FieldError], what: str) -> None:
    if wrong:
        listed = "; ".join(f"{one.field} {one.reason}" for one in wrong[:5])
        raise InvalidInput(
            f"The {what} cannot be understood: {listed}.", hint="Correct the names; nothing was done.", fields=wrong
        )


_DECLARED: dict[object, tuple[dict[str, bool], dict[str, bool]]] = {}
"""By the function of a route, since routes themselves cannot be hashed."""


def _declared(route: APIRoute) -> tuple[dict[str, bool], dict[str, bool]]:
    """Query and form parameters of a route by name, and whether each may come several times."""
    if route.endpoint in _DECLARED:
        return _DECLARED[route.endpoint]
    query: dict[str, bool] = {}
    form: dict[str, bool] = {}
    for dependant in _all_of(route.dependant):
        query |= {field.alias: _is_several(field.field_info.annotation) for field in dependant.query_params}
        form |= {
            field.alias: _is_several(field.field_info.annotation)
            for field in dependant.body_params
            if isinstance(field.field_info, params.Form)
        }
    return _DECLARED.setdefault(route.endpoint, (query, form))


def _all_of(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _all_of(inner)


def _is_several(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_several(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return any(_is_several(one) for one in get_args(annotation))
    kind = origin or annotation
    return isinstance(kind, type) and issubclass(kind, Sequence | set | frozenset) and not issubclass(kind, str | bytes)
