"""The crystal step: SCF of a closed-shell bulk crystal with PySCF (periodic HF and Kohn–Sham, Gaussian density fitting)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from app.crystal.elements import SYMBOLS
from app.preview import report
from app.preview.deck import Deck, read_deck
from app.preview.wavefunction import WaveFunction


def make_cell(deck: Deck) -> Any:
    """The primitive cell as PySCF's object."""
    from pyscf.pbc import gto

    lattice, numbers, positions = deck.bulk.primitive
    atoms = [(SYMBOLS[z], tuple(position @ lattice)) for z, position in zip(numbers, positions, strict=True)]
    cell = gto.Cell(a=lattice, atom=atoms, basis=deck.basis, unit="A", verbose=0, precision=1e-8)
    cell.exp_to_discard = None
    return cell.build()


def make_method(deck: Deck, cell: Any) -> Any:
    """Hartree–Fock, or Kohn–Sham with the deck's functional, on the Monkhorst–Pack net that holds Γ."""
    from pyscf.pbc import dft, scf

    kpts = cell.make_kpts([deck.shrink] * 3)
    method = scf.KRHF(cell, kpts) if deck.functional is None else dft.KRKS(cell, kpts, xc=deck.functional)
    method = method.density_fit()
    method.conv_tol = 10.0**-deck.toldee
    method.max_cycle = deck.maxcycle
    method.chkfile = None
    return method


def run_crystal(text: str, folder: Path) -> None:
    """Read a deck, compute, print, and leave the wave function in `folder/fort.9`."""
    deck = read_deck(text)
    report.started(deck.title)
    for remark in deck.remarks:
        report.remark(remark)
    report.geometry(deck.bulk)
    cell = make_cell(deck)
    mesh = f"{deck.shrink:3d}{deck.shrink:3d}{deck.shrink:3d}"
    occupied = cell.nelectron // 2
    report.line(f" NUMBER OF AO {cell.nao_nr():17d}  BASIS SET {deck.basis_name}")
    report.line(f" N. OF ELECTRONS PER CELL {cell.nelectron:5d}")
    report.line(f" SHRINK. FACT.(MONKH.)  {mesh}  NUMBER OF K POINTS {deck.shrink**3:10d}")
    report.line(" TYPE OF CALCULATION :  RESTRICTED CLOSED SHELL")
    report.line(
        f" {'HARTREE-FOCK HAMILTONIAN' if deck.functional is None else 'KOHN-SHAM HAMILTONIAN ' + deck.functional_name}"
    )
    report.stage("INPUT")
    method = make_method(deck, cell)
    cycles: list[float] = []

    def each_cycle(envs: dict[str, Any]) -> None:
        energy = float(envs["e_tot"])
        change = energy - cycles[-1] if cycles else energy
        cycles.append(energy)
        report.cycle(len(cycles) - 1, energy, change, float(envs.get("norm_ddm", 0.0)))

    method.callback = each_cycle
    method.kernel()
    # PySCF diagonalises once more after convergence; that energy is the result.
    energy = float(np.real(method.e_tot))
    energies, coefficients = np.array(method.mo_energy), np.array(method.mo_coeff, complex)
    efermi = report.bands_edges(energies, occupied)
    change = cycles[-1] - cycles[-2] if len(cycles) > 1 else cycles[-1]
    hamiltonian = "HF" if deck.functional is None else "DFT"
    report.scf_end(bool(method.converged), energy, max(1, len(cycles) - 1), change, hamiltonian)
    density = np.array(method.make_rdm1(), complex)
    WaveFunction(text, energy, efermi, energies, coefficients, density).save(folder / "fort.9")
    report.ended()
