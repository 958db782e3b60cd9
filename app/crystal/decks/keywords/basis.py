"""Keywords of the basis-set block, which stand between `99 0` and its END; some may follow the name of an internal set.

Sources: the CRYSTAL17 and CRYSTAL23 user manuals, published decks for those that were seen to run.
"""

from __future__ import annotations

from app.crystal.decks.keywords.keyword import Keyword as K
from app.crystal.decks.keywords.keyword import Table
from app.crystal.records import Cursor, RecordError, Values, flowing, free


def _occupations(cursor: Cursor) -> Values:
    """A count, then for each atom its label and the electrons of its shells, however many those are (manual, not seen executed)."""
    [count] = cursor.numbers(1, "how many atoms", integer=True)
    records = free(cursor)
    if len(records) < int(count) or any(len(record) < 2 for record in records[: int(count)]):
        raise RecordError(cursor.last, f"needs {count} records of an atom and the electrons of its shells")
    return [[count], *records]


BASIS: Table = {
    "GHOSTS": K("Atoms that keep their functions and lose nucleus and electrons.", flowing(1, "atoms")),
    "CHARGED": K("Accepts a charged cell."),
    "CHEMOD": K("Changes the occupations of single atoms.", _occupations),
    "GAUSS98": K("Writes an input for Gaussian."),
    "NOPRINT": K("Does not print the basis set."),
    "PARAMPRT": K("Prints the dimensions of arrays."),
    "PRINTOUT": K("Prints the environment."),
    "SETINF": K("Internal options.", flowing(2, "options")),
    "SETPRINT": K("Printing options.", flowing(2, "options")),
    "SYMMOPS": K("Prints the symmetry operators."),
    "TESTBS": K("Stops after the basis set."),
    "STOP": K("Stops here."),
}

AFTER_NAME = ("GHOSTS", "CHARGED", "CHEMOD", "NOPRINT")
"""Keywords of this block that may follow BASISSET and its name (GHOSTS and CHARGED: executed)."""
