"""The stored outputs are what their writer writes: nobody edits one by hand, none is left over, every one is told of."""

from __future__ import annotations

import re

import pytest

from tests.support.corpus import CORPUS
from tests.support.corpus.cases import WRITERS

REPOSITORY = CORPUS.parents[1]
AGAIN = "python -m tests.support.corpus"


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_stored_file_is_what_the_writer_writes(name: str) -> None:
    assert (CORPUS / name).read_text(encoding="utf-8") == WRITERS[name](), (
        f"{name} differs: {AGAIN}, then look at the change"
    )


def test_every_case_is_written_or_computed_and_told_of() -> None:
    readme = (CORPUS / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z0-9-]+)`", readme, re.MULTILINE))
    assert told == {path.name for path in CORPUS.iterdir() if path.is_dir()}
    assert AGAIN in readme
    others = ("preview-", "decks")
    stored = {str(path.relative_to(CORPUS)) for path in CORPUS.glob("*/*") if not path.parent.name.startswith(others)}
    assert stored == set(WRITERS)


def test_only_the_recorded_tests_know_what_lies_beside_the_project() -> None:
    """All others would fail, or be skipped, in a stranger's clone."""
    allowed = {"tests/support/session/reference.py", "tests/architecture/test_corpus.py"}
    for path in sorted((REPOSITORY / "tests").rglob("*.py")):
        name = str(path.relative_to(REPOSITORY))
        if name.startswith("tests/recorded/") or name in allowed:
            continue
        assert not re.search(r"\bRECORDED\b|recorded: Path|shared[/\"' ,]+data", path.read_text(encoding="utf-8")), name
