"""Why a calculation failed: signatures in outputs and logs, what they mean, what experts do. A table, not code.

Sources: the CRYSTAL17/23 manuals, the failed runs among the published outputs that the parser is tested with, and the words of
SLURM, Linux and MPI launchers. What can be done at a click stands in `crystal.remedies`, under the codes of this table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """`advice` in the order in which experts try it."""

    code: str
    pattern: re.Pattern[str]
    meaning: str
    advice: tuple[str, ...]

    @property
    def remedy(self) -> str:
        """All of the advice as text."""
        return " ".join(self.advice)


def _signature(code: str, pattern: str, meaning: str, *advice: str) -> Signature:
    return Signature(code, re.compile(pattern), meaning, advice)


SIGNATURES: tuple[Signature, ...] = (
    # -- the program's own words ---------------------------------------------------------------------------------
    _signature(
        "opt-scf-failed", r"OPTGEOM \*\*\*\* SCF FAILED",
        "The SCF of one point of the geometry optimisation did not converge.",
        "Restart from the last good geometry with GUESSP.", "Use more Fock mixing (FMIXING 50–90).",
        "Use a denser SHRINK, or SMEAR for a small gap.",
    ),
    _signature(
        "opt-not-converged", r"GEOMETRY OPTIMIZATION FAILED|OPT END - FAILED",
        "The geometry optimisation reached its limit of points without converging.",
        "Continue with RESTART and a larger MAXCYCLE in OPTGEOM.", "Use a smaller MAXTRADIUS where the energy goes up and down.",
        "Tighten TOLINTEG and TOLDEE against numerical noise.",
    ),
    _signature(
        "bfgs", r"PXK TOO SMALL",
        "The update of the Hessian broke down, mostly after a restart.",
        "Start a fresh optimisation from the best geometry so far, without OPTINFO.DAT.",
    ),
    _signature(
        "model-hessian", r"PARAMETERS FOR MODEL HESSIAN NOT DEFINED",
        "The model for the initial Hessian has no parameters for one of the elements.",
        "Start from the unit matrix: HESSIDEN in OPTGEOM.",
    ),
    _signature(
        "linear-dependence", r"BASIS SET LINEARLY DEPENDENT|CHOLSK|RHOLSK",
        "The basis set is linearly dependent: its functions are too diffuse for these distances.",
        "Use a basis set made for solids (pob-…-rev2).", "Remove exponents below 0.1.", "Set LDREMO 4.",
        "Tighten the last two numbers of TOLINTEG.",
    ),
    _signature(
        "tolinteg", r"INCONSISTENT ITOL SIZE",
        "TOLINTEG does not have five numbers.",
        "Give five integers, e.g. 7 7 7 7 14.",
    ),
    _signature(
        "not-neutral", r"UNIT CELL NOT NEUTRAL",
        "The electrons of the basis set do not sum to a neutral cell.",
        "Correct the occupations of the shells.", "Use CHARGED if a charge is intended.",
    ),
    _signature(
        "basis-missing", r"Basis set is not implemented for requested element",
        "The internal basis set does not exist for one of the elements.",
        "Choose another internal basis set, or write one out.",
    ),
    _signature(
        "atoms-too-close", r"USE KEYWORD SMALLDIST",
        "Two atoms are too close: wrong units, setting or origin, or a duplicate atom.",
        "Correct the structure; use SMALLDIST only if the distance is intended.",
    ),
    _signature(
        "fermi", r"FERMI ENERGY NOT IN INTERVAL",
        "The Fermi energy could not be found.",
        "Smear the occupation (SMEAR).", "Use a denser k-point mesh (SHRINK).",
    ),
    _signature(
        "anisotropic-shrink", r"ANISOTROPIC SHRINKING FACTOR",
        "SHRINK differs along directions that symmetry makes equal.",
        "Use equal shrinking factors.",
    ),
    _signature(
        "spin", r"SPIN POLARIZATION NOT ALLOWED",
        "A closed-shell calculation was requested with an odd number of electrons or with spins.",
        "Switch spin polarisation on (SPIN or UHF), with SPINLOCK for an odd number of electrons.",
    ),
    _signature(
        "guess-missing", r"COPY OF WAVEFUNCTION FILE .*(?:CAN ?NOT|NOT) BE FOUND|fort\.20.*(?:not found|No such file)",
        "GUESSP found no usable wave function (fort.20).",
        "Attach the wave function (fort.9) of the earlier job.", "Run without GUESSP if the basis set differs.",
    ),
    _signature(
        "wavefunction-missing", r"Wavefunction file can not be found",
        "The properties step found no wave function (fort.9).",
        "Run the SCF first, or attach its fort.9.", "Check whether the step before it failed.",
    ),
    _signature(
        "geometry-missing", r"GEOMETRY DATA FILE NOT FOUND",
        "EXTERNAL found no fort.34.",
        "Attach the geometry file (.gui).",
    ),
    _signature(
        "ilasize", r"ILA DIMENSION EXCEEDED|INCREASE ILASIZE",
        "A list of lattice points is too short for this cell.",
        "Set ILASIZE 6000 among the further SCF keywords, 10000 if that is not enough.",
    ),
    _signature(
        "grid-neighbours", r"NEIGHBOR LIST TOO BIG|LIMBEK",
        "The list of neighbours of the integration grid is too short.",
        "Raise it with LIMBEK in the DFT block.", "Use fewer diffuse functions.",
    ),
    _signature(
        "lattice-vectors", r"ALL G-VECTORS USED",
        "The program ran out of lattice vectors: diffuse functions in a small cell.",
        "Use less diffuse functions, or a different TOLINTEG.",
    ),
    _signature(
        "not-stationary", r"FORCE IS GREATER THAN 10\^-4|OPTIMIZE THE STRUCTURE",
        "The structure is not at a minimum: elastic constants and frequencies need one.",
        "Optimise the geometry with the same method first, with tight thresholds.",
    ),
    _signature(
        "deck-format", r"FORMAT ERROR IN INPUT DECK|END OF DATA IN INPUT DECK|KEYWORD NOT ALLOWED",
        "CRYSTAL could not read the deck: a block is not closed, or a count does not fit.",
        "Look at the last deck line echoed in the output.", "Check END lines, the number of atoms and of shells.",
    ),
    _signature(
        "preview-unsupported", r"ERROR \*\*\*\* PREVIEW \*\*\*\*",
        "The deck asks for something that the preview engine does not implement.",
        "Run the job on a cluster with CRYSTAL, or remove the keyword named in the message.",
    ),
    # -- machine, launcher, file system --------------------------------------------------------------------------
    _signature(
        "timeout", r"DUE TO TIME LIMIT|PBS: job killed: walltime",
        "The time limit was reached before the calculation ended.",
        "Request more time.", "Continue from the restart files that the job left, if any.",
    ),
    _signature(
        "memory", r"[Cc]annot allocate memory|oom[_-]kill|OUT_OF_MEMORY|ALLOCATION ERROR|std::bad_alloc|Exceeded job memory limit",
        "The program ran out of memory.",
        "Request more memory.", "Use fewer MPI ranks per node: each holds all matrices.",
        "Use the distributed-memory build (MPPcrystal), or LOWMEM.",
    ),
    _signature(
        "disk-full", r"No space left on device|Disk quota exceeded|error during write|write error",
        "The disk is full, or a quota is used up.",
        "Free space in the cluster's working directory, then rerun the job.",
    ),
    _signature(
        "program-missing", r"command not found|(?:crystal|properties)\S*: (?:not found|No such file)|execve\(\)",
        "The program was not found on the cluster.",
        "Correct its path or the modules in the cluster's settings, then press Test there.",
    ),
    _signature(
        "library-missing", r"error while loading shared libraries|cannot open shared object file|version `\S+' not found",
        "The program could not load a library.",
        "Load the modules that it was built with: see the cluster's settings.",
    ),
    _signature(
        "module-missing", r"Unable to locate a modulefile|Lmod has detected the following error|Module ERROR",
        "A module named in the cluster's settings does not exist there.",
        "Correct the list of modules in the cluster's settings.",
    ),
    _signature(
        "launcher", r"srun: error: Unable to create step|There are not enough slots|mpirun was unable to|PMI\w* .*(?:error|failed)",
        "The MPI launcher could not start the processes.",
        "Request as many tasks as are started; check the launcher in the cluster's settings.",
    ),
    _signature(
        "node", r"DUE TO NODE FAILURE|NODE_FAIL|Communication connection failure",
        "A compute node failed while the job ran.",
        "Rerun the job.",
    ),
    _signature(
        "crash",
        r"forrtl: (?:severe|error)|SIG[A-Z]{3,4}\b|Segmentation fault|Bus error|MPI_ABORT|MPI_Abort|Illegal instruction"
        r"|Fortran runtime error|BAD TERMINATION OF ONE|exited on signal|^Fatal error in|^Abort\(|^Killed$"
        r"|(?:srun|slurmstepd): error: .*(?:Killed|Aborted|Exited with exit code)",
        "The program crashed.",
        "Check that the job script sets 'ulimit -s unlimited'.", "Check the modules: the build must match the processor.",
        "Check the free disk space.",
    ),
    # -- last: it also stands in outputs that fail for another reason ----------------------------------------------
    _signature(
        "scf-not-converged", r"SCF ENDED - TOO MANY CYCLES",
        "The SCF did not converge within MAXCYCLE cycles.",
        "Continue with GUESSP and a larger MAXCYCLE.", "Raise FMIXING to 50–90.",
        "Use a denser SHRINK, SMEAR for small gaps or LEVSHIFT for insulators.", "Check the spin state.",
    ),
)  # fmt: skip
BY_CODE = {signature.code: signature for signature in SIGNATURES}


def diagnose(lines: Iterable[str]) -> Signature | None:
    """The first signature of the table that one of the suspicious `lines` shows."""
    known = list(lines)
    for signature in SIGNATURES if known else ():
        if any(signature.pattern.search(line) for line in known):
            return signature
    return None
