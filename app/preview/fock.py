"""The Fock operator at any k point, from the converged one on the net of the SCF, through direct space and back.

That is how CRYSTAL's properties program has it too: it keeps F(g) in direct space and sums. Here the net is that of the SCF,
and the matrices are taken in Löwdin's orthogonal functions, which are localised. The result is exact on the net's own
points, and good between them as far as F decays within the net's supercell: a denser SHRINK gives better bands.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.preview.wavefunction import WaveFunction

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


def bands_at(cell: Any, net: Array, wave: WaveFunction, kpts: Array) -> tuple[Array, Complex]:
    """Energies (k, band) in hartree and coefficients (k, AO, band) at `kpts` (k, 3), in inverse bohr."""
    roots = _roots(np.array(cell.pbc_intor("int1e_ovlp", hermi=1, kpts=net)))
    # F = S C e C† S; between two roots of S it is F in the orthogonal functions.
    orthogonal = roots @ wave.mo_coeff
    fock = (orthogonal * wave.mo_energy[:, None, :]) @ orthogonal.conj().transpose(0, 2, 1)
    energies, vectors = np.linalg.eigh(interpolate(cell, net, fock, kpts))
    back = np.linalg.inv(_roots(np.array(cell.pbc_intor("int1e_ovlp", hermi=1, kpts=kpts))))
    return energies, back @ vectors


def _roots(overlaps: Complex) -> Complex:
    """Square roots of overlap matrices (k, AO, AO)."""
    values, vectors = np.linalg.eigh(overlaps)
    roots: Complex = (vectors * np.sqrt(values)[:, None, :]) @ vectors.conj().transpose(0, 2, 1)
    return roots


def interpolate(cell: Any, net: Array, matrices: Complex, kpts: Array) -> Complex:
    """Matrices at `kpts` from those on the net, through direct space.

    Each pair of atoms couples to its nearest image in the net's supercell; equally near ones share it.
    """
    lattice = cell.lattice_vectors()
    divisions = _divisions(cell, net)
    shifts = np.array(list(itertools.product(*(range(n) for n in divisions))))
    in_direct = np.einsum("kr,kij->rij", np.exp(-1j * net @ (shifts @ lattice).T), matrices) / len(net)
    images = np.array(list(itertools.product((-2, -1, 0, 1), repeat=3))) * divisions
    positions = cell.atom_coords()
    owner = np.repeat(np.arange(cell.natm), [stop - start for _, _, start, stop in cell.aoslice_by_atom()])
    result = np.zeros((len(kpts), *matrices.shape[1:]), np.complex128)
    for shift, matrix in zip(shifts, in_direct, strict=True):
        candidates = (shift + images) @ lattice
        phases = np.exp(1j * kpts @ candidates.T)
        for atom, other in itertools.product(range(cell.natm), repeat=2):
            distances = np.linalg.norm(positions[other] + candidates - positions[atom], axis=1)
            nearest = distances < distances.min() + 1e-4
            block = np.ix_(owner == atom, owner == other)
            factor = phases[:, nearest].sum(axis=1) / nearest.sum()
            result[(slice(None), *block)] += factor[:, None, None] * matrix[block]
    return result


def _divisions(cell: Any, net: Array) -> NDArray[np.int64]:
    """Points of the net along each reciprocal vector."""
    scaled = np.round(cell.get_scaled_kpts(net), 8) % 1
    return np.array([len(np.unique(scaled[:, axis])) for axis in range(3)])
