"""Functionals and what belongs to them: the blocks DFT and DFTD3, the composite methods.

Sources: the CRYSTAL17 and CRYSTAL23 user manuals for names and records, published decks for those that were seen to run.
"""

from __future__ import annotations

from app.crystal.decks.keywords.keyword import Keyword as K
from app.crystal.decks.keywords.keyword import Table
from app.crystal.records import beside, counted, free, integers, numbers, word

SINGLE_FUNCTIONALS = (
    "SVWN", "BLYP", "PBE", "PBEXC", "PBESOLXC", "SOGGAXC", "B3LYP", "B3PW", "PBE0", "PBESOL0", "B1WC", "WC1LYP", "B97",
    "B97H", "PBE0-13", "PW1PW", "HSE06", "HSESOL", "HSEsol", "SC-BLYP", "HISS", "RSHXLDA", "WB97", "wB97", "WB97X", "wB97X",
    "LC-WPBE", "LC-wPBE", "LC-PBE", "LC-WBLYP", "LC-BLYP", "CAM-B3LYP", "M06L", "M05", "M052X", "M06", "M062X", "M06HF",
    "B1B95", "MPW1B95", "mPW1B95", "MPW1K", "SCAN", "R2SCAN", "r2SCAN", "SCAN0", "R2SCAN0", "r2SCAN0", "R2SCANH", "r2SCANh",
    "R2SCAN50", "r2SCAN50", "PBEH3C", "HSE3C", "B973C", "PBESOL03C", "HSESOL3C", "MN15", "MN15L", "revM06", "revM06L",
    "mPW1PW91", "mPW1K", "PW6B95", "SOGGA11X", "LC-PBESOL", "LC-wPBEsol", "LC-wPBESOL", "B2PLYP", "B2GPPLYP", "mPW2PLYP",
)  # fmt: skip

EXCHANGE = ("LDA", "VBH", "BECKE", "PBE", "PBESOL", "PWGGA", "mPW91", "SOGGA", "WCGGA", "SOGGA11", "MPW91")
CORRELATION = ("VWN", "PZ", "VBH", "PWLSD", "LYP", "P86", "PBE", "PBESOL", "PWGGA", "WL", "SOGGA11")
"""Functionals of EXCHANGE and CORRELAT in the manuals."""

D3_FUNCTIONALS = ("BLYP", "PBE", "B97", "B3LYP", "PBE0", "PW1PW", "M06", "HSE06", "HSEsol", "LC-wPBE")
"""Functionals with parameters for D3, as they are spelt before the suffix -D3 (manuals of CRYSTAL17 and CRYSTAL23)."""

DFT: Table = {
    "SPIN": K("Spin-polarised."),
    "EXCHANGE": K("Exchange functional.", word("an exchange functional")),
    "CORRELAT": K("Correlation functional.", word("a correlation functional")),
    "HYBRID": K("Exact exchange, percent.", numbers(1)),
    "NONLOCAL": K("Weights of the non-local parts.", numbers(2)),
    "OLDGRID": K("Integration grid of CRYSTAL09."),
    "LGRID": K("Large grid."),
    "XLGRID": K("Extra large grid, the default since CRYSTAL17."),
    "XXLGRID": K("Extra extra large grid."),
    "XXXLGRID": K("Grid for meta-GGA functionals."),
    "HUGEGRID": K("Largest grid."),
    "RADIAL": K("Radial points.", free),
    "ANGULAR": K("Angular points.", free),
    "CHUNKS": K("Points of a batch.", integers(1)),
    "TOLLDENS": K("Density below is neglected, 10^-n.", integers(1)),
    "TOLLGRID": K("Weights below are neglected, 10^-n.", integers(1)),
    "RADSAFE": K("Radial points that are safe."),
    "DHYBRID": K("Exact exchange and second-order correlation, percent.", numbers(2)),
    "NUMERICA": K("Numerical derivatives of the functional."),
    "PRINT": K("Prints more."),
    "LIMBEK": K("Size of the list of Becke's weights.", integers(1)),
    "RADIUS": K("Atomic radii of the grid.", counted(2, "radii")),
    "BECKE": K("Becke's weights."),
    "SAVANI": K("Savin's weights."),
    "NONDIREC": K("Keeps the grid on disc."),
    "BATCHPNT": K("Points of a batch.", integers(1)),
    "DISTGRID": K("Distributes the grid."),
    "LSRSH-PBE": K("Range-separated PBE with own parameters.", numbers(3)),
    "OMEGA": K("Range separation, 1/bohr.", numbers(1)),
    "MIXING": K("Range-separated exchange fractions.", numbers(3)),
    "TOLLSM": K("Range-separation tolerance.", integers(1)),
    **{name: K("Exchange–correlation functional.") for name in SINGLE_FUNCTIONALS},
    **{
        f"{name}-D3": K("Exchange–correlation functional with D3 dispersion.")
        for name in (*D3_FUNCTIONALS, *SINGLE_FUNCTIONALS)
    },
}

DFTD3: Table = {
    "VERSION": K("2, 3 (zero damping), 4 (Becke–Johnson) and later.", beside(1)),
    "FUNC": K("Functional whose parameters are used.", word("a functional")),
    "ABC": K("Three-body term."),
    "S6": K("Scale of the C6 term.", beside(1)),
    "S8": K("Scale of the C8 term.", beside(1)),
    "S18": K("Scale of the C8 term.", beside(1)),
    "RS6": K("Damping parameter.", beside(1)),
    "RS18": K("Damping parameter.", beside(1)),
    "A1": K("Becke–Johnson parameter.", beside(1)),
    "A2": K("Becke–Johnson parameter.", beside(1)),
    "ALP": K("Damping exponent.", beside(1)),
    "ALPHA6": K("Damping exponent.", beside(1)),
    "RADIUS": K("Cut-off, Å.", beside(1)),
    "CNRADIUS": K("Cut-off of coordination numbers, Å.", beside(1)),
    "PRINTC6": K("Prints C6 coefficients."),
    "NOABC": K("No three-body term."),
    "BJ": K("Becke–Johnson damping."),
    "PRINT": K("Prints more."),
}

COMPOSITE: Table = {
    **DFTD3,
    "SIGMA": K("Scale of the counterpoise correction.", free),
    "ETA": K("Exponent of the counterpoise correction.", free),
    "ALPHA": K("Exponent of the counterpoise correction.", free),
    "BETA": K("Exponent of the counterpoise correction.", free),
}
"""Options of the blocks HF3C, HFSOL3C and GCP."""
