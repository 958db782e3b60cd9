"""CRYSTAL's keywords by block: what they mean, and which records follow them.

The tables hold what users of the five kinds of calculation meet; a keyword that is in none of them is reported as not
known here, never as wrong.
"""

from app.crystal.decks.keywords.geometry import CPHF, ELASTCON, EOS, FREQCALC, GEOMETRY, OPTGEOM, SPECTRUM
from app.crystal.decks.keywords.hamiltonian import DFT, DFTD3, HAMILTONIAN, SINGLE_FUNCTIONALS
from app.crystal.decks.keywords.keyword import Keyword, Table
from app.crystal.decks.keywords.properties import BOLTZTRA, MAP, PROPERTIES

__all__ = ["HAMILTONIAN", "PROPERTIES", "SINGLE_FUNCTIONALS", "TABLES", "Keyword", "Table"]

TABLES: dict[str, Table] = {
    "geometry": GEOMETRY,
    "Hamiltonian": HAMILTONIAN,
    "properties": PROPERTIES,
    "OPTGEOM": OPTGEOM,
    "FREQCALC": FREQCALC,
    "CPHF": CPHF,
    "SPECTRUM": SPECTRUM,
    "ELASTCON": ELASTCON,
    "EOS": EOS,
    "DFT": DFT,
    "DFTD3": DFTD3,
    "MAP": MAP,
    "BOLTZTRA": BOLTZTRA,
}
"""The tables of keywords, by block."""
