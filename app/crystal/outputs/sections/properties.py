"""The program properties: the wave function that it read. Its energies are results only where no SCF of the output told any."""

from __future__ import annotations

import re

from app.crystal.outputs.facts.properties import WaveFunction
from app.crystal.outputs.results import WAVE_FUNCTION
from app.crystal.outputs.sheet import Section, Sheet, number

_METHODS = {"KOHN-SHAM": "DFT", "HARTREE-FOCK": "HF"}
_PLACEHOLDER = 1.0
"""Hartree of either sign: what the program writes for the Fermi energy where it has none."""


class PropertiesSection(Section):
    """What stands between the start of properties and its first keyword."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._running = False
        self._fermi: float | None = None
        self._filled: float | None = None
        """The Fermi energy that was taken over from here."""

    def on_started(self, match: re.Match[str], line: str) -> None:
        """A program has begun; which one is not known yet."""
        self._running = False

    def on_properties(self, match: re.Match[str], line: str) -> None:
        """It is properties."""
        self._running = True

    def on_wave_method(self, match: re.Match[str], line: str) -> None:
        """Hartree–Fock or Kohn–Sham."""
        if self._running and self.sheet.results.hamiltonian is None:
            self.sheet.results.hamiltonian = _METHODS[match["wave_method"]]

    def on_wave_energy(self, match: re.Match[str], line: str) -> None:
        """The total energy of the wave function, hartree."""
        results, energy = self.sheet.results, number(match["wave_energy"])
        self._wave().total_energy = energy
        if results.energy_total is None or results.energy_kind == WAVE_FUNCTION:
            results.energy_total, results.energy_kind = energy, WAVE_FUNCTION

    def on_wave_kinetic(self, match: re.Match[str], line: str) -> None:
        """The kinetic energy, hartree."""
        self._wave().kinetic_energy = number(match["wave_kinetic"])

    def on_wave_fermi(self, match: re.Match[str], line: str) -> None:
        """The cycles of the SCF, and its Fermi energy in hartree with three digits."""
        wave, fermi = self._wave(), number(match["wave_fermi"])
        wave.scf_cycles = int(match["wave_cycles"])
        wave.fermi_energy = None if abs(fermi) == _PLACEHOLDER else fermi

    def on_band_range(self, match: re.Match[str], line: str) -> None:
        """The Fermi energy that BAND counts from, hartree, with five digits."""
        self._fermi = number(match["band_fermi"])

    def _wave(self) -> WaveFunction:
        if self.sheet.results.wave_function is None:
            self.sheet.results.wave_function = WaveFunction()
        return self.sheet.results.wave_function

    def finish(self) -> None:
        """Take over the best Fermi energy where the lines of an SCF or of NEWK told none."""
        results = self.sheet.results
        if results.fermi_energy_doubt:
            # What was doubtful in the SCF is so in what properties repeats of it.
            return
        if results.fermi_energy is None or results.fermi_energy == self._filled:
            wave = results.wave_function
            self._filled = self._fermi if self._fermi is not None else wave.fermi_energy if wave else None
            results.fermi_energy = self._filled
