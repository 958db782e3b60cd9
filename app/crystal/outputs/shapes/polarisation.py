"""Lines of answers to electric fields: CPHF, Born charges, dielectric tensors.

Known from executed outputs: the columns of CRYSTAL14 and 17 on, Born charges, oscillator strengths, sums. What stands above
β and χ(2) differs and is read by its own headings.
"""

from __future__ import annotations

SHAPES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "polarizability": ("POLARIZABILITY", r"^ *POLARIZABILITY\b.*(?:\(ALPHA\)|TENSOR)"),
    "second_order": ("FIRST HYPERPOLARIZABILITY", r"^ *FIRST HYPERPOLARIZABILITY"),
    "born": ("ATOMIC BORN CHARGE", r"^ *ATOMIC BORN CHARGE TENSOR"),
    "oscillators": (
        "VIBRATIONAL CONTRIBUTIONS TO THE STATIC",
        r"^ *VIBRATIONAL CONTRIBUTIONS TO THE STATIC DIELECTRIC TENSOR",
    ),
    "vib_dielectric": ("SUM TENSOR OF THE VIBRATIONAL", r"SUM TENSOR OF THE VIBRATIONAL CONTRIBUTIONS"),
    "input_dielectric": ("HIGH FREQUENCY DIELECTRIC", r"HIGH FREQUENCY DIELECTRIC +TENSOR"),
    "static_dielectric": ("STATIC DIELECTRIC", r"^ *STATIC DIELECTRIC +TENSOR"),
}
