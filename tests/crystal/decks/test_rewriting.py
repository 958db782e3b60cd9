"""Decks, written anew through the models of structure, basis set and Hamiltonian, keep their meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crystal.decks.reading import read_deck
from app.crystal.decks.rewriting import CannotRewrite, write_deck
from tests.crystal.decks.golden import EXPECTED
from tests.support.corpus import CORPUS
from tests.support.meaning import assert_keeps_its_meaning

FAULTY = CORPUS / "decks" / "four-tolerances.d12"
DECKS = sorted(
    path for pattern in ("*.d12", "*.d3") for folder in (CORPUS, EXPECTED) for path in folder.glob(f"*/{pattern}")
)


@pytest.mark.parametrize(
    "path", [path for path in DECKS if path != FAULTY], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_a_deck_keeps_its_meaning(path: Path) -> None:
    assert_keeps_its_meaning(path)


def test_a_deck_with_a_fault_is_not_rewritten() -> None:
    with pytest.raises(CannotRewrite, match="TOLINTEG"):
        write_deck(read_deck(FAULTY.read_text(), "d12"))


def test_what_is_not_known_is_not_dropped() -> None:
    deck = "t\nCRYSTAL\n0 0 0\n225\n4.21\n1\n12 0 0 0\nBASISSET\nSTO-3G\nNEWKEYWORD\n1 2 3\nSHRINK\n2 2\nEND\n"
    with pytest.raises(CannotRewrite, match="NEWKEYWORD"):
        write_deck(read_deck(deck, "d12"))


LONG = "a long title " + 8 * "of many words "
COMMENTED = f"""{LONG}# 3
CRYSTAL # bulk
0 0 0
225
4.21
# two sublattices
2
12 0. 0. 0. # cation
8 .5 .5 .5
END
12 2
# core
1 0 3 2. 1. # 1s
1 1 3 8. 1.
8 2
1 0 3 2. 1.
1 1 3 6. 1.
99 0
CHARGED
GHOSTS
1
2 # the anion
END
SHRINK # a mesh
4 8
# the end
END
"""


def test_titles_and_comments_stay() -> None:
    written = write_deck(read_deck(COMMENTED, "d12"))
    assert written.split("\n")[0] == f"{LONG}# 3".strip()
    for comment in (
        "# bulk",
        "# two sublattices",
        "12 0.0 0.0 0.0 # cation",
        "# core",
        "# 1s",
        "# the anion",
        "# a mesh",
        "# the end",
    ):
        assert written.count(comment) == 1, (comment, written)
    assert write_deck(read_deck(written, "d12")) == written
    assert "\n99 0\nCHARGED\nGHOSTS\n1\n2 # the anion\nEND\nSHRINK" in written


def test_the_title_of_a_band_stays_one_record() -> None:
    deck = f"BAND\n{LONG}\n1 4 20 1 8 1 0\n0 0 0  2 0 0  # G-X\nEND # of all\n"
    written = write_deck(read_deck(deck, "d3"))
    assert written == f"BAND\n{LONG.strip()}\n1 4 20 1 8 1 0\n0 0 0 2 0 0 # G-X\n# of all\nEND\n"


@pytest.mark.parametrize(
    "text",
    [
        "t\nMOLECULE\n1\n2\n6 0. 0. 0.\n8 0. 0. 1.1\nBASISSET\nSTO-3G\nGHOSTS\n1\n1\nDFT\nPBE0\nEND\nEND\n",
        "t\nCRYSTAL\n1 0 0\nP B N M\n5.3 5.4 7.6\n1\n20 0.01 0.04 0.25\nBASISSET\nSTO-3G\nSHRINK\n4 4\nEND\n",
        "t\nCRYSTAL\n0 0 0\n225\n4.2\n1\n12 0. 0. 0.\nELASTCON\nPREOPTGEOM\nNUMDERIV\n3\nEND\nBASISSET\nSTO-3G\nSHRINK\n4 4\nEND\n",
        "t\nCRYSTAL\n0 0 0\n225\n4.2\n1\n12 0. 0. 0.\nEOS\nPREOPTGEOM\nFULLOPTG\nEND\nEND\nBASISSET\nSTO-3G\nSHRINK\n4 4\nEND\n",
    ],
)
def test_nothing_is_dropped(text: str) -> None:
    written = write_deck(read_deck(text, "d12"))
    words = [line.split() for line in text.split("\n") if line[:1].isalpha()]
    assert [line.split() for line in written.split("\n") if line[:1].isalpha()] == words
    assert write_deck(read_deck(written, "d12")) == written


def test_properties_keep_their_one_end() -> None:
    grids = "ECH3\n50\nRANGE\n-5.0\n5.0\nPOT3\n40\n5\nEND\n"
    assert write_deck(read_deck(grids, "d3")) == grids
    topology = "TOPO\nTRHO\n3\nEND\n"
    assert write_deck(read_deck(topology, "d3")) == topology
