"""Elements by the type symbols and labels of a CIF: `Fe3+`, `O2-`, `D`, `OW1`; what stands for several atoms is none of them."""

from __future__ import annotations

import re
from collections.abc import Set

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import StructureError

_NUMBERS = {symbol: z for z, symbol in enumerate(SYMBOLS) if z} | {"D": 1}
_CHARGE = re.compile(r"[\d.]*[+-]?[\d.]*(\([\d.]*[+-]?\))?")
_SECOND = re.compile(r"[/,;&|]\s*\(?([A-Z][a-z]?)")
MAKE_ORDERED = (
    "CRYSTAL needs one atom on every site: make an ordered model, perhaps in a supercell. The file may be right."
)
_LETTERS = re.compile(r"\d*([A-Za-z]+)(.*)", re.DOTALL)
_GROUPS = {
    "WAT": "a water molecule", "OH": "a hydroxyl group", "HOH": "a water molecule", "DOD": "a water molecule",
    "NH": "a group with hydrogen", "CH": "a group with hydrogen", "CN": "a cyanide group", "VAC": "a vacancy",
    "VA": "a vacancy", "VC": "a vacancy", "DUM": "a dummy atom", "DU": "a dummy atom", "X": "a dummy atom",
    "M": "a site of several metals", "T": "tritium or a tetrahedral site", "ME": "a methyl group or a metal",
    "Q": "a peak of the electron density",
}  # fmt: skip
"""What does not tell one element."""


def element_of(type_symbol: str, label: str, declared: Set[str]) -> tuple[int, str]:
    """The atomic number of a site, and a remark where its label leaves a doubt.

    Args:
        declared: elements of the file's formula; they decide where a label may be read in two ways.

    Raises:
        StructureError: no element, or more than one.
    """
    site = f"site {(label or type_symbol)[:20]}"
    text = type_symbol.strip()
    _refuse_mixed(text if text not in ("", "?", ".") else label.strip(), site)
    if text and text not in ("?", "."):
        match = _LETTERS.fullmatch(text)
        letters = match[1] if match else ""
        exact = _NUMBERS.get(letters.capitalize())
        if match and exact is not None and _CHARGE.fullmatch(match[2]) and not _is_group(letters):
            return exact, ""
        return _of_label(text, site, declared, f"the type {text[:20]}")
    match = _LETTERS.match(label.strip())
    if match is None:
        raise StructureError("file", f"has neither type nor label for {site}: the element is not known")
    return _of_label(label.strip(), site, declared, f"the label {label.strip()[:20]}")


def _refuse_mixed(text: str, site: str) -> None:
    """`Mg/Fe` and `AlSi1` name two elements; `HN1` is a hydrogen, `Fe3+/Fe2+` iron."""
    match = _LETTERS.match(text)
    if match is None:
        return
    first = re.match(r"[A-Z][a-z]?", match[1])
    others = [name for name in _SECOND.findall(text) if name in _NUMBERS]
    if first and first[0] in _NUMBERS and len(first[0]) == 2:
        behind = re.match(r"[A-Z][a-z]?", match[1][2:])
        others += [behind[0]] if behind and behind[0] in _NUMBERS else []
    if first and any(name != first[0] for name in others):
        raise StructureError("file", f"has the {site}, which names several elements ({text[:20]})", MAKE_ORDERED)


def _is_group(letters: str) -> bool:
    """`NH` is no nihonium."""
    return letters.upper() in _GROUPS and letters not in _NUMBERS


def _of_label(text: str, site: str, declared: Set[str], named: str) -> tuple[int, str]:
    match = _LETTERS.match(text)
    letters = match[1] if match else ""
    upper = letters.upper()
    exact = letters[:1].upper() + letters[1:]
    if exact in _NUMBERS and (not declared or exact in declared or (exact == "D" and "H" in declared)):
        return _NUMBERS[exact], ""
    if upper in _GROUPS or upper.startswith(("WAT", "VAC", "DUM", "H2O")):
        group = next((words for name, words in _GROUPS.items() if upper.startswith(name)), "several atoms")
        raise StructureError(
            "file", f"has the {site}, which stands for {_GROUPS.get(upper, group)}, not for an element"
        )
    options = [letters[:size].capitalize() for size in (2, 1) if len(letters) >= size]
    options = [option for option in dict.fromkeys(options) if option in _NUMBERS]
    known = [option for option in options if option in declared]
    chosen = known if declared else options
    if len(chosen) != 1:
        why = f"could be {' or '.join(options)}" if len(options) > 1 else "names no element"
        if declared and len(options) == 1:
            why = f"would be {options[0]}, which the declared formula does not have"
        raise StructureError("file", f"does not tell the element of the {site}: {named} {why}")
    return _NUMBERS[chosen[0]], f"{named} was read as {chosen[0]}"
