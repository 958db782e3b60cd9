"""Failures that were recorded, and aborts within a recorded output."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crystal.outputs.diagnosis import BY_CODE
from app.crystal.outputs.reader import read_output
from tests.crystal.outputs.aborts import ABORTS

RECORDED_FAILURES = {
    "opt-scf-failed": "c14-fe-scf-failed/FAILED_SCF_bcc_iron.out",
    "opt-not-converged": "c17-mackinawite-opt-failed/FAILED_GEOM_mackinawite_opt.out",
    "tolinteg": "c17-itol-error/conv_mgo100.out",
    "wavefunction-missing": "c09-fe50-no-fort9/fe50_x8_l0_re.cryst.out",
    "scf-not-converged": "c17-nio-afm-maxcycle/main.out",
}


@pytest.mark.parametrize(("code", "file"), RECORDED_FAILURES.items())
def test_recorded_failures(recorded: Path, code: str, file: str) -> None:
    found = read_output((recorded / file).read_bytes())
    assert (found.verdict, found.diagnosis_code) == ("failed", code)
    assert found.remedy == BY_CODE[code].remedy


@pytest.mark.parametrize(("code", "words"), ABORTS.items())
def test_aborts_in_an_output(recorded: Path, code: str, words: str) -> None:
    """A recorded output that stops in the middle of its SCF, with the program's line and its last stage."""
    data = (recorded / "c17-mgo-sto3g-rhf-scf/main.out").read_bytes()
    head = data[: data.index(b" CYC   3")]
    end = f" ERROR **** {words}\n TTTTTTTTTTTTTTTTTTTTTTTTTTTTTT ERR         TELAPSE        0.05 TCPU        0.04\n"
    found = read_output(head + end.encode())
    assert (found.verdict, found.diagnosis_code, found.aborted) == ("failed", code, True)


def test_a_good_output_has_no_diagnosis(recorded: Path) -> None:
    for path in recorded.glob("*/*.out"):
        found = read_output(path.read_bytes())
        assert (found.diagnosis_code is None) == (found.verdict != "failed"), path
