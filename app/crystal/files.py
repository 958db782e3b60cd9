"""Names of files: what CRYSTAL calls them, what we write beside them ourselves, and which a template may ask for.

A template says under which name the program finds a file (`staged_as`), which files it renders and which it leaves. Whoever
writes it is a member of the group, not the operator: a name is data and must never become a path, a script of ours or a result
that were never computed. So only plain names of the kinds in the table pass. The same rule is asked when a template is read, when a
job is made, and once more before anything is sent to a cluster.

Source of the names: CRYSTAL23 User's Manual, appendix on files, and the scripts that come with the program (`runcry23`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from app.domain.names import plain_file_fault
from app.domain.templates.metadata import TemplateSpec


@dataclass(frozen=True)
class Kind:
    """Files of one kind: a pattern of the whole name, what they are, and whether a program reads them beside its deck."""

    pattern: re.Pattern[str]
    role: str
    read: bool


def _kind(pattern: str, role: str, *, read: bool) -> Kind:
    return Kind(re.compile(pattern, re.ASCII), role, read)


KINDS = (
    _kind(r"job\.sh", "script", read=False),
    _kind(r"job\.log", "log", read=False),
    # What a program leaves and CrystalDeck reads as its results must not be put there beforehand.
    _kind(r"fort\.25", "data", read=False),
    _kind(r"fort\.87", "log", read=False),
    _kind(r"(BAND|DOSS|PHONBANDS|PHONDOS|[A-Z]+_CUBE)\.DAT", "data", read=False),
    _kind(r"(IRSPEC|IRREFR|IRDIEL|RAMSPEC|PPAN|SEEBECK|SIGMA[A-Z]*|KAPPA|TDF|COOP|COHP)\.DAT", "data", read=False),
    _kind(r".+\.outp?", "output", read=False),
    _kind(r".+\.LOG", "log", read=False),
    _kind(r"[\w.-]+\.(BAND|DOSS|PHONDOS|f25|cube|CUBE)", "data", read=False),
    # What the programs read: the numbered units, and named files.
    _kind(r"fort\.(9|20|98)", "wavefunction", read=True),
    _kind(r"fort\.34", "geometry", read=True),
    _kind(r"fort\.13", "restart", read=True),
    _kind(r"fort\.[1-9][0-9]{0,2}", "other", read=True),
    _kind(r"(OPTINFO|HESSOPT|FREQINFO)\.DAT", "restart", read=True),
    _kind(r"[A-Z][A-Z0-9_]*\.DAT", "data", read=True),
    _kind(r".+\.DAT", "data", read=False),
    _kind(r"[A-Z][A-Z0-9_]*\.INP", "other", read=True),
    # The names that CRYSTAL's own scripts give to those files.
    _kind(r"[\w.-]+\.(gui|f34|xyz|cif)", "other", read=True),
    _kind(r"[\w.-]+\.(f9|f20|f98|f13|optinfo|hessopt|FREQINFO)", "other", read=True),
    _kind(r".+\.(d12|d3)", "deck", read=True),
)

SCF_LOG = "SCFOUT.LOG"
"""Where an optimisation writes the SCFs of its second and later points, unless its deck says ONELOG."""
ERROR_FILE = "fort.87"
"""Where the programs repeat why they stopped."""
BAND_FILE = "BAND.DAT"
"""Where properties writes the bands along a path."""
DOS_FILE = "DOSS.DAT"
"""Where properties writes densities of states."""
WAVEFUNCTION = "fort.9"
"""The wave function, which properties and later jobs read."""
_FORT25 = ("fort.25", ".f25")
POPULATION_FILES = (("COOP.DAT", ".COOP"), ("COHP.DAT", ".COHP"))
"""Files of overlap and Hamilton populations."""
FORT25_FILES = _FORT25
"""Where properties writes bands, densities of states and maps in a plane."""
BAND_FILES = (BAND_FILE, ".BAND", *_FORT25)
"""Files that hold bands, the best first: whole names, and endings that CRYSTAL's own scripts give."""
TRANSPORT_FILES = tuple((f"{name}.DAT", f".{name}") for name in ("SIGMA", "SEEBECK", "KAPPA", "SIGMAS"))
"""Files of transport coefficients, by quantity: where BOLTZTRA writes them, and how CRYSTAL's own scripts end their names."""
DOS_FILES = (DOS_FILE, ".DOSS", *_FORT25)
"""The same for densities of states."""
PHONON_DOS_FILES = ("PHONDOS.DAT", ".PHONDOS")
"""The same for densities of phonon states."""
JOB_SCRIPT, JOB_LOG = "job.sh", "job.log"
"""The script of a job, and what it prints itself: words of the launcher and of the scheduler, not of the programs."""
OWN = (JOB_SCRIPT, JOB_LOG, "array.sh", "list", "INPUT", ".crystaldeck")
"""What CrystalDeck writes itself in the directory of a job or of a job array."""
READABLE = "fort.N, NAME.DAT, NAME.INP, *.gui, *.d12, *.d3, *.f9, *.f20, *.f98, *.f13, *.xyz"
"""The kinds that pass, for an error message."""


