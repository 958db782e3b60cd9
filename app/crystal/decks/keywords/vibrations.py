"""Keywords of frequencies and of the response of the density: FREQCALC, CPHF, spectra, ANHARM, QHA.

Sources: the CRYSTAL14, CRYSTAL17 and CRYSTAL23 user manuals for names and records, published decks for those that were
seen to run. Where the records are not known surely, all that follow and begin with a number are taken.
"""

from __future__ import annotations

from app.crystal import records
from app.crystal.decks.keywords.keyword import Keyword as K
from app.crystal.decks.keywords.keyword import Table
from app.crystal.records import counted, flowing, free, integers, numbers, unsure


def _scan(cursor: records.Cursor) -> records.Values:
    """NMO INI IFI STEP: integers, and a real step (executed); then the modes, |NMO| of them."""
    line = cursor.row(3, "NMO INI IFI STEP")
    cursor.at = cursor.last - 1
    head = cursor.numbers(4, "NMO INI IFI STEP")
    count = abs(int(line[0]))
    return [head, cursor.numbers(count, "modes", integer=True)] if count else [head]


def _phonon_bands(cursor: records.Cursor) -> records.Values:
    """ISS NSUB; NLINE; NLINE segments with one integer per periodic direction and end. NSUB counts per segment (executed)."""
    head = cursor.row(2, "ISS NSUB")
    [count] = cursor.numbers(1, "NLINE", integer=True)
    width = 2 * (cursor.dimension or 3)
    return [head, [count], *(cursor.row(width, "a segment") for _ in range(min(int(count), 1000)))]


FREQCALC: Table = {
    "RESTART": K("Goes on from FREQINFO.DAT."),
    "PREOPTGEOM": K("Optimises before the frequencies.", opens="OPTGEOM"),
    "NUMDERIV": K("1: one-sided, 2: central differences.", integers(1)),
    "STEPSIZE": K("Displacement of the atoms, Å.", numbers(1)),
    "NOANALYSIS": K("Leaves the analysis of the modes out."),
    "ANALYSIS": K("Analyses the modes."),
    "NOMODES": K("Prints no modes."),
    "MODES": K("Prints the modes."),
    "NORMBORN": K("Normalises the Born charges."),
    "BORNTENS": K("Reads the Born tensors.", free),
    "INTENS": K("Infrared intensities."),
    "NOINTENS": K("No infrared intensities."),
    "INTPOL": K("Intensities by the Berry phase."),
    "INTLOC": K("Intensities by localised orbitals."),
    "INTRAMAN": K("Raman intensities; needs INTENS and INTCPHF."),
    "INTCPHF": K("Intensities by coupled-perturbed HF/KS.", opens="CPHF"),
    "RAMANEXP": K("Raman intensities at a temperature (K) and wavelength of the laser (nm).", numbers(2)),
    "NORENORM": K("Raman intensities are not renormalised."),
    "IRSPEC": K("Infrared spectrum.", opens="SPECTRUM"),
    "RAMSPEC": K("Raman spectrum.", opens="SPECTRUM"),
    "TEMPERAT": K("Temperatures: number, first, last.", numbers(3, "n T1 T2")),
    "PRESSURE": K("Pressures: number, first, last.", numbers(3, "n P1 P2")),
    "DISPERSI": K("Phonon dispersion; needs SCELPHONO."),
    "NOKSYMDISP": K("Phonon points without symmetry."),
    "INTERPHESS": K("Interpolates the Hessian on a denser net.", free),
    "BANDS": K("Phonon bands along segments.", _phonon_bands),
    "PDOS": K("Phonon density of states.", records.sequence(numbers(2, "NUMAX NBIN"), integers(1, "LPRO"))),
    "INS": K("Inelastic neutron scattering spectrum.", free),
    "WANG": K("Long-range correction of Wang.", numbers(9)),
    "FRAGMENT": K("Displaces only the atoms listed.", flowing(1, "atoms")),
    "ISOTOPES": K("Masses of atoms.", counted(2, "atoms with masses")),
    "DIELTENS": K("Dielectric tensor, nine components.", numbers(9)),
    "DIELISO": K("Isotropic dielectric constant.", numbers(1)),
    "COMBMODE": K("Combination modes.", records.until_end),
    "SCANMODE": K("Scans along modes.", _scan),
    "ANHARM": K("Anharmonic stretching.", unsure),
    "ANHAPES": K("Anharmonic terms of the potential.", unsure),
    "VSCF": K("Anharmonic states by vibrational self-consistent field.", unsure),
    "VCI": K("Anharmonic states by vibrational configuration interaction.", unsure),
    "TENSOR": K("Reads the polarisability tensor."),
    "FCFACTOR": K("Franck–Condon factors.", free),
    "ADP": K("Anisotropic displacement parameters.", integers(2)),
    "CUTOFF": K("Frequencies below are left out of the thermodynamics.", numbers(1)),
    "ECKART": K("Removes translations and rotations."),
    "NOECKART": K("Keeps translations and rotations."),
    "NOGUESS": K("Starts every SCF from atomic densities."),
    "NOUSESYMM": K("Does not use the symmetry of the displacements."),
    "MOLDRAW": K("Writes data for viewers."),
    "DLVANIM": K("Writes data for viewers."),
    "PRINT": K("Prints more."),
    "PRINTALL": K("Prints everything."),
    "TEST": K("Checks the symmetry only."),
    "TESTFREQ": K("Checks the symmetry only."),
    "MULTITASK": K("Runs displacements side by side.", integers(1)),
}

