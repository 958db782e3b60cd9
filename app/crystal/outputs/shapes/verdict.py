"""Lines of the run itself: program, stages, end, errors."""

from __future__ import annotations

from app.crystal.outputs.shapes.words import NUMBER, STAGE

FOREIGN = (
    r"^ *forrtl: (?:severe|error(?!.*SIGTERM))|oom_kill|Cannot allocate memory|Fortran runtime error|Program received signal SIG"
    r"|MPI_A(?:bort|BORT)\b|^Abort\(\d+\) on node|^Fatal error in|BAD TERMINATION OF ONE OF YOUR"
    r"|(?:mpirun|mpiexec) noticed that process .* exited on signal"
    r"|(?:srun|slurmstepd): error: .*(?:Killed|Segmentation fault|Bus error|Aborted|CANCELLED AT .* DUE TO|Exited with exit code)"
    r"|^(?:Segmentation fault|Bus error|Killed)(?: \(core dumped\))? *$"
)
"""What the MPI library, the run-time library of Fortran, the launcher and the kernel write when a program comes to grief.

SIGTERM is no grief: somebody stopped the program, a scheduler for instance, and the output is incomplete.
"""

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    # The name of a stage may be of two words, as AFTER FIRST (executed, CRYSTAL17).
    "elapsed": (
        (f"{STAGE} END ", f"{STAGE} ERR "),
        rf"^ *T{{20,}} (?P<el_stage>\w+(?: \w+)*) +TELAPSE +(?P<el_s>{NUMBER})",
    ),
    "mesh": ("SHRINK. FACT.(MONKH.)", r"SHRINK\. FACT\.\(MONKH\.\) *(?P<mk>\d+ +\d+ +\d+)"),
    "ended": ("EEEEEEEEEE TERMINATION", r"^ *EEEEEEEEEE TERMINATION +DATE"),
    "banner": (("CRYSTAL0", "CRYSTAL1", "CRYSTAL2"), r"^ *\* +(?P<prog>CRYSTAL\d\d) +\*"),
    "release": ("public", r"^ *\* +public *: *(?P<rel>.*?) *\*"),
    "preview": ("CRYSTALDECK PREVIEW ENGINE", r"^ *\* +CRYSTALDECK PREVIEW ENGINE +(?P<pv>\S.*?) *\*"),
    "test_only": ("SIZE OF DENSITY MATRIX", r"SIZE OF DENSITY MATRIX EVALUATED"),
    "error": (
        (
            "ERROR ****",
            "forrtl: severe",
            "forrtl: error",
            "Fortran runtime error",
            "Program received signal",
            "Abort(",
            "Fatal error in",
            "application called MPI",
            "MPI_ABORT was invoked",
            "BAD TERMINATION OF ONE",
            "mpirun noticed",
            "srun: error: ",
            "slurmstepd: error: ",
            "mpiexec noticed",
            "Segmentation fault",
            "Bus error",
            "Killed",
        ),
        rf"ERROR \*\*\*\*|{FOREIGN}",
    ),
    "warning": ("WARNING ****", r"WARNING \*\*\*\*"),
}
