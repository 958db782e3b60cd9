"""One file of somebody's archive, examined in a worker process: is it read, and is what is read what is printed?"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import reduce
from math import gcd
from pathlib import Path
from typing import Any

from app.crystal.decks.blocks import is_unknown
from app.crystal.decks.checker import check_deck
from app.crystal.decks.reading import MAX_DECK
from app.crystal.elements import SYMBOLS
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.witnesses import Disagreement, Witness
from app.crystal.structures.importers import MAX_BYTES, read_structure
from app.library.archive.data_files import describe, is_data
from app.library.kept import open_regular

_READ = 1 << 20
_MAX_DATA = 64 << 20
MOST_WORDS = 20
"""Unknown keywords of one deck that are listed."""
_KINDS = (
    ("output", (".out", ".outp")),
    ("d12", (".d12",)),
    ("d3", (".d3",)),
    ("structure", (".cif", ".gui", ".f34", ".xyz", "fort.34")),
)
"""What a file is, by how its name ends."""
_WHOLE = {"input": "deck"}
"""The same by the whole name: the deck as the programs find it, which may be for either."""
_FORMULA = re.compile(r"^_chemical_formula_sum\s+(?:'([^'\n]+)'|\"([^\"\n]+)\"|(\S+))", re.MULTILINE)
_ELEMENT = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)(?![a-z])")


@dataclass(frozen=True)
class Entry:
    """What was found of one file. `verdict` is in words; `unknown` are keywords of a deck that the checker does not know."""

    path: str
    kind: str
    verdict: str
    disagrees: list[Disagreement] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    seconds: float = 0.0
    examined: bool = True
    """Whether it came to an end: the file was opened, and no limit was reached."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def kind_of(name: str) -> str:
    """What is examined of a file with this name; empty: nothing."""
    lower = name.lower()
    if lower in _WHOLE:
        return _WHOLE[lower]
    kind = next((kind for kind, endings in _KINDS if lower.endswith(endings)), "")
    return kind or ("data" if is_data(lower) else "")


def examine(path: Path, shown: str, kind: str) -> Entry:
    """Read one file and compare.

    Args:
        shown: the path as the table has it.
    """
    start = time.perf_counter()
    try:
        entry = {"output": _output, "structure": _structure, "data": _data}.get(kind, _deck)(path, shown, kind)
    except OSError as error:
        entry = Entry(shown, kind, f"cannot be read: {error.strerror or error}", examined=False)
    return Entry(
        entry.path, entry.kind, entry.verdict, entry.disagrees, entry.unknown, time.perf_counter() - start,
        entry.examined,
    )  # fmt: skip


def _output(path: Path, shown: str, kind: str) -> Entry:
    reader, witness = OutputReader(), Witness()
    with open_regular(path) as file:
        while data := file.read(_READ):
            reader.feed(data)
            witness.feed(data)
    results = reader.results()
    return Entry(shown, kind, results.verdict, witness.disagreements(results))


def _deck(path: Path, shown: str, kind: str) -> Entry:
    with open_regular(path) as file:
        text = file.read(MAX_DECK + 1).decode("latin-1")
    findings = check_deck(text, None if kind == "deck" else kind)
    counts = Counter(finding.severity for finding in findings)
    words = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in sorted(counts.items()) if name != "note"]
    unknown = [finding.keyword for finding in findings if is_unknown(finding)]
    return Entry(shown, kind, ", ".join(words) or "no findings", unknown=list(dict.fromkeys(unknown))[:MOST_WORDS])


def _structure(path: Path, shown: str, kind: str) -> Entry:
    with open_regular(path) as file:
        data = file.read(MAX_BYTES + 1)
    try:
        found = read_structure(data, path.name)
    except ValueError as error:
        return Entry(shown, kind, f"refused: {error}"[:200])
    atoms: Counter[str] = Counter()
    for number, count in zip(found.structure.numbers, found.structure.multiplicities, strict=True):
        atoms[SYMBOLS[number]] += count
    declared = _declared(data)
    disagrees = []
    if declared and _reduced(atoms) != _reduced(declared):
        disagrees.append(Disagreement("formula", _written(_reduced(atoms)), _written(_reduced(declared))))
    return Entry(shown, kind, f"{_written(_reduced(atoms))}, {found.symbol}", disagrees)


def _declared(data: bytes) -> Counter[str]:
    """The formula that a CIF declares, where its counts are whole."""
    match = _FORMULA.search(data.decode("utf-8", "replace"))
    parts = _ELEMENT.findall(next(part for part in match.groups() if part)) if match else []
    try:
        return Counter({symbol: int(count or 1) for symbol, count in parts if float(count or 1) > 0})
    except ValueError:
        return Counter()


def _reduced(atoms: Counter[str]) -> Counter[str]:
    factor = reduce(gcd, atoms.values(), 0) or 1
    return Counter({symbol: count // factor for symbol, count in atoms.items()})


def _written(atoms: Counter[str]) -> str:
    return " ".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in sorted(atoms.items()))


def _data(path: Path, shown: str, kind: str) -> Entry:
    with open_regular(path) as file:
        text = file.read(_MAX_DATA).decode("utf-8", "replace")
    try:
        found = describe(path.name, text)
    except ValueError as error:
        return Entry(shown, kind, f"refused: {error}"[:200])
    notes = found.pop("notes", [])
    return Entry(shown, kind, "; ".join([", ".join(name.replace("_", " ") for name in found), *notes]))