def role_of(name: str) -> str:
    """What a file is, by the name that CRYSTAL gives it."""
    return next((kind.role for kind in KINDS if kind.pattern.fullmatch(name)), "other")


def output_name(deck: str) -> str:
    """`scf.d12` prints to `scf.out`, `bands.d3` to `bands.outp`, as CRYSTAL's users call them."""
    stem, _, role = deck.rpartition(".")
    return f"{stem}.outp" if role == "d3" else f"{stem}.out"


def outputs_of(decks: Iterable[str]) -> list[str]:
    """The outputs of a job with these rendered files, in the order in which its programs run."""
    return [output_name(name) for name in decks if is_deck(name)]


CUBE_FILES = ("CUBE.DAT", ".cube", ".CUBE")
"""Endings of files that hold values on a grid."""


def is_fort25(name: str) -> bool:
    """Does a file hold what properties writes on unit 25, under its own name or that of CRYSTAL's scripts?"""
    return name.endswith(_FORT25)


def writes_scf_log(decks: Mapping[str, str]) -> bool:
    """Whether the SCF cycles of a job's later points are in a separate file.

    Args:
        decks: text by name.
    """
    lines = {line.strip() for name, text in decks.items() if name.endswith(".d12") for line in text.split("\n")}
    return "OPTGEOM" in lines and "ONELOG" not in lines


def written_beside(decks: Iterable[str]) -> list[str]:
    """All that lies in the directory of a job with these rendered files: they, their outputs, and what is our own."""
    names = list(decks)
    return [*OWN, *names, *(output_name(name) for name in names if is_deck(name))]


def is_deck(name: str) -> bool:
    """Does crystal or properties run it?"""
    return name.endswith((".d12", ".d3"))


def staged_fault(name: str, taken: Collection[str] = OWN) -> str:
    """Why a file must not be put beside a deck under this name; empty: it may.

    Args:
        taken: names that are in use there. Upper and lower case count as the same: some file systems fold them.
    """
    if reason := plain_file_fault(name):
        return reason
    folded = name.casefold()
    if folded in {other.casefold() for other in (*OWN, *taken)}:
        return "is reserved for a file that CrystalDeck writes itself"
    kind = next((kind for kind in KINDS if kind.pattern.fullmatch(name)), None)
    if kind is None or not kind.read:
        return f"is not a file that CRYSTAL reads alongside its deck ({READABLE})"
    return ""


def rendered_fault(name: str) -> str:
    """Why a template must not write a file of this name; empty: it may. Decks are run, all else lies beside them."""
    return plain_file_fault(name) if is_deck(name) and name.casefold() not in OWN else staged_fault(name)


def names_fault(names: Iterable[str]) -> str:
    """Why these files cannot be rendered for one job: a bad name, or one that is there twice; empty: they can."""
    seen: dict[str, str] = {}
    for name in names:
        if reason := rendered_fault(name):
            return f"{name[:80]!r} {reason}"
        for own in (name, output_name(name)) if is_deck(name) else (name,):
            if own.casefold() in seen:
                return f"{name!r} cannot be sent with {seen[own.casefold()]!r}: both would be named {own}"
            seen[own.casefold()] = name
    return ""


def job_fault(rendered: Iterable[str], attached: Iterable[str]) -> str:
    """Why a job with these rendered and attached files must not be made or sent; empty: nothing speaks against it."""
    names = list(rendered)
    if reason := names_fault(names):
        return f"its file {reason}"
    taken = written_beside(names)
    for name in attached:
        if reason := staged_fault(name, taken):
            return f"its attached file {name[:80]!r} {reason}"
        taken.append(name)
    return ""


def template_fault(spec: TemplateSpec) -> str:
    """What is wrong with the names in a template; empty: nothing."""
    if reason := names_fault(file.name for file in spec.files):
        return f"files: the name {reason}"
    # A file that is only beside the decks may be rendered or attached, as the answers say: fort.34.
    taken = written_beside(file.name for file in spec.files if is_deck(file.name))
    for field in spec.needs:
        if reason := staged_fault(field.staged_as, taken):
            return f"field {field.key}: staged_as = {field.staged_as[:80]!r} {reason}"
    for product in spec.produces:
        if reason := plain_file_fault(product.name):
            return f"produces: the name {product.name[:80]!r} {reason}"
    return ""
