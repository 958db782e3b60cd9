"""The formula that a CIF declares, and how the atoms that were found compare with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from app.crystal.elements import SYMBOLS
from app.crystal.structures.cif.syntax import Block
from app.crystal.structures.cif.values import read_number

_TERM = re.compile(r"([A-Z][a-z]?)\s*(\d+(?:\.\d+)?|\.\d+)?")
_ELEMENTS = set(SYMBOLS[1:]) | {"D"}
_TOLERANCE = 0.011
"""Of a number of atoms per formula unit: formulas are rounded to two decimals."""


@dataclass(frozen=True)
class Declared:
    """What the file says that its cell holds; None: it does not say."""

    formula: Mapping[str, float] | None = None
    units: float | None = None
    """Formula units per cell (Z)."""
    text: str = ""

    @classmethod
    def of(cls, block: Block) -> Declared:
        """As a data block says it."""
        texts = [block.value(f"_chemical_formula_{kind}") for kind in ("sum", "structural", "iupac", "moiety")]
        text = next((text for text in texts if read_formula(text)), "")
        units = read_number(block.value("_cell_formula_units_z"))
        return cls(
            read_formula(text), units.value if units is not None and units.value > 0 else None, " ".join(text.split())
        )

    @property
    def elements(self) -> set[str]:
        """Symbols in the formula."""
        return set(self.formula or ())


@dataclass(frozen=True)
class Comparison:
    """Atoms of the file's cell held against its declarations."""

    formula: bool | None
    """Does the composition agree? None: not declared."""
    units: bool | None
    """Does the number of formula units agree?"""
    remarks: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Nothing that is declared differs."""
        return self.formula is not False and self.units is not False


def read_formula(text: str) -> dict[str, float] | None:
    """Atoms by element of a formula without brackets, `C4 H10 O2`; None: it is not of that form."""
    plain = text.strip().strip("'\"")
    parts = plain.split()
    plain = " ".join(part for part in parts if not re.fullmatch(r"\d*[+-]|[+-]\d*", part))
    if not plain or _TERM.sub("", plain).strip():
        return None
    counts: Counter[str] = Counter()
    for symbol, count in _TERM.findall(plain):
        if symbol not in _ELEMENTS:
            return None
        counts["H" if symbol == "D" else symbol] += float(count or 1)  # type: ignore[assignment]
    return {symbol: float(count) for symbol, count in counts.items() if count > 0} or None


def formula_text(counts: Mapping[str, float]) -> str:
    """`Ca4 O12 Ti4`: carbon and hydrogen first where there is carbon."""
    first = [symbol for symbol in ("C", "H") if "C" in counts and symbol in counts]
    order = first + sorted(set(counts) - set(first))
    return " ".join(f"{symbol}{counts[symbol]:g}" if counts[symbol] != 1 else symbol for symbol in order)


def compare(found: Mapping[str, float], declared: Declared) -> Comparison:
    """The atoms of a cell against the declared formula and Z."""
    text = formula_text(found)
    if declared.formula is None:
        return Comparison(None, None, (f"the file declares no formula to compare with; the cell holds {text}",))
    formula = declared.formula
    heavy = {symbol: count for symbol, count in formula.items() if symbol != "H"} or formula
    anchor = max(heavy, key=lambda symbol: heavy[symbol])
    units = found.get(anchor, 0) / formula[anchor]
    differing = [
        symbol
        for symbol in sorted({*found, *formula})
        if abs(found.get(symbol, 0) - units * formula.get(symbol, 0)) > _TOLERANCE * max(units, 1)
    ]
    if differing:
        missing = units * formula.get("H", 0) - found.get("H", 0)
        if differing == ["H"] and missing > 0:
            remark = f"{missing:g} hydrogen atoms of the declared {declared.text} have no coordinates: add them"
        else:
            remark = f"the cell holds {text}, the file declares {declared.text}: compare them"
        return Comparison(False, None, (remark,))
    if declared.units is None:
        whole = abs(units * 2 - round(units * 2)) < 0.02
        return Comparison(True, None, () if whole else (f"the cell holds {units:g} formula units of {declared.text}",))
    if abs(units - declared.units) > 0.02 * declared.units:
        remark = f"the cell holds {units:g} formula units of {declared.text}, the file declares Z = {declared.units:g}"
        return Comparison(True, False, (remark,))
    return Comparison(True, True)
