"""Words with which the program aborts, by the diagnosis that they lead to."""

ABORTS = {
    "bfgs": "BFGS_ **** PXK TOO SMALL",
    "model-hessian": "SCHLEG **** PARAMETERS FOR MODEL HESSIAN NOT DEFINED",
    "linear-dependence": "CHOLSK **** BASIS SET LINEARLY DEPENDENT",
    "not-neutral": "INPBAS **** UNIT CELL NOT NEUTRAL",
    "basis-missing": "init_pobTZVP_rev2 **** Basis set is not implemented for requested element: N",
    "atoms-too-close": "NEIGHB **** USE KEYWORD SMALLDIST TO RUN ANYWAY",
    "fermi": "FERMI **** ZERO FERMI ENERGY NOT IN INTERVAL",
    "anisotropic-shrink": "INPUT **** ANISOTROPIC SHRINKING FACTOR",
    "spin": "INPUT **** CLOSED SHELL RUN-SPIN POLARIZATION NOT ALLOWED",
    "guess-missing": "GUESSP **** COPY OF WAVEFUNCTION FILE fort.20 CAN NOT BE FOUND",
    "geometry-missing": "EXTERNAL **** GEOMETRY DATA FILE NOT FOUND",
    "ilasize": "CLASSS **** ILA DIMENSION EXCEEDED - INCREASE ILASIZE",
    "grid-neighbours": "WBECKE_F **** NEIGHBOR LIST TOO BIG",
    "lattice-vectors": "GORDSH **** ALL G-VECTORS USED",
    "not-stationary": "ELASTCON **** FORCE IS GREATER THAN 10^-4 OPTIMIZE THE STRUCTURE",
    "deck-format": "INPBAS **** FORMAT ERROR IN INPUT DECK",
    "preview-unsupported": "PREVIEW **** SLAB IS NOT IMPLEMENTED",
}
"""What stands behind ` ERROR **** `."""
