"""The crystal step: closed-shell bulk crystals with PySCF (periodic HF and Kohn–Sham, Gaussian density fitting)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from app.crystal.elements import SYMBOLS
from app.crystal.structures.bulk import Bulk
from app.crystal.structures.fort34 import External, write_fort34
from app.preview import report
from app.preview.deck import Deck, read_deck
from app.preview.optimize import optimise
from app.preview.refusal import Refusal
from app.preview.wavefunction import WaveFunction, load


def make_cell(deck: Deck) -> Any:
    """The primitive cell as PySCF's object."""
    from pyscf.pbc import gto

    lattice, numbers, positions = deck.structure.primitive
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
    """Read a deck, compute, print, and leave the wave function in `folder/fort.9`, an optimised geometry in fort.34."""
    deck = read_deck(text, folder)
    report.started(deck.title)
    for remark in deck.remarks:
        report.remark(remark)
    report.geometry(deck.structure)
    run = _Run(deck, _guess(deck, folder))
    run.describe()
    report.stage("INPUT")
    if deck.test_only:
        report.line(" SIZE OF DENSITY MATRIX EVALUATED")
        report.ended()
        return
    if deck.optimisation is None:
        run.energy(deck.structure, shown=True)
    else:
        final = optimise(as_external(deck.structure), deck.optimisation, run.energy)
        deck.structure = final
        report.geometry(final, "FINAL OPTIMIZED GEOMETRY")
        run.energy(final, shown=False)
        report.final_gap(run.gap)
    if deck.optimisation is not None or deck.external_print:
        lattice, numbers, positions = deck.structure.primitive
        (folder / "fort.34").write_text(write_fort34(lattice, numbers, positions, 3), encoding="ascii")
    run.wave(text).save(folder / "fort.9")
    report.ended()


def as_external(structure: Bulk | External) -> External:
    """The structure as a cell with all its atoms; lengths in Å."""
    if isinstance(structure, External):
        return structure
    lattice, numbers, positions = structure.primitive
    places = positions @ lattice
    return External(3, _triples(lattice), tuple(numbers), _triples(places))


def _triples(rows: Any) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in rows)


def _guess(deck: Deck, folder: Path) -> Any:
    """The density matrices of fort.20 where GUESSP asks for them."""
    if not deck.guess:
        return None
    path = folder / "fort.20"
    if not path.is_file():
        raise Refusal("GUESSP **** COPY OF WAVEFUNCTION FILE CAN NOT BE FOUND")
    return load(path).density


class _Run:
    """SCF calculations of one deck, one after the other; each begins with the density of the one before."""

    def __init__(self, deck: Deck, density: Any) -> None:
        self._deck = deck
        self._density = density
        self._method: Any = None
        self._energy = 0.0
        self._efermi = 0.0
        self.gap: float | None = None

    def describe(self) -> None:
        """What will be computed."""
        deck, cell = self._deck, make_cell(self._deck)
        mesh = f"{deck.shrink:3d}{deck.shrink:3d}{deck.shrink:3d}"
        report.line(f" NUMBER OF AO {cell.nao_nr():17d}  BASIS SET {deck.basis_name}")
        report.line(f" N. OF ELECTRONS PER CELL {cell.nelectron:5d}")
        report.line(f" SHRINK. FACT.(MONKH.)  {mesh}  NUMBER OF K POINTS {deck.shrink**3:10d}")
        report.line(" TYPE OF CALCULATION :  RESTRICTED CLOSED SHELL")
        functional = (
            "HARTREE-FOCK HAMILTONIAN" if deck.functional is None else f"KOHN-SHAM HAMILTONIAN {deck.functional_name}"
        )
        report.line(f" {functional}")
        report.line(f" INFORMATION **** TOLDEE **** SCF TOL ON TOTAL ENERGY SET TO  {deck.toldee}")
        report.line(f" MAX NUMBER OF SCF CYCLES  {deck.maxcycle:6d} ")

    def energy(self, structure: Bulk | External, shown: bool) -> float:
        """The energy of a structure in hartree; its cycles are printed where they are `shown`.

        Raises:
            Refusal: the SCF of an optimisation does not converge.
        """
        self._deck.structure = structure
        cell = make_cell(self._deck)
        self._method = make_method(self._deck, cell)
        cycles: list[float] = []

        def each_cycle(envs: dict[str, Any]) -> None:
            energy = float(envs["e_tot"])
            change = energy - cycles[-1] if cycles else energy
            cycles.append(energy)
            if shown:
                report.cycle(len(cycles) - 1, energy, change, float(envs.get("norm_ddm", 0.0)))

        self._method.callback = each_cycle
        expected = (self._deck.shrink**3, cell.nao_nr(), cell.nao_nr())
        usable = self._density is not None and np.shape(self._density) == expected
        if self._deck.guess and self._density is not None and not usable:
            raise Refusal("GUESSP **** THE WAVE FUNCTION OF fort.20 HAS ANOTHER BASIS SET OR NET")
        self._method.kernel(dm0=self._density if usable else None)
        # PySCF diagonalises once more after convergence; that energy is the result.
        self._energy = float(np.real(self._method.e_tot))
        self._density = np.array(self._method.make_rdm1(), complex)
        energies, occupied = np.array(self._method.mo_energy), cell.nelectron // 2
        if shown:
            self._efermi = report.bands_edges(energies, occupied)
            change = cycles[-1] - cycles[-2] if len(cycles) > 1 else cycles[-1]
            hamiltonian = "HF" if self._deck.functional is None else "DFT"
            report.scf_end(bool(self._method.converged), self._energy, max(1, len(cycles) - 1), change, hamiltonian)
        else:
            top, bottom = float(energies[:, occupied - 1].max()), float(energies[:, occupied].min())
            self._efermi, self.gap = (top, bottom - top) if bottom > top else ((top + bottom) / 2, None)
        if self._deck.optimisation is not None and not self._method.converged:
            raise Refusal("OPTGEOM **** SCF FAILED - OPTGEOM STOP")
        return self._energy

    def wave(self, text: str) -> WaveFunction:
        """The last SCF, with the geometry at which it was done."""
        energies, coefficients = np.array(self._method.mo_energy), np.array(self._method.mo_coeff, complex)
        structure = as_external(self._deck.structure)
        return WaveFunction(text, self._energy, self._efermi, energies, coefficients, self._density, structure)
