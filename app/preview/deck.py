"""Reading the subset of `.d12` that the preview engine computes: bulk crystals, closed shells, points and optimisations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import Bulk, StructureError, full_cell, minimal_parameters
from app.crystal.structures.fort34 import External, read_fort34
from app.preview.optimize import Orders, set_keyword
from app.preview.refusal import Refusal, not_implemented

FUNCTIONALS = {
    "SVWN": "lda,vwn", "PBEXC": "pbe,pbe", "PBE": "pbe,pbe", "PBESOLXC": "pbe_sol,pbe_sol", "BLYP": "b88,lyp",
    "PBE0": "pbe0", "B3LYP": "b3lyp",
}  # fmt: skip
BASIS_SETS = {"STO-3G": "sto-3g", "POB-TZVP": "pobtzvp"}
GRIDS = {"OLDGRID", "LGRID", "XLGRID", "XXLGRID", "XXXLGRID", "HUGEGRID"}
SHELLS = ("S", "SP", "P", "D", "F")


@dataclass
class Deck:
    """What is computed. `basis` is a PySCF name, or shells by element symbol in PySCF's form."""

    title: str
    structure: Bulk | External
    basis: str | dict[str, list[Any]] = "sto-3g"
    basis_name: str = ""
    functional: str | None = None
    functional_name: str = ""
    shrink: int = 0
    toldee: int = 6
    maxcycle: int = 50
    optimisation: Orders | None = None
    guess: bool = False
    external_print: bool = False
    test_only: bool = False
    remarks: list[str] = field(default_factory=list)


class Records:
    """The lines of a deck without comments; `next` refuses the end of data as CRYSTAL does."""

    def __init__(self, text: str) -> None:
        lines = [line.split("#")[0].rstrip() for line in text.splitlines()]
        self._lines: Iterator[str] = iter([lines[0] if lines else "", *[line for line in lines[1:] if line.strip()]])

    def next(self) -> str:
        """The next line; raises Refusal at the end of the deck."""
        try:
            return next(self._lines).strip()
        except StopIteration:
            raise Refusal("END OF DATA IN INPUT DECK") from None

    def numbers(self, count: int) -> list[float]:
        """Up to `count` numbers of the next line, with Fortran's exponents."""
        line = self.next()
        try:
            return [float(word.replace("D", "E").replace("d", "e")) for word in line.split()[:count]]
        except ValueError:
            raise Refusal(f"FORMAT ERROR IN INPUT DECK: {line[:60]}") from None

    def integers(self, count: int) -> list[int]:
        """`count` integers of the next line; raises Refusal where there are fewer."""
        numbers = self.numbers(count)
        if len(numbers) < count:
            raise Refusal(f"FORMAT ERROR IN INPUT DECK: {count} NUMBERS EXPECTED")
        return [int(number) for number in numbers]


def read_deck(text: str, folder: Path | None = None, structure: External | None = None) -> Deck:
    """Read a deck.

    Args:
        folder: where EXTERNAL finds its fort.34.
        structure: the geometry at the end of an earlier run, in place of the deck's own.

    Raises:
        Refusal: a keyword that is not implemented, or a format error.
    """
    records = Records(text)
    title = records.next()
    deck = Deck(title, _read_structure(records, folder, structure))
    keyword = _read_geometry_keywords(records, deck)
    if keyword == "BASISSET":
        deck.basis_name = records.next()
        if deck.basis_name not in BASIS_SETS:
            raise Refusal(f"BASIS SET {deck.basis_name} IS NOT AVAILABLE IN THE PREVIEW ENGINE")
        deck.basis = BASIS_SETS[deck.basis_name]
    elif keyword[:3] == "END":
        deck.basis, deck.basis_name = _read_basis(records), "EXPLICIT"
    else:
        raise not_implemented(keyword)
    _read_scf(records, deck)
    if not deck.shrink:
        raise Refusal("SHRINK IS REQUIRED FOR A CRYSTAL")
    if deck.structure.electrons % 2:
        raise Refusal("ODD NUMBER OF ELECTRONS: OPEN SHELLS ARE NOT IMPLEMENTED BY THE PREVIEW ENGINE")
    return deck


def _read_structure(records: Records, folder: Path | None, known: External | None) -> Bulk | External:
    kind = records.next()
    if kind == "CRYSTAL":
        own = _read_bulk(records)
        return known or own
    if kind != "EXTERNAL":
        raise not_implemented(kind)
    if known is not None:
        return known
    path = folder / "fort.34" if folder is not None else None
    if path is None or not path.is_file():
        raise Refusal("GEOMETRY DATA FILE NOT FOUND")
    try:
        external = read_fort34(path.read_text(encoding="utf-8", errors="replace"))
    except StructureError as error:
        raise Refusal(f"STRUCTURE: {error}") from error
    if external.dimension != 3:
        raise not_implemented("EXTERNAL WITH LESS THAN THREE PERIODIC DIRECTIONS")
    return external


