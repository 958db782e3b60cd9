"""Chemical symbols by conventional atomic number, and the size of a minimal basis."""

from __future__ import annotations

_NAMES = """
X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf
"""
SYMBOLS: tuple[str, ...] = tuple(_NAMES.split())
NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS)}
_MINIMAL = ((2, 1), (10, 5), (18, 9), (20, 13), (36, 18), (38, 22), (54, 27))


def atomic_number(text: str) -> int:
    """12 for 'Mg', 'MG' or '12'.

    Raises:
        ValueError: no such element.
    """
    number = int(text) if text.isdigit() else NUMBERS.get(text.capitalize(), 0)
    if not 1 <= number < len(SYMBOLS):
        raise ValueError(f"{text!r} is not an element")
    return number


def minimal_basis_size(number: int) -> int:
    """Atomic orbitals of STO-3G for an element up to Xe (0 beyond): the occupied subshells and the rest of their shell."""
    return next((size for limit, size in _MINIMAL if number <= limit), 0)
