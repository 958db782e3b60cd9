"""Keywords of a deck of properties, a d3, and of the blocks that they open.

Sources: the CRYSTAL17 and CRYSTAL23 user manuals for names and records, published decks for those that were seen to run.
"""

from __future__ import annotations

from app.crystal import records
from app.crystal.decks.keywords.keyword import Keyword as K
from app.crystal.decks.keywords.keyword import Table
from app.crystal.records import counted, flowing, integers, newk, numbers, sequence, word

until = records.until_end

_POINTS = integers(1, "number of points")

MAP: Table = {
    "ATOMS": K("The plane goes through three atoms.", sequence(*(integers(4, "atom and cell"),) * 3)),
    "COORDINA": K("The plane goes through three points.", sequence(*(numbers(3, "a point"),) * 3)),
    "RECTANGU": K("Makes the frame rectangular."),
    "MARGINS": K("Margins around the frame.", numbers(4)),
    "ANGSTROM": K("Coordinates in Å."),
    "BOHR": K("Coordinates in bohr."),
    "FRACTION": K("Coordinates as fractions."),
    "PRINT": K("Prints the values."),
    "RANGE": K("Range along non-periodic directions, bohr.", records.bounds),
    "SCALE": K("Scale along non-periodic directions.", numbers(1)),
}

BOLTZTRA: Table = {
    "TRANGE": K("Temperatures: first, last, step; K.", numbers(3, "first, last, step")),
    "MURANGE": K("Chemical potentials: first, last, step; eV.", numbers(3, "first, last, step")),
    "TDFRANGE": K("Energies of the transport distribution: first, last, step; eV.", numbers(3, "first, last, step")),
    "RELAXTIM": K("Relaxation time, fs.", numbers(1)),
    "NEWK": K("A separate k-point mesh.", newk),
}

PROPERTIES: Table = {
    "RDFMWF": K("Reads the wave function from fort.98."),
    "FMWF": K("Writes the wave function to fort.98."),
    "NEWK": K("Eigenvectors on a new net; needed before DOSS.", newk),
    "BAND": K("Band structure along segments.", records.band),
    "DOSS": K("Densities of states, total and projected.", records.doss),
    "COOP": K("Overlap populations.", until),
    "COHP": K("Hamilton populations.", until),
    "ECHG": K("Charge density on a plane.", sequence(integers(1, "order of derivative"), _POINTS), opens="MAP"),
    "POTM": K("Electrostatic potential on a plane.", sequence(integers(2), _POINTS), opens="MAP"),
    "CLAS": K("Classical potential on a plane.", sequence(integers(2), _POINTS), opens="MAP"),
    "ECH3": K("Charge density on a grid.", sequence(_POINTS), opens="MAP"),
    "POT3": K("Electrostatic potential on a grid.", sequence(_POINTS, integers(1, "tolerance")), opens="MAP"),
    "EDFT": K("Energy by numerical integration.", until),
    "ENECOR": K("Correlation energy.", until),
    "ADFT": K("Energy by numerical integration.", until),
    "PPAN": K("Mulliken analysis."),
    "PPANALYS": K("Mulliken analysis."),
    "PATO": K("Superposition of atomic densities.", integers(2)),
    "PBAN": K("Density of bands.", flowing(1, "bands")),
    "PGEOMW": K("Density of an energy range.", numbers(2)),
    "PDIDE": K("Density of an energy range.", numbers(2)),
    "PSCF": K("Back to the density of the SCF."),
    "POLI": K("Multipoles.", integers(3)),
    "POLSPIN": K("Spin multipoles.", integers(3)),
    "PROF": K("Structure-factor profiles.", until),
    "BIDIERD": K("Reciprocal form factors.", until),
    "XFAC": K("Structure factors.", lambda cursor: _xfac(cursor)),
    "XRDSPEC": K("Powder pattern.", until),
    "BOLTZTRA": K("Transport coefficients.", opens="BOLTZTRA"),
    "TOPO": K("Topology of the density.", until),
    "LOCALWF": K("Wannier functions.", until),
    "SPOLBP": K("Polarisation."),
    "SPOLWF": K("Polarisation by Wannier functions."),
    "HIRSHCHG": K("Hirshfeld charges."),
    "EXTPRT": K("Writes the geometry."),
    "ANGSTROM": K("Coordinates that follow are in Å."),
    "BOHR": K("Coordinates that follow are in bohr."),
    "FRACTION": K("Coordinates that follow are fractions."),
    "BASISSET": K("Prints the basis set."),
    "CRYAPI_OUT": K("Writes data for other programs."),
    "INFOGUI": K("Writes data for viewers."),
    "KNETOUT": K("Writes the net."),
    "SETINF": K("Internal options.", counted(2, "options")),
    "SETPRINT": K("Printing options.", counted(2, "options")),
    "ISOTROPIC": K("Hyperfine coupling.", word("which atoms")),
    "ANISOTRO": K("Hyperfine tensor.", word("which atoms")),
    "MOSS": K("Mössbauer parameters."),
    "EMDL": K("Momentum density along lines.", until),
    "EMDP": K("Momentum density on planes.", until),
    "COMPTON": K("Compton profiles.", until),
    "STOP": K("Ends the run."),
}


def _xfac(cursor: records.Cursor) -> records.Values:
    [count] = cursor.numbers(1, "ISS", integer=True)
    return [[count], *(cursor.numbers(3, "h k l", integer=True) for _ in range(min(max(int(count), 0), 100_000)))]
