"""The stored outputs are what their writer writes: nobody edits one by hand, none is left over, every one is told of."""

from __future__ import annotations

import re

import pytest

from tests.support.corpus import CORPUS
from tests.support.corpus.cases import WRITERS

AGAIN = "python -m tests.support.corpus"


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_stored_file_is_what_the_writer_writes(name: str) -> None:
    assert (CORPUS / name).read_text(encoding="utf-8") == WRITERS[name](), f"{name} differs: {AGAIN}, then look at the change"


def test_every_case_is_written_or_computed_and_told_of() -> None:
    readme = (CORPUS / "README.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([a-z0-9-]+)`", readme, re.MULTILINE))
    assert told == {path.name for path in CORPUS.iterdir() if path.is_dir()}
    assert AGAIN in readme
    stored = {str(path.relative_to(CORPUS)) for path in CORPUS.glob("*/*") if not path.parent.name.startswith("preview-")}
    assert stored == set(WRITERS)
