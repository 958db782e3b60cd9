"""Transport coefficients as BOLTZTRA writes them: SIGMA.DAT, SIGMAS.DAT, SEEBECK.DAT, KAPPA.DAT.

The head names the quantity with its unit. Then, for each temperature, a line `# T(K) = …` and a row for each chemical potential:
μ in eV, T in K, the number of carriers, and the tensor. Conductivities are symmetric, and the upper triangle is written; Seebeck's
tensor is not, and is written in full. An open shell has a second block, behind a line with `Beta`. The layout is known from
published readers of such files, not from the program's manual: so what the rows say must agree with the lines above them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MAX_NUMBERS = 3_000_000
_UNITS = {
    "1/Ohm/m": ("sigma", "electrical conductivity"),
    "A/m/K": ("sigma_s", "conductivity times Seebeck coefficient"),
    "V/K": ("seebeck", "Seebeck coefficient"),
    "W/m/K": ("kappa", "electronic thermal conductivity"),
}
_UNIT = re.compile(r"\bin +(1/Ohm/m|A/m/K|V/K|W/m/K)\b")
_TEMPERATURE = re.compile(r"T\(K\) *= *(\d+\.?\d*(?:[EeDd][-+]?\d+)?)")
COMPONENTS: dict[int, tuple[str, ...]] = {
    1: ("xx",), 3: ("xx", "xy", "yy"), 4: ("xx", "xy", "yx", "yy"), 6: ("xx", "xy", "xz", "yy", "yz", "zz"),
    9: ("xx", "xy", "xz", "yx", "yy", "yz", "zx", "zy", "zz"),
}  # fmt: skip
"""What the columns of a tensor are, by their number."""
_POINTS = re.compile(r"N\s*points *= *(\d+)", re.IGNORECASE)
_SAME_KELVIN = 0.06


class TransportError(ValueError):
    """The file is none of BOLTZTRA's, or is cut."""


@dataclass(frozen=True)
class Transport:
    """A tensor over temperature and chemical potential.

    `values` (spin, temperature, potential, component) are in `unit`; potentials in eV, temperatures in K, and `carriers`
    (spin, temperature, potential) per cell: positive for holes.
    """

    quantity: str
    title: str
    unit: str
    temperatures: list[float]
    potentials: np.ndarray
    components: tuple[str, ...]
    carriers: np.ndarray
    values: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """A third (half, all) of the trace: by spin, temperature and potential."""
        diagonal = [place for place, name in enumerate(self.components) if name[0] == name[1]]
        return np.asarray(self.values[..., diagonal].mean(axis=-1))


def read_transport(text: str) -> Transport:
    """The contents of one of BOLTZTRA's files.

    Raises:
        TransportError
    """
    head = text[:2000].split("\n")[:8]
    unit = next((match[1] for line in head if line.startswith("#") and (match := _UNIT.search(line))), None)
    if unit is None:
        raise TransportError("its head names no quantity of BOLTZTRA with its unit")
    blocks = _blocks(text)
    spins = _by_spin(blocks)
    widths = {len(row) for block in blocks for row in block.rows}
    if len(widths) != 1 or (width := widths.pop() - 3) not in COMPONENTS:
        raise TransportError("its rows are not as long as those of a tensor: it is truncated, or another layout")
    tables = np.array([[block.rows for block in spin] for spin in spins])
    potentials = tables[0, 0, :, 0]
    if not np.allclose(tables[..., 0], potentials, atol=1e-6):
        raise TransportError("its temperatures have different chemical potentials")
    quantity, title = _UNITS[unit]
    temperatures = [block.temperature for block in spins[0]]
    return Transport(
        quantity, title, unit, temperatures, potentials, COMPONENTS[width], tables[..., 2], tables[..., 3:]
    )  # fmt: skip


@dataclass
class _Block:
    temperature: float
    beta: bool
    points: int | None
    """How many rows follow, where it is told."""
    rows: list[list[float]]


def _blocks(text: str) -> list[_Block]:
    blocks: list[_Block] = []
    beta, count = False, 0
    for line in text.splitlines():
        if line.lstrip().startswith("#") or "Beta" in line or "Alpha" in line:
            beta = beta or "Beta" in line
            if match := _TEMPERATURE.search(line):
                points = _POINTS.search(line)
                blocks.append(_Block(_number(match[1]), beta, int(points[1]) if points else None, []))
        elif not blocks:
            if len(line.split()) > 3 and not set(line) - set("0123456789+-.EeDd "):
                raise TransportError("a row stands above the first temperature")
        elif line.strip():
            row = [_number(part) for part in line.split()]
            count += len(row)
            if count > MAX_NUMBERS:
                raise TransportError(f"more than {MAX_NUMBERS} numbers are implausible")
            if len(row) > 1 and abs(row[1] - blocks[-1].temperature) > _SAME_KELVIN:
                raise TransportError(f"a row of {row[1]:g} K stands below {blocks[-1].temperature:g} K")
            blocks[-1].rows.append(row)
    if not blocks:
        raise TransportError("it tells no temperature")
    wanted = {len(block.rows) for block in blocks} | {block.points for block in blocks if block.points is not None}
    if len(wanted) != 1 or not blocks[0].rows or not text.endswith("\n"):
        raise TransportError("its temperatures have different numbers of rows: it is truncated")
    return blocks


def _by_spin(blocks: Sequence[_Block]) -> list[list[_Block]]:
    spins = [[block for block in blocks if block.beta == beta] for beta in (False, True)]
    spins = [spin for spin in spins if spin]
    if [block.temperature for block in spins[0]] != [block.temperature for block in spins[-1]]:
        raise TransportError("its spins have different temperatures: it is truncated")
    return spins


def _number(text: str) -> float:
    try:
        value = float(text.replace("D", "E").replace("d", "e"))
    except ValueError as error:
        raise TransportError(f"{text[:20]!r} is not a number") from error
    if not np.isfinite(value):
        raise TransportError(f"{text[:20]!r} is not finite")
    return value
