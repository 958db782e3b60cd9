"""Answers of a crystal, slab, polymer or molecule to electric fields."""

from __future__ import annotations

from dataclasses import dataclass, field

Tensor = list[list[float]]
"""3 × 3, Cartesian."""


@dataclass
class Dielectric:
    """Dielectric tensors of a crystal, relative to vacuum.

    `electronic` (at zero frequency) and `vibrational` (what vibrations add at rest) were computed, `static` is their sum as
    printed, `from_input` is the high-frequency tensor that the deck gave. Slabs, polymers and molecules have a polarizability only.
    """

    electronic: Tensor | None = None
    vibrational: Tensor | None = None
    static: Tensor | None = None
    from_input: Tensor | None = None
    refractive_indices: list[float] | None = None
    """Square roots of the principal values of `electronic`, in ascending order."""


@dataclass
class FieldResponse:
    """At one frequency of the field (eV): polarizability (bohr³ per cell) and dielectric tensor.

    Imaginary parts are None where they are zero.
    """

    frequency_ev: float
    polarizability: Tensor | None = None
    polarizability_imaginary: Tensor | None = None
    dielectric: Tensor | None = None
    dielectric_imaginary: Tensor | None = None
    refractive_indices: list[float] | None = None


@dataclass
class SecondOrder:
    """A component such as XXZ of the first hyperpolarizability β (a.u. per cell) and of the susceptibility χ(2).

    `frequencies_ev` are those of the fields, as far as the row names them; none: static.
    """

    component: str
    beta: float | None = None
    chi2: float | None = None
    frequencies_ev: list[float] = field(default_factory=list)


@dataclass
class BornCharge:
    """Of an atom, by its number in the cell: tensor in |e|, rows and columns as printed, and a third of its trace."""

    atom: int
    symbol: str
    charge: float
    tensor: Tensor


@dataclass
class OscillatorStrength:
    """What one mode adds to the static dielectric tensor; a pure number for each component."""

    mode: int
    tensor: Tensor


@dataclass
class Polarisation:
    """`polarizability` is that of a static field, in bohr³ per cell; `responses` are at all frequencies, also at zero."""

    polarizability: Tensor | None = None
    responses: list[FieldResponse] = field(default_factory=list)
    second_order: list[SecondOrder] = field(default_factory=list)
    chi2_unit: str | None = None
    """As printed above χ(2); None: the output names none."""
    born_charges: list[BornCharge] = field(default_factory=list)
    oscillator_strengths: list[OscillatorStrength] = field(default_factory=list)
