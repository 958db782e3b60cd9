"""Keywords of a deck of properties, a d3, and of the blocks that they open.

Sources: the CRYSTAL17 and CRYSTAL23 user manuals for names and records, published decks for those that were seen to run.
"""

from __future__ import annotations

from app.crystal import records
from app.crystal.decks.keywords.keyword import Keyword as K
from app.crystal.decks.keywords.keyword import Table
from app.crystal.records import flowing, free, integers, newk, numbers, sequence, unsure

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

PROF: Table = {
    "CP": K("Profiles along directions.", free),
    "BR": K("Autocorrelation function.", free),
    "CONV": K("Convolution with a resolution.", free),
    "DIFF": K("Differences between directions."),
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
    "COOP": K("Overlap populations.", records.populations),
    "COHP": K("Hamilton populations.", records.populations),
    "ECHG": K("Charge density on a plane.", sequence(integers(1, "order of derivative"), _POINTS), opens="MAP"),
    "POTM": K("Electrostatic potential on a plane.", free, opens="MAP"),
    "CLAS": K("Classical potential on a plane.", free, opens="MAP"),
    "ECH3": K("Charge density on a grid.", records.grid(tolerance=False)),
    "POT3": K("Electrostatic potential on a grid.", records.grid(tolerance=True)),
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
    "PROF": K("Compton profiles.", free, may_open="PROF"),
    "BIDIERD": K("Reciprocal form factors.", unsure),
    "XFAC": K("Structure factors.", lambda cursor: _xfac(cursor)),
    "XRDSPEC": K("Powder pattern.", unsure),
    "BOLTZTRA": K("Transport coefficients.", opens="BOLTZTRA"),
    "TOPO": K("Topology of the density.", until, ends_all=True),
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
    "SETINF": K("Internal options.", flowing(2, "options")),
    "SETPRINT": K("Printing options.", flowing(2, "options")),
    "ISOTROPIC": K("Hyperfine coupling.", records.chosen),
    "ANISOTRO": K("Hyperfine tensor.", records.chosen),
    "MOSS": K("Mössbauer parameters."),
    "EMDL": K("Momentum density along lines.", unsure),
    "EMDP": K("Momentum density on planes.", unsure),
    "COMPTON": K("Compton profiles.", unsure),
    "ANBD": K("Principal components of bands.", free),
    "POTC": K("Electrostatic potential at points.", free),
    "GRID3D": K("A function on a grid.", free),
    "ORBITALS": K("Crystalline orbitals.", free),
    "LOCALI": K("Localised orbitals.", until),
    "PROPS2COMP": K("Properties of a two-component wave function.", unsure),
    "NEIGHBOR": K("Shells of neighbours that are printed.", integers(1)),
    "NEIGHPRT": K("Shells of neighbours that are printed.", integers(1)),
    "SYMMOPS": K("Prints the symmetry operators."),
    "ROTREF": K("Rotates the frame.", free),
    "PRINTOUT": K("Prints the environment."),
    "PARAMPRT": K("Prints the dimensions of arrays."),
    "STOP": K("Ends the run."),
}


def _xfac(cursor: records.Cursor) -> records.Values:
    [count] = cursor.numbers(1, "ISS", integer=True)
    return [[count], *(cursor.numbers(3, "h k l", integer=True) for _ in range(min(max(int(count), 0), 100_000)))]
