"""Every diagnosis of the catalogue on an output or log that shows it: recorded where there is one, else rebuilt."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crystal.outputs.diagnosis import BY_CODE, SIGNATURES, diagnose
from app.crystal.outputs.reader import read_output
from app.crystal.remedies import REMEDIES

RECORDED_FAILURES = {
    "opt-scf-failed": "c14-fe-scf-failed/FAILED_SCF_bcc_iron.out",
    "opt-not-converged": "c17-mackinawite-opt-failed/FAILED_GEOM_mackinawite_opt.out",
    "tolinteg": "c17-itol-error/conv_mgo100.out",
    "wavefunction-missing": "c09-fe50-no-fort9/fe50_x8_l0_re.cryst.out",
    "scf-not-converged": "c17-nio-afm-maxcycle/main.out",
}
ABORTS = {
    "bfgs": "BFGS_ **** PXK TOO SMALL",
    "model-hessian": "SCHLEG **** PARAMETERS FOR MODEL HESSIAN NOT DEFINED",
    "linear-dependence": "CHOLSK **** BASIS SET LINEARLY DEPENDENT",
    "not-neutral": "INPBAS **** UNIT CELL NOT NEUTRAL",
    "basis-missing": "init_pobTZVP_rev2 **** Basis set is not implemented for requested element: N",
    "atoms-too-close": "NEIGHB **** USE KEYWORD SMALLDIST TO RUN ANYWAY",
    "fermi": "FERMI **** ZERO FERMI ENERGY NOT IN INTERVAL",
    "anisotropic-shrink": "INPUT **** ANISOTROPIC SHRINKING FACTOR",
    "spin": "INPUT **** CLOSED SHELL RUN-SPIN POLARIZATION NOT ALLOWED",
    "guess-missing": "GUESSP **** COPY OF WAVEFUNCTION FILE fort.20 CAN NOT BE FOUND",
    "geometry-missing": "EXTERNAL **** GEOMETRY DATA FILE NOT FOUND",
    "ilasize": "CLASSS **** ILA DIMENSION EXCEEDED - INCREASE ILASIZE",
    "grid-neighbours": "WBECKE_F **** NEIGHBOR LIST TOO BIG",
    "lattice-vectors": "GORDSH **** ALL G-VECTORS USED",
    "not-stationary": "ELASTCON **** FORCE IS GREATER THAN 10^-4 OPTIMIZE THE STRUCTURE",
    "deck-format": "INPBAS **** FORMAT ERROR IN INPUT DECK",
    "preview-unsupported": "PREVIEW **** SLAB IS NOT IMPLEMENTED",
}
"""What stands behind ` ERROR **** `."""
LOGS = {
    "timeout": "slurmstepd: error: *** JOB 4242 ON node17 CANCELLED AT 2026-11-20T10:11:12 DUE TO TIME LIMIT ***",
    "memory": "slurmstepd: error: Detected 1 oom_kill event in StepId=4242.batch. Some of the step tasks have been OOM Killed.",
    "disk-full": "forrtl: No space left on device",
    "program-missing": "/var/spool/slurm/job4242/slurm_script: line 31: Pcrystal: command not found",
    "library-missing": "Pcrystal: error while loading shared libraries: libmkl_intel_lp64.so.2: cannot open shared object file",
    "module-missing": "Lmod has detected the following error: The following module(s) are unknown: crystal/23",
    "launcher": "srun: error: Unable to create step for job 4242: More processors requested than permitted",
    "node": "slurmstepd: error: *** JOB 4242 ON node17 CANCELLED AT 2026-11-20T10:11:12 DUE TO NODE FAILURE, SEE SLURMCTLD LOG ***",
    "crash": "forrtl: severe (174): SIGSEGV, segmentation fault occurred",
}


def test_every_diagnosis_is_tried_here() -> None:
    assert {one.code for one in SIGNATURES} == RECORDED_FAILURES.keys() | ABORTS.keys() | LOGS.keys()
    assert len(BY_CODE) == len(SIGNATURES)
    for one in SIGNATURES:
        assert one.meaning.endswith(".")
        assert all(words.endswith(".") for words in one.advice)


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


@pytest.mark.parametrize(("code", "line"), LOGS.items())
def test_logs(code: str, line: str) -> None:
    signature = diagnose(["loading modules", line, "done"])
    assert signature is not None
    assert signature.code == code


def test_a_good_output_has_no_diagnosis(recorded: Path) -> None:
    for path in recorded.glob("*/*.out"):
        found = read_output(path.read_bytes())
        assert (found.diagnosis_code is None) == (found.verdict != "failed"), path


def test_remedies_are_for_ends_that_exist() -> None:
    for remedy in REMEDIES.values():
        assert set(remedy.ends) <= BY_CODE.keys(), remedy.name
