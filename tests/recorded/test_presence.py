"""Are the recorded files there, and are they those that the reference values were read from?"""

from __future__ import annotations

import hashlib

import pytest

from tests.support.session.reference import RECORDED


def test_every_recorded_file_is_there_and_as_it_was() -> None:
    if not RECORDED.is_dir():
        pytest.skip("no recorded outputs beside this clone (../shared/data/crystal): all of tests/recorded is left out")
    sums = [line.split(maxsplit=1) for line in (RECORDED / "SHA256SUMS").read_text().splitlines()]
    assert len(sums) > 100
    for expected, name in sums:
        data = (RECORDED / name.lstrip("*")).read_bytes()
        assert hashlib.sha256(data).hexdigest() == expected, name
