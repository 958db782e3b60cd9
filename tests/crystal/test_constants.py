"""Physical constants are right, and are written down in one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scipy import constants as codata

from app.crystal import constants

APP = Path(__file__).resolve().parents[2] / "app"
WRITTEN_OUT = re.compile(r"\b(27\.211\d*|0?\.52917\d*|1\.88972\d*|435\.97\d*|219474\.\d*|2625\.\d+)\b")


def test_they_are_those_of_codata() -> None:
    hartree, bohr = codata.physical_constants["Hartree energy"][0], codata.physical_constants["Bohr radius"][0]
    assert hartree / codata.e == pytest.approx(constants.HARTREE_EV, rel=1e-8)
    assert bohr / codata.angstrom == pytest.approx(constants.BOHR, rel=1e-8)
    assert hartree / codata.angstrom**2 == pytest.approx(constants.HARTREE_PER_SQUARE_ANGSTROM, rel=1e-8)


def test_no_other_module_writes_one_out() -> None:
    elsewhere = {
        f"{path.relative_to(APP)}: {number}"
        for path in APP.rglob("*.py")
        if path != APP / "crystal" / "constants.py"
        for number in WRITTEN_OUT.findall(path.read_text())
    }
    assert not elsewhere
