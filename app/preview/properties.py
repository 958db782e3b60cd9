"""The properties step: bands and density of states from the wave function in `fort.9`; see `fock` for other k points."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.preview import report
from app.preview.deck import Deck, Records, read_deck
from app.preview.fock import bands_at
from app.preview.refusal import Refusal, not_implemented
from app.preview.scf import make_cell
from app.preview.wavefunction import WaveFunction, load

BROADENING = 0.01
"""Gaussian width of the density of states in hartree; said in the output."""
Array = NDArray[np.float64]


@dataclass
class Orders:
    """What a `.d3` asks for."""

    newk: int = 0
    bands: list[Any] = field(default_factory=list)
    dos: list[Any] = field(default_factory=list)


def run_properties(text: str, folder: Path) -> None:
    """Read a deck, compute, print, write BAND.DAT and DOSS.DAT into `folder`."""
    orders = _read(text)
    wave = load(folder / "fort.9")
    report.started("PROPERTIES")
    deck = read_deck(wave.deck, structure=wave.structure)
    report.line(f" TOTAL ENERGY {wave.energy:.13E}")
    cell = make_cell(deck)
    report.bands_edges(wave.mo_energy, cell.nelectron // 2)
    net_points = cell.make_kpts([deck.shrink] * 3)
    net = f"{deck.shrink}X{deck.shrink}X{deck.shrink}"
    report.remark(
        f"THE FOCK OPERATOR IS INTERPOLATED FROM THE {net} NET OF THE SCF; A DENSER SHRINK GIVES BETTER BANDS"
    )
    for shrink, lines, count, first, last in orders.bands:
        _bands(folder, net_points, cell, wave, shrink, lines, count, first, last)
    for count, first, last, projections in orders.dos:
        _dos(folder, net_points, cell, deck, wave, orders.newk, count, first, last, projections)
    report.ended()


def _read(text: str) -> Orders:
    # A .d3 has no title: a blank first line keeps Records' rule.
    records = Records("\n" + text)
    records.next()
    orders = Orders()
    while (keyword := records.next())[:3] != "END":
        if keyword == "NEWK":
            orders.newk, _ = records.integers(2)
            records.integers(2)
        elif keyword == "BAND":
            records.next()
            count, shrink, points, first, last = records.integers(7)[:5]
            if shrink < 1:
                raise not_implemented("BAND WITH LETTERS")
            lines = [np.array(records.integers(6), float) / shrink for _ in range(count)]
            orders.bands.append((shrink, lines, points, first, last))
        elif keyword == "DOSS":
            projections, points, first, last = records.integers(7)[:4]
            if first < 1:
                raise not_implemented("DOSS WITH AN ENERGY WINDOW")
            orders.dos.append((points, first, last, [_read_projection(records) for _ in range(projections)]))
        else:
            raise not_implemented(keyword)
    return orders


def _read_projection(records: Records) -> list[int]:
    words = records.next().split()
    count = int(words[0])
    if count >= 0:
        raise not_implemented("DOSS PROJECTION ON ATOMIC ORBITALS")
    while len(words) < 1 - count:
        words += records.next().split()
    return [int(word) for word in words[1:]]


def _check_range(cell: Any, first: int, last: int) -> None:
    if not 1 <= first <= last <= cell.nao_nr():
        raise Refusal(f"BANDS {first} TO {last} ASKED FOR, BUT THERE ARE {cell.nao_nr()}")


def _bands(
    folder: Path,
    net_points: Array,
    cell: Any,
    wave: WaveFunction,
    shrink: int,
    lines: list[Array],
    count: int,
    first: int,
    last: int,
) -> None:
    _check_range(cell, first, last)
    reciprocal = cell.reciprocal_vectors()
    lengths = [float(np.linalg.norm((line[3:] - line[:3]) @ reciprocal)) for line in lines]
    points: list[float] = []
    fractions: list[Array] = []
    panels: list[Any] = []
    position = 0.0
    for line, length in zip(lines, lengths, strict=True):
        steps = max(1, round((count - 1) * length / sum(lengths)))
        panels.append((len(points) + 1, line[:3] * shrink))
        for step in range(0 if not points or not np.allclose(fractions[-1], line[:3]) else 1, steps + 1):
            fractions.append(line[:3] + (line[3:] - line[:3]) * step / steps)
            points.append(position + length * step / steps)
        position += length
    panels.append((len(points), lines[-1][3:] * shrink))
    report.line(f" BAND STRUCTURE ALONG {len(lines)} LINES, {len(points)} POINTS")
    energies, _ = bands_at(cell, net_points, wave, np.array(fractions) @ reciprocal)
    report.stage("BANDS")
    _write_bands(folder / "BAND.DAT", np.array(points), energies[:, first - 1 : last], wave.efermi, panels, shrink)


def _write_bands(path: Path, x: Array, energies: Array, efermi: float, panels: list[Any], shrink: int) -> None:
    rows = [f"# NKPT {len(x):4d} NBND {energies.shape[1]:4d} NSPIN    1", f"# NPANEL {len(panels) - 1:4d}"]
    for start, point in panels:
        i, j, k = (round(value) for value in point)
        rows.append(f"# {start:6d}   ({i},{j},{k})/{shrink}")
    rows += [
        '@ XAXIS LABEL "K (1/BOHR)"',
        '@ YAXIS LABEL "E-EFERMI (HARTREE)"',
        '@ TITLE "PREVIEW ENGINE, NOT CRYSTAL"',
    ]
    rows += [
        " ".join(f"{value:13.5E}" for value in (position, *(levels - efermi)))
        for position, levels in zip(x, energies, strict=True)
    ]
    rows.append(f"# EFERMI (HARTREE) {efermi:12.5f}")
    path.write_text("\n".join(rows) + "\n")


def _dos(
    folder: Path,
    net_points: Array,
    cell: Any,
    deck: Deck,
    wave: WaveFunction,
    newk: int,
    count: int,
    first: int,
    last: int,
    projections: list[list[int]],
) -> None:
    _check_range(cell, first, last)
    net = cell.make_kpts([newk or deck.shrink] * 3)
    report.line(f" DENSITY OF STATES ON {len(net)} K POINTS, GAUSSIAN BROADENING {BROADENING} HARTREE")
    # k and -k have the same energies and populations.
    scaled = cell.get_scaled_kpts(net)
    scaled = scaled - np.floor(scaled + 1e-9)
    minus = -scaled - np.floor(-scaled + 1e-9)
    keys = [
        min(tuple(np.round(point, 8)), tuple(np.round(other, 8))) for point, other in zip(scaled, minus, strict=True)
    ]
    distinct = sorted(set(keys))
    weights = np.array([keys.count(key) for key in distinct], float) / len(keys)
    kpts = cell.get_abs_kpts(np.array(distinct))
    energies, coefficients = bands_at(cell, net_points, wave, kpts)
    report.stage("DOSS")
    shares = _populations(cell, kpts, coefficients, projections)
    chosen = slice(first - 1, last)
    low, high = energies[:, chosen].min() - 0.05, energies[:, chosen].max() + 0.05
    grid = np.linspace(low, high, count)
    columns = []
    for share in (*shares, np.ones_like(energies)):
        peaks = np.exp(-(((grid[:, None, None] - energies[None, :, chosen]) / BROADENING) ** 2) / 2)
        norm = 2 / (BROADENING * np.sqrt(2 * np.pi))
        columns.append(norm * np.einsum("gkb,kb,k->g", peaks, share[:, chosen], weights))
    _write_dos(folder / "DOSS.DAT", grid - wave.efermi, columns, wave.efermi)


def _populations(cell: Any, kpts: Array, coefficients: Any, projections: list[list[int]]) -> list[Array]:
    """Mulliken populations (k, band) of each list of atoms."""
    overlaps = cell.pbc_intor("int1e_ovlp", hermi=1, kpts=kpts)
    ranges = cell.aoslice_by_atom()
    shares = []
    for atoms in projections:
        mask = np.zeros(cell.nao_nr())
        for atom in atoms:
            if not 1 <= atom <= cell.natm:
                raise Refusal(f"DOSS PROJECTION ON ATOM {atom}, BUT THERE ARE {cell.natm}")
            mask[ranges[atom - 1][2] : ranges[atom - 1][3]] = 1.0
        rows = [
            np.real(np.sum(mask[:, None] * c.conj() * (s @ c), axis=0))
            for c, s in zip(coefficients, overlaps, strict=True)
        ]
        shares.append(np.array(rows))
    return shares


def _write_dos(path: Path, grid: Array, columns: list[Array], efermi: float) -> None:
    rows = [f"# NEPTS {len(grid):5d} NPROJ {len(columns):4d} NSPIN    1"]
    rows += ['@ XAXIS LABEL "E-EFERMI (HARTREE)"', '@ YAXIS LABEL "DENSITY OF STATES (STATES/HARTREE/CELL)"']
    rows += [" ".join(f"{value:12.4E}" for value in row) for row in zip(grid, *columns, strict=True)]
    rows.append(f"# EFERMI (HARTREE) {efermi:12.5f}")
    path.write_text("\n".join(rows) + "\n")
