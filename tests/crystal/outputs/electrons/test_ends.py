"""Ends in mid-air, and files that hold more than one program."""

from __future__ import annotations

import pytest

from app.crystal.outputs.reader import OutputReader, read_output
from tests.support.corpus import CORPUS
from tests.support.corpus.crystals import MGO, NACL
from tests.support.corpus.outputs import properties, single_point
from tests.support.corpus.scf import Method, Scf, falling
from tests.support.corpus.states import Conductor, Insulator

DFT = Method(hamiltonian="DFT", exchange="PBE")
STOPS = {
    "crash": (
        "Abort(1) on node 3 (rank 3 in comm 0): application called MPI_Abort(MPI_COMM_WORLD, 1) - process 3",
        "application called MPI_Abort(MPI_COMM_WORLD, 1) - process 0",
        "MPI_ABORT was invoked on rank 2 in communicator MPI_COMM_WORLD with errorcode 1.",
        "=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES",
        "mpirun noticed that process rank 3 with PID 4711 on node n17 exited on signal 11 (Segmentation fault).",
        "srun: error: n17: task 3: Segmentation fault (core dumped)",
        "srun: error: n17: tasks 0-7: Exited with exit code 174",
        "Program received signal SIGFPE: Floating-point exception - erroneous arithmetic operation.",
        "At line 33 of file input.f90 (unit = 5, file = 'stdin')\nFortran runtime error: End of file",
        "forrtl: severe (174): SIGSEGV, segmentation fault occurred",
        "Segmentation fault (core dumped)",
        "Killed",
    ),
    "timeout": ("slurmstepd: error: *** STEP 12.0 ON n17 CANCELLED AT 2026-03-05T10:11:12 DUE TO TIME LIMIT ***",),
    "memory": (
        "slurmstepd: error: Detected 1 oom_kill event in StepId=12.0. Some of the step tasks have been OOM Killed.",
    ),
}
STOPPED = [(code, line) for code, lines in STOPS.items() for line in lines]


def text(energy: float = -274.5, wave: str = "mgo") -> str:
    structure = MGO if wave == "mgo" else NACL
    state = Insulator(10, -0.2, 0.1) if wave == "mgo" else Conductor(-0.1)
    charges = (10.2, 9.8) if wave == "mgo" else ()
    return single_point(structure, Scf(energy, falling(-0.5, 0.2, 6), state, charges), DFT)


def cut(whole: str) -> str:
    return whole[: whole.index(" CYC   4")]


@pytest.mark.parametrize(("code", "line"), STOPPED)
@pytest.mark.parametrize("behind", ["", "some file removed\n" * 3000])
def test_what_stops_a_program_is_named(code: str, line: str, behind: str) -> None:
    found = read_output((cut(text()) + line + "\n" + behind).encode())
    assert (found.verdict, found.diagnosis_code) == ("failed", code)
    assert found.diagnosis and found.remedy


@pytest.mark.parametrize(("code", "line"), STOPPED)
def test_after_a_normal_end_it_is_a_warning(code: str, line: str) -> None:
    found = read_output((text() + line + "\n").encode())
    assert (found.verdict, found.diagnosis_code, found.errors) == ("completed", None, [])
    assert found.warnings


@pytest.mark.parametrize("error", ["INPBAS **** UNIT CELL NOT NEUTRAL", "MADEUP **** NOBODY KNOWS WHY"])
def test_the_programs_own_words_come_first(error: str) -> None:
    found = read_output((cut(text()) + f" ERROR **** {error}\n{STOPS['crash'][0]}\n").encode())
    assert found.verdict == "failed"
    assert found.errors == [f"ERROR **** {error}"]
    assert found.diagnosis_code == ("not-neutral" if "NEUTRAL" in error else None)
    assert found.diagnosis and "crashed" not in found.diagnosis


def test_somebody_who_stops_a_run_makes_it_incomplete() -> None:
    found = read_output((cut(text()) + "forrtl: error (78): process killed (SIGTERM)\n").encode())
    assert (found.verdict, found.diagnosis_code) == ("incomplete", None)


# -- more than one program -----------------------------------------------------------------------------------------


def seconds(whole: str) -> float:
    return float(whole[: whole.rindex(" TCPU")].split()[-1])


@pytest.mark.parametrize("size", [0, 997])
def test_crystal_and_properties_take_their_time_together(size: int) -> None:
    first, second = text(), properties(MGO, Insulator(10, -0.2, 0.1), "BAND")
    data = (first + "\n" + second).encode()
    reader = OutputReader()
    for place in range(0, len(data), size or len(data)):
        reader.feed(data[place : place + (size or len(data))])
    found = reader.results()
    assert found.program_times_s == [seconds(first), seconds(second)]
    assert found.wall_time_s == pytest.approx(seconds(first) + seconds(second))
    assert (found.verdict, found.energy_total, found.energy_kind) == ("completed", -274.5, "DFT")


@pytest.mark.parametrize("size", [0, 997])
@pytest.mark.parametrize("complete", [True, False])
def test_of_two_runs_in_one_file_the_second_is_told(size: int, complete: bool) -> None:
    """Nothing of the first stands beside it: no energy, no charges, no gap, no time, no error."""
    first = text().replace(" EIGENVECTORS IN", " ERROR **** MADEUP **** OF THE FIRST\n EIGENVECTORS IN")
    second = text(-621.25, "nacl").replace("CRYSTAL17", "CRYSTAL23")
    if not complete:
        second = cut(second)
    reader = OutputReader()
    data = (first + second).encode()
    for place in range(0, len(data), size or len(data)):
        reader.feed(data[place : place + (size or len(data))])
    alone = OutputReader()
    alone.feed(second.encode())
    assert reader.results() == alone.results()
    assert (reader.progress, len(reader.series.scf)) == (alone.progress, 1)
    assert reader.results().program == "CRYSTAL23"


def test_a_run_that_dies_before_its_geometry_tells_nothing_of_the_one_before() -> None:
    second = text()
    second = second[: second.index(" GEOMETRY FOR WAVE")]
    found = read_output((text() + second).encode())
    assert (found.verdict, found.energy_total, found.geometry) == ("incomplete", None, None)


def test_properties_without_its_wave_function_keep_what_the_scf_told() -> None:
    second = (CORPUS / "no-wave-function/main.outp").read_text()
    found = read_output((text() + second).encode())
    assert (found.verdict, found.diagnosis_code, found.energy_total) == ("failed", "wavefunction-missing", -274.5)


def test_the_wall_time_of_a_cut_run_is_that_of_its_last_stage_whatever_its_name_and_however_it_is_fed() -> None:
    """Names of two words stand among those of one."""
    filling = " SOME WORDS THAT SAY NOTHING\n" * 9000
    stages = ("MONMAD", 41.25), ("SHELLX", 77.5), ("AFTER FIRST", 93.75)
    lines = [f" {'T' * 30} {name:<11} TELAPSE {seconds:11.2f} TCPU {seconds:11.2f}\n" for name, seconds in stages]
    output = (filling.join(lines) + filling).encode()
    for size in (997, 150_000, len(output)):
        reader = OutputReader()
        for place in range(0, len(output), size):
            reader.feed(output[place : place + size])
        assert reader.results().wall_time_s == 93.75