def _read_geometry_keywords(records: Records, deck: Deck) -> str:
    """Take what the geometry block orders; returns the keyword that ends it."""
    while (keyword := records.next()) in ("OPTGEOM", "EXTPRT"):
        if keyword == "EXTPRT":
            deck.external_print = True
            continue
        deck.optimisation = Orders()
        while (inner := records.next())[:3] != "END":
            set_keyword(deck.optimisation, inner, records.numbers)
        deck.remarks += deck.optimisation.remarks
    return keyword


def _read_bulk(records: Records) -> Bulk:
    flag, rhombohedral, setting = records.integers(3)
    if flag != 0 or setting > 1:
        raise not_implemented("CRYSTAL WITH SYMBOL OR SHIFT OF ORIGIN")
    [group] = records.integers(1)
    names = minimal_parameters(group, bool(rhombohedral))
    cell = full_cell(group, dict(zip(names, records.numbers(len(names)), strict=True)), bool(rhombohedral))
    [count] = records.integers(1)
    rows = [records.numbers(4) for _ in range(count)]
    numbers = tuple(int(row[0]) for row in rows)
    if any(not 1 <= z < 100 for z in numbers):
        raise not_implemented("PSEUDOPOTENTIAL OR MODIFIED ATOMIC NUMBER")
    bulk = Bulk(group, cell, numbers, tuple((row[1], row[2], row[3]) for row in rows), bool(rhombohedral), setting == 1)
    try:
        bulk.check()
    except StructureError as error:
        raise Refusal(f"STRUCTURE: {error}") from error
    return bulk


def _read_basis(records: Records) -> dict[str, list[Any]]:
    basis: dict[str, list[Any]] = {}
    while True:
        number, shells = records.integers(2)
        if number == 99:
            break
        if not 1 <= number < 99:
            raise not_implemented("PSEUDOPOTENTIAL")
        basis[SYMBOLS[number]] = [shell for _ in range(shells) for shell in _read_shell(records)]
    if records.next()[:3] != "END":
        raise Refusal("FORMAT ERROR IN INPUT DECK: END EXPECTED AFTER THE BASIS SET")
    return basis


def _read_shell(records: Records) -> list[list[Any]]:
    kind, lat, count = (int(number) for number in records.numbers(5)[:3])
    if kind != 0 or not 0 <= lat < len(SHELLS):
        raise not_implemented("BASIS SET TYPE OTHER THAN FREE, S TO F")
    rows = [records.numbers(3 if lat == 1 else 2) for _ in range(count)]
    if lat == 1:
        return [[0, *[[row[0], row[1]] for row in rows]], [1, *[[row[0], row[2]] for row in rows]]]
    return [[max(0, lat - 1) if lat else 0, *[[row[0], row[1]] for row in rows]]]


def _read_scf(records: Records, deck: Deck) -> None:
    while (keyword := records.next())[:3] != "END":
        match keyword:
            case "DFT":
                _read_dft(records, deck)
            case "SHRINK":
                deck.shrink, _ = records.integers(2)
                if deck.shrink < 1:
                    raise not_implemented("ANISOTROPIC SHRINK")
            case "TOLDEE":
                [deck.toldee] = records.integers(1)
            case "MAXCYCLE":
                [deck.maxcycle] = records.integers(1)
            case "TESTPDIM":
                deck.test_only = True
            case "GUESSP":
                deck.guess = True
            case "TOLINTEG":
                records.integers(5)
                deck.remarks.append("TOLINTEG IS READ BUT NOT USED: INTEGRALS ARE DENSITY-FITTED")
            case "FMIXING":
                records.integers(1)
                deck.remarks.append("FMIXING IS READ BUT NOT USED: CONVERGENCE IS BY DIIS")
            case _:
                raise not_implemented(keyword)


def _read_dft(records: Records, deck: Deck) -> None:
    while (keyword := records.next())[:3] != "END":
        if keyword in FUNCTIONALS:
            deck.functional, deck.functional_name = FUNCTIONALS[keyword], keyword
        elif keyword not in GRIDS:
            raise not_implemented(f"DFT {keyword}")
    if deck.functional is None:
        raise Refusal("NO FUNCTIONAL IN THE DFT BLOCK")
