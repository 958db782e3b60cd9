"""The rule for names, with whatever text there is."""

from __future__ import annotations

import re
import string
import unicodedata

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.crystal.files import OWN, names_fault, output_name, staged_fault, written_beside
from app.domain.names import is_path_part, safe_path

ALPHABET = st.sampled_from(string.ascii_letters + string.digits + "._-/\\ \n\t\0~$`'\"*?öKſ")
NAMES = st.one_of(
    st.text(max_size=80),
    st.text(ALPHABET, max_size=40),
    st.builds(lambda stem, end: stem + end, st.text(ALPHABET, max_size=20),
              st.sampled_from([".DAT", ".gui", ".d12", ".d3", ".sh", ".out", ".9", "/x.DAT"])),
    st.builds(lambda own, cased: own.upper() if cased else own, st.sampled_from([*OWN, "fort.9", "fort.34"]), st.booleans()),
)  # fmt: skip
DECKS = st.lists(st.from_regex(r"\A[A-Za-z0-9_]{1,8}\.(d12|d3)\Z"), max_size=3)


@settings(max_examples=400, deadline=None)
@given(NAMES, DECKS)
@example("JOB.SH", [])
@example("..", [])
@example("fort.9\n", [])
@example("-.DAT", [])
def test_what_passes_is_plain_and_nobody_elses(name: str, decks: list[str]) -> None:
    taken = written_beside(decks)
    if staged_fault(name, taken):
        return
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", name)
    assert name.isascii() and name.isprintable()
    assert is_path_part(name) or name.startswith("_")
    assert safe_path(name)
    assert unicodedata.normalize("NFKC", name).casefold() not in {own.casefold() for own in taken}
    assert not name.lower().endswith((".sh", ".out", ".outp", ".log", ".py", ".so"))


@settings(max_examples=150, deadline=None)
@given(NAMES, DECKS)
def test_the_rule_does_not_depend_on_case(name: str, decks: list[str]) -> None:
    """What is refused because it is there already is refused in every spelling."""
    taken = written_beside(decks)
    for own in taken:
        for spelling in (own, own.upper(), own.lower(), own.swapcase()):
            assert staged_fault(spelling, taken)


@settings(max_examples=150, deadline=None)
@given(DECKS)
def test_no_two_files_of_a_job_are_one(decks: list[str]) -> None:
    names = [*decks, *map(output_name, decks)]
    twice = len({name.casefold() for name in names}) < len(names)
    assert bool(names_fault(decks)) >= twice


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(ALPHABET, max_size=60)))
@example(".crystaldeck/token")
@example("./.crystaldeck/token")
@example("a/../.crystaldeck/token")
@example(".CrystalDeck/token")
@example(".crystaldecK/token")  # a Kelvin sign
@example(".crystaldeck./token")
@example("a//b")
@example("a\u2028b")
def test_a_path_that_is_read_stays_inside_and_away_from_our_state(path: str) -> None:
    if not safe_path(path):
        return
    parts = path.split("/")
    assert all(part not in ("", ".", "..") for part in parts)
    folded = [unicodedata.normalize("NFKC", part).casefold() for part in parts]
    assert ".crystaldeck" not in folded
    assert "\n" not in path and "\0" not in path
