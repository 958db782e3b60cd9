"""Why a calculation failed: signatures in outputs, what they mean, what experts do. A table, not code.

Sources: the CRYSTAL17/23 manuals, and the failed runs in the published outputs that the parser is tested with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    code: str
    pattern: re.Pattern[str]
    meaning: str
    remedy: str


def _signature(code: str, pattern: str, meaning: str, remedy: str) -> Signature:
    return Signature(code, re.compile(pattern), meaning, remedy)


SIGNATURES: tuple[Signature, ...] = (
    _signature(
        "opt-scf-failed", r"OPTGEOM \*\*\*\* SCF FAILED",
        "The SCF of one point of the geometry optimisation did not converge.",
        "Restart from the last good geometry with GUESSP, with more Fock mixing (FMIXING 50–90), denser SHRINK or SMEAR.",
    ),
    _signature(
        "opt-not-converged", r"GEOMETRY OPTIMIZATION FAILED|OPT END - FAILED",
        "The geometry optimisation reached its limit of points without converging.",
        "Restart with RESTART and a larger MAXCYCLE, a smaller MAXTRADIUS, or tighter TOLINTEG and TOLDEE against noise.",
    ),
    _signature(
        "bfgs", r"PXK TOO SMALL",
        "The update of the Hessian broke down, mostly after a restart.",
        "Start a fresh optimisation from the best geometry so far.",
    ),
    _signature(
        "linear-dependence", r"BASIS SET LINEARLY DEPENDENT|CHOLSK|RHOLSK",
        "The basis set is linearly dependent: its functions are too diffuse for these distances.",
        "Use a solid-state basis set, remove exponents below 0.1, or set LDREMO 4.",
    ),
    _signature(
        "tolinteg", r"INCONSISTENT ITOL SIZE",
        "TOLINTEG does not have five numbers.",
        "Give five integers, e.g. 7 7 7 7 14.",
    ),
    _signature(
        "deck-format", r"FORMAT ERROR IN INPUT DECK|END OF DATA IN INPUT DECK|KEYWORD NOT ALLOWED",
        "CRYSTAL could not read the deck: a block is not closed, or a count does not fit.",
        "Look at the last deck line echoed in the output; check END lines, the number of atoms and of shells.",
    ),
    _signature(
        "not-neutral", r"UNIT CELL NOT NEUTRAL",
        "The electrons of the basis set do not sum to a neutral cell.",
        "Correct the shell occupations, or use CHARGED where a charge is meant.",
    ),
    _signature(
        "basis-missing", r"Basis set is not implemented for requested element",
        "The internal basis set does not exist for one of the elements.",
        "Choose another basis set, or give an explicit one.",
    ),
    _signature(
        "atoms-too-close", r"USE KEYWORD SMALLDIST",
        "Two atoms are too close: wrong units, setting or origin, or a duplicate atom.",
        "Correct the structure.",
    ),
    _signature(
        "fermi", r"FERMI ENERGY NOT IN INTERVAL",
        "The Fermi energy could not be found.",
        "Use SMEAR or a denser SHRINK net.",
    ),
    _signature(
        "anisotropic-shrink", r"ANISOTROPIC SHRINKING FACTOR",
        "SHRINK differs along directions that symmetry makes equal.",
        "Give equal shrinking factors.",
    ),
    _signature(
        "spin", r"SPIN POLARIZATION NOT ALLOWED",
        "A closed-shell calculation was asked for an odd number of electrons or with spins.",
        "Switch spin polarisation on.",
    ),
    _signature(
        "guess-missing", r"COPY OF WAVEFUNCTION FILE .* CAN NOT BE FOUND",
        "GUESSP found no fort.20.",
        "Attach the wave function (fort.9) of the earlier job.",
    ),
    _signature(
        "wavefunction-missing", r"Wavefunction file can not be found",
        "The properties step found no wave function (fort.9).",
        "Run the SCF first, or attach its fort.9; look whether the crystal step failed.",
    ),
    _signature(
        "geometry-missing", r"GEOMETRY DATA FILE NOT FOUND",
        "EXTERNAL found no fort.34.",
        "Attach the geometry file (.gui).",
    ),
    _signature(
        "preview-unsupported", r"ERROR \*\*\*\* PREVIEW \*\*\*\*",
        "The preview engine does not implement something that the deck asks for.",
        "Run the job on a machine with CRYSTAL, or remove the keyword that the message names.",
    ),
    _signature(
        "memory", r"Cannot allocate memory|oom_kill|ALLOCATION ERROR",
        "The program ran out of memory.",
        "Use fewer MPI ranks per node, more memory, or the distributed-memory build.",
    ),
    _signature(
        "crash", r"forrtl: severe|SIGSEGV|MPI_ABORT",
        "The program crashed.",
        "Check 'ulimit -s unlimited', the modules loaded, and the free disk space.",
    ),
    _signature(
        "scf-not-converged", r"SCF ENDED - TOO MANY CYCLES",
        "The SCF did not converge within MAXCYCLE cycles; the program still ended normally.",
        "Continue with GUESSP; raise FMIXING to 50–90; use a denser SHRINK, SMEAR for small gaps or LEVSHIFT for insulators.",
    ),
)  # fmt: skip


def diagnose(lines: list[str]) -> Signature | None:
    """The first signature of the table that one of the suspicious `lines` shows."""
    for signature in SIGNATURES:
        if any(signature.pattern.search(line) for line in lines):
            return signature
    return None
