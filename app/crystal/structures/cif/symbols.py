"""Space groups by their symbols in every spelling that CIFs have, as candidates: a symbol need not say origin or axes.

The tables are those of gemmi and spglib (530 settings and some more); spellings differ in blanks, underscores, brackets, case,
missing bars (`F m 3 m`), the ones of a monoclinic symbol, and in how they tell origin or axes (`:2`, `S`/`Z` of ICSD, `:H`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import gemmi
import numpy as np
import spglib

from app.crystal.structures.bulk import Matrix
from app.crystal.structures.cif.operations import Group, fitted, hall_group


@dataclass(frozen=True)
class Setting:
    """One setting of a space group. Those of a lower tier count only where those before do not fit the cell."""

    hall: str
    number: int
    name: str
    choice: str = ""
    """1 or 2 (origin), H or R (axes), as the tables have them."""
    tier: int = 0

    @property
    def group(self) -> Group:
        """Its operations."""
        return hall_group(self.hall)


LONGEST = 80
"""Characters of a symbol, with all that people write behind it."""
_CHOICE = re.compile(r"[\s:]*(?::\s*([12hr])|\(?origin\s*(?:choice|at)?\s*([12])\)?|(?<=\s)([szhr]))\s*$")
_NUMBER = re.compile(r"[\s,;(]*(?:no\.?|nr\.?|#)\s*\d+\s*\)?\s*$")
_CHOICES = {"s": "1", "z": "2", "h": "H", "r": "R", "1": "1", "2": "2"}
_MONOCLINIC = re.compile(r"([a-z]) (1 1 (?P<c>.*)|1 (?P<b>\S+) 1|(?P<a>\S+) 1 1)")


def candidates(symbol: str, number: int = 0) -> list[Setting]:
    """The settings that a Hermann–Mauguin symbol may mean, best first; empty: the symbol is not known.

    Args:
        number: that of the file, 0: none. It only helps to read a symbol that is spelled in a doubtful way.
    """
    if len(symbol) > LONGEST:
        return []
    text, choice = _split(symbol)
    found = _lookup(text, number)
    if not found and text.startswith("h"):
        # The Protein Data Bank's name of R groups on hexagonal axes.
        found, choice = _lookup("r" + text[1:], number), "H"
    if not found and text[-1:] in _CHOICES:
        # `Fd3mS`, without a blank.
        found, choice = _lookup(text[:-1], number), _CHOICES[text[-1]]
    chosen = [setting for setting in found if choice and setting.choice == choice]
    return chosen or found


def by_hall(symbol: str) -> list[Setting]:
    """The setting of a Hall symbol; empty: it is none."""
    if len(symbol) > LONGEST:
        return []
    text = " ".join(symbol.replace("_", " ").split())
    exact = _hall_names().get(text.replace(" ", "").lower())
    if exact is not None:
        return [exact]
    try:
        group = hall_group(text)
    except ValueError:
        return []
    return [Setting(text, group.number(_any_lattice(group)), f"of the Hall symbol {text[:30]}")]


def by_number(number: int) -> list[Setting]:
    """The settings of a number: first those that the tables call standard, then all others."""
    own = [setting for settings in _table().values() for setting in settings if setting.number == number]
    unique = list({setting.hall: setting for setting in own}.values())
    standard = {row.hm for row in gemmi.spacegroup_table() if row.number == number and row.is_reference_setting()}
    tiered = [replace(entry, tier=int(entry.name.partition(":")[0] not in standard)) for entry in unique]
    return sorted(tiered, key=lambda setting: setting.tier)


def _split(symbol: str) -> tuple[str, str]:
    """The symbol in lower case with single blanks, and its choice of origin or axes."""
    text = re.sub(r"[\u2010-\u2015\u2212]", "-", symbol.strip().strip("'\"").lower())
    text = _NUMBER.sub("", text)
    choice = ""
    if match := _CHOICE.search(text):
        choice = _CHOICES[next(part for part in match.groups() if part)]
        text = text[: match.start()]
    text = re.sub(r"\((\d)\)", r"\1", text)
    text = re.sub(r"[~{}$\\^]|(?<=\d)_(?=\d)", "", text)
    return " ".join(text.replace("_", " ").split()), choice


def _lookup(text: str, number: int) -> list[Setting]:
    exact = _table().get(text)
    if exact:
        return exact
    compact = text.replace(" ", "")
    for table in (_compact(), _barless()):
        found = table.get(compact, [])
        numbered = [setting for setting in found if setting.number == number]
        if numbered:
            return numbered
        if found and _may_be(text, found):
            return found
    return []


def _may_be(text: str, settings: list[Setting]) -> bool:
    """Is each blank of the text a blank of the symbol? `P 3 2` is not `P 32`."""
    gaps = _gaps(text)
    return any(gaps <= _gaps(setting.name.partition(":")[0].lower()) for setting in settings)


def _gaps(text: str) -> set[int]:
    gaps, at = set(), 0
    for part in re.sub(r"\s*/\s*", "/", text.replace("-", "")).split()[:-1]:
        at += len(part)
        gaps.add(at)
    return gaps


@lru_cache(maxsize=1)
def _table() -> dict[str, list[Setting]]:
    """Settings by symbols with blanks, in lower case."""
    table: dict[str, list[Setting]] = {}
    keys: dict[bytes, tuple[str, str]] = {}
    for row in gemmi.spacegroup_table():
        choice = row.ext.strip("\0 ")
        _add(table, row.hm, Setting(row.hall, row.number, row.xhm(), choice))
        keys[_key(row.hall)] = (row.xhm(), choice)
    for hall in range(1, 531):
        kind = spglib.get_spacegroup_type(hall)
        assert kind is not None
        name, choice = keys.get(_key(kind.hall_symbol), (kind.international_full, kind.choice))
        choice = choice if choice in ("1", "2", "H", "R") else ""
        setting = Setting(kind.hall_symbol, kind.number, name, choice)
        for symbol in (kind.international_full, *kind.international.split("=")):
            if kind.number > 15 or symbol == kind.international_full:
                _add(table, symbol.replace("_", ""), setting)
    return table


def _key(hall: str) -> bytes:
    return b"".join(sorted(hall_group(hall).keys))


def _add(table: dict[str, list[Setting]], symbol: str, setting: Setting) -> None:
    text = " ".join(symbol.lower().split())
    forms = [(text, 0)]
    if 3 <= setting.number <= 15 and (match := _MONOCLINIC.fullmatch(text)):
        # `P 21/n`: the unique axis is b unless the cell says otherwise.
        axis = next(axis for axis in "bca" if match[axis])
        forms.append((f"{match[1]} {match[axis]}", "bca".index(axis)))
    for form, tier in forms:
        known = table.setdefault(form, [])
        if all(_key(setting.hall) != _key(other.hall) for other in known):
            known.append(replace(setting, tier=tier))
            known.sort(key=lambda entry: entry.tier)


@lru_cache(maxsize=1)
def _compact() -> dict[str, list[Setting]]:
    """Settings by symbols without blanks."""
    return _merged((text.replace(" ", ""), setting) for text, all_of_it in _table().items() for setting in all_of_it)


@lru_cache(maxsize=1)
def _barless() -> dict[str, list[Setting]]:
    """Cubic settings by symbols without bars: `Fm3m`."""
    return _merged(
        (text.replace("-", ""), setting)
        for text, settings in _compact().items()
        for setting in settings
        if setting.number >= 195
    )


def _merged(rows: Iterable[tuple[str, Setting]]) -> dict[str, list[Setting]]:
    table: dict[str, list[Setting]] = {}
    for text, setting in rows:
        known = table.setdefault(text, [])
        if all(setting.hall != other.hall for other in known):
            known.append(setting)
    return table


@lru_cache(maxsize=1)
def _hall_names() -> dict[str, Setting]:
    table: dict[str, Setting] = {}
    for settings in _table().values():
        for setting in settings:
            table.setdefault(setting.hall.replace(" ", "").lower(), setting)
    return table


def _any_lattice(group: Group) -> Matrix:
    metric, _ = fitted(np.diag([25.0, 36.0, 49.0]), group)
    return np.linalg.cholesky(metric).astype(np.float64)