CPHF: Table = {
    "FMIXING": K("Mixing of the perturbed Fock matrices, percent.", integers(1)),
    "FMIXING2": K("Mixing at second order, percent.", integers(1)),
    "MAXCYCLE": K("Most cycles.", integers(1)),
    "MAXCYCLE2": K("Most cycles at second order.", integers(1)),
    "TOLALPHA": K("Convergence of the polarisability, 10^-n.", integers(1)),
    "TOLGAMMA": K("Convergence of the hyperpolarisability, 10^-n.", integers(1)),
    "TOLUDIK": K("Threshold of the energy differences, 10^-n.", integers(1)),
    "TOLLUDIK": K("Threshold of the energy differences, 10^-n.", integers(1)),
    "DYNAMIC": K("Frequency-dependent response.", free),
    "THIRD": K("Third order."),
    "FOURTH": K("Fourth order."),
    "ANDERSON": K("Anderson's mixing."),
    "ANDERSON2": K("Anderson's mixing at second order."),
    "BROYDEN": K("Broyden's mixing.", numbers(3)),
    "BROYDEN2": K("Broyden's mixing at second order.", numbers(3)),
    "NOTROT": K("Does not rotate."),
    "RESTART": K("Goes on from an interrupted run."),
    "PRINT": K("Prints more."),
}

SPECTRUM: Table = {
    "RANGE": K("Wavenumbers of the spectrum.", numbers(2)),
    "LENSTEP": K("Step, 1/cm.", numbers(1)),
    "NUMSTEP": K("Number of steps.", integers(1)),
    "VOIGT": K("Voigt profile.", numbers(1)),
    "LORENTZ": K("Lorentz profile."),
    "GAUSS": K("Gauss profile."),
    "DAMPFAC": K("Damping factor, 1/cm.", numbers(1)),
    "ANGLE": K("Angle of incidence.", numbers(1)),
    "REFRIND": K("Refractive index."),
    "DIELFUN": K("Dielectric function."),
    "PRINT": K("Prints more."),
}

ANHARM: Table = {
    "ISOTOPES": K("Masses of atoms.", counted(2, "atoms with masses")),
    "KEEPSYMM": K("Displaces all equivalent atoms."),
    "NOGUESS": K("Starts every SCF from atomic densities."),
    "POINTS26": K("Twenty-six points along the bond."),
    "PRINT": K("Prints more."),
    "PRINTALL": K("Prints everything."),
    "TEST": K("Prints the directions only."),
}

QHA: Table = {
    "TEMPERAT": K("Temperatures: number, first, last.", numbers(3, "n T1 T2")),
    "PRESSURE": K("Pressures: number, first, last.", numbers(3, "n P1 P2")),
    "RESTART": K("Goes on from an interrupted run."),
    "RESTART2": K("Evaluates again what an earlier run computed."),
    "PREOPTGEOM": K("Optimises before the first volume.", may_open="OPTGEOM"),
    "PRINT": K("Prints more."),
}
