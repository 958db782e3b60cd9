"""Every diagnosis of the catalogue on an output or log that shows it: of the corpus where there is one, else rebuilt."""

from __future__ import annotations

import pytest

from app.crystal.decks.remedies import REMEDIES
from app.crystal.outputs.diagnosis import BY_CODE, SIGNATURES, diagnose
from app.crystal.outputs.reader import read_output
from tests.crystal.outputs.aborts import ABORTS
from tests.support.corpus import CORPUS

FAILURES = {
    "opt-scf-failed": "iron-opt-failed/main.out",
    "opt-not-converged": "nio-opt-limit/main.out",
    "tolinteg": "mgo-tolinteg/main.out",
    "wavefunction-missing": "no-wave-function/main.outp",
    "scf-not-converged": "nio-maxcycle/main.out",
}
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
    assert {one.code for one in SIGNATURES} == FAILURES.keys() | ABORTS.keys() | LOGS.keys()
    assert len(BY_CODE) == len(SIGNATURES)
    for one in SIGNATURES:
        assert one.meaning.endswith(".")
        assert all(words.endswith(".") for words in one.advice)


@pytest.mark.parametrize(("code", "file"), FAILURES.items())
def test_failures_of_the_corpus(code: str, file: str) -> None:
    found = read_output((CORPUS / file).read_bytes())
    assert (found.verdict, found.diagnosis_code) == ("failed", code)
    assert found.remedy == BY_CODE[code].remedy


@pytest.mark.parametrize(("code", "words"), ABORTS.items())
def test_aborts_in_an_output(code: str, words: str) -> None:
    """An output that stops in the middle of its SCF, with the program's line and its last stage."""
    data = (CORPUS / "mgo-scf/main.out").read_bytes()
    head = data[: data.index(b" CYC   3")]
    end = f" ERROR **** {words}\n TTTTTTTTTTTTTTTTTTTTTTTTTTTTTT ERR         TELAPSE        0.05 TCPU        0.04\n"
    found = read_output(head + end.encode())
    assert (found.verdict, found.diagnosis_code, found.aborted) == ("failed", code, True)


@pytest.mark.parametrize(("code", "line"), LOGS.items())
def test_logs(code: str, line: str) -> None:
    signature = diagnose(["loading modules", line, "done"])
    assert signature is not None
    assert signature.code == code


def test_a_good_output_has_no_diagnosis() -> None:
    for path in CORPUS.glob("*/*.out*"):
        found = read_output(path.read_bytes())
        assert (found.diagnosis_code is None) == (found.verdict != "failed"), path


def test_remedies_are_for_ends_that_exist() -> None:
    for remedy in REMEDIES.values():
        assert set(remedy.ends) <= BY_CODE.keys(), remedy.name
