"""Keywords of the response to strain: ELASTCON and its kin, PHOTOELA, EOS.

Sources: the CRYSTAL17 and CRYSTAL23 user manuals for names and records, published decks for those that were seen to run.
PREOPTGEOM is a flag within ELASTCON (executed, CRYSTAL17 and CRYSTAL22). No executed deck with it within EOS is known:
both ways of writing it are accepted there.
"""

from __future__ import annotations

from app.crystal.decks.keywords.keyword import Keyword as K
from app.crystal.decks.keywords.keyword import Table
from app.crystal.records import counted, free, integers, numbers

ELASTCON: Table = {
    "RESTART": K("Goes on from ELASINFO.DAT."),
    "RESTART2": K("Evaluates again what an earlier run computed."),
    "PREOPTGEOM": K("Optimises before the strains.", may_open="OPTGEOM"),
    "NUMDERIV": K("Points per strain.", integers(1)),
    "STEPSIZE": K("Strain step.", numbers(1)),
    "CLAMPION": K("Keeps the atoms at fixed fractional coordinates."),
    "TOLDEG": K("Threshold of the RMS gradient at every strain, Ha/bohr.", numbers(1)),
    "TOLDEX": K("Threshold of the RMS displacement at every strain, bohr.", numbers(1)),
    "TOLDEE": K("Energy change between points, 10^-n Ha.", integers(1)),
    "PRINT": K("Prints more."),
    "PRESSURE": K("Under pressure, GPa.", numbers(1)),
    "SEISMDIR": K("Directions of seismic velocities.", counted(3, "directions")),
    "CVOIGT": K("Voigt averages."),
}

PHOTOELA: Table = {
    **ELASTCON,
    "DYNAMIC": K("Photoelastic constants at finite frequency.", free),
}

EOS: Table = {
    "RANGE": K("Smallest and largest relative volume, points.", numbers(3, "Vmin Vmax points")),
    "PREOPTGEOM": K("Optimises before the scan.", may_open="OPTGEOM"),
    "RESTART": K("Goes on from EOSINFO.DAT."),
    "RESTART2": K("Fits again from EOSINFO.DAT."),
    "PRANGE": K("Smallest and largest pressure, points.", numbers(3, "Pmin Pmax points")),
    "VRANGE": K("Smallest and largest volume, points.", numbers(3, "Vmin Vmax points")),
    "PRINT": K("Prints more."),
    "NEWTRIAL": K("Other trial function.", free),
}
