"""CRYSTAL's keywords by block: what they mean, and which records follow them.

The tables hold the words of the manuals and those met in published decks; a keyword that is in none of them is reported as
not known here, never as wrong.
"""

from app.crystal.decks.keywords.basis import BASIS
from app.crystal.decks.keywords.functionals import (
    COMPOSITE,
    CORRELATION,
    D3_FUNCTIONALS,
    DFT,
    DFTD3,
    EXCHANGE,
    SINGLE_FUNCTIONALS,
)
from app.crystal.decks.keywords.geometry import GEOMETRY
from app.crystal.decks.keywords.hamiltonian import HAMILTONIAN
from app.crystal.decks.keywords.keyword import Keyword, Table, keyword_of
from app.crystal.decks.keywords.optimisation import OPTGEOM
from app.crystal.decks.keywords.properties import BOLTZTRA, MAP, PROF, PROPERTIES
from app.crystal.decks.keywords.response import ELASTCON, EOS, PHOTOELA
from app.crystal.decks.keywords.vibrations import ANHARM, CPHF, FREQCALC, QHA, SPECTRUM

__all__ = [
    "BASIS",
    "CORRELATION",
    "D3_FUNCTIONALS",
    "EXCHANGE",
    "HAMILTONIAN",
    "PROPERTIES",
    "SINGLE_FUNCTIONALS",
    "TABLES",
    "Keyword",
    "Table",
    "keyword_of",
]

TABLES: dict[str, Table] = {
    "geometry": GEOMETRY,
    "basis set": BASIS,
    "Hamiltonian": HAMILTONIAN,
    "properties": PROPERTIES,
    "OPTGEOM": OPTGEOM,
    "FREQCALC": FREQCALC,
    "CPHF": CPHF,
    "SPECTRUM": SPECTRUM,
    "ANHARM": ANHARM,
    "QHA": QHA,
    "ELASTCON": ELASTCON,
    "PHOTOELA": PHOTOELA,
    "EOS": EOS,
    "DFT": DFT,
    "DFTD3": DFTD3,
    "composite": COMPOSITE,
    "MAP": MAP,
    "PROF": PROF,
    "BOLTZTRA": BOLTZTRA,
}
"""The tables of keywords, by block."""

REGIONS = {
    **dict.fromkeys(
        ("geometry", "OPTGEOM", "FREQCALC", "CPHF", "SPECTRUM", "ANHARM", "QHA", "ELASTCON", "PHOTOELA", "EOS"),
        "geometry",
    ),
    "basis set": "basis set",
    **dict.fromkeys(("Hamiltonian", "DFT", "DFTD3", "composite"), "Hamiltonian"),
    **dict.fromkeys(("properties", "MAP", "PROF", "BOLTZTRA"), "properties"),
}
"""The outermost block in which each block stands."""
