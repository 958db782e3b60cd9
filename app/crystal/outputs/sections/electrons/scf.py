"""The self-consistent field: cycles, and energies with what they include."""

from __future__ import annotations

import re

from app.crystal.outputs.facts.electrons import Smearing
from app.crystal.outputs.series import NOTHING
from app.crystal.outputs.sheet import Section, Sheet, number

_SMEARED = {"T": "width", "E": "energy", "F": "free_energy", "E0": "mean_energy"}
_PRINTED = 1e-11
"""Relative; the energies of smeared electrons have thirteen digits."""
MEAN = "(E+F)/2"
"""Label of a total energy that is the mean of energy and free energy."""


class ScfSection(Section):
    """Everything between the first cycle and the end of an SCF."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._correction = ""
        """What the last corrected energy includes."""
        self._mean = False
        """Total energies are means of energy and free energy of smeared electrons, as are those of later points (executed)."""

    # -- cycles ------------------------------------------------------------------------------------------------

    def on_tolerance(self, match: re.Match[str], line: str) -> None:
        """The threshold of the energy, 10^-n hartree."""
        self.sheet.series.tolerance = 10.0 ** -int(match["toldee"])

    def on_limit(self, match: re.Match[str], line: str) -> None:
        """The largest number of SCF cycles."""
        self.sheet.series.max_cycles = int(match["maxcyc"])

    def on_cycle(self, match: re.Match[str], line: str) -> None:
        """One SCF cycle: its energy and the change to the cycle before, in hartree."""
        sheet = self.sheet
        count, total, change, test = match.groups()
        cycle = int(count)
        try:
            energy, moved = float(total), float(change)
        except ValueError:
            energy, moved = number(total), number(change)
        # The difference that the first cycle prints is its energy.
        delta = moved if cycle else None
        # The next state that is printed is that of this cycle.
        sheet.state.conducting = False
        progress, series = sheet.progress, sheet.series
        progress.phase = "SCF"
        progress.cycle, progress.energy, progress.delta = cycle, energy, delta
        run = series.scf[-1] if series.scf else None
        if run is None or run.ended or not run.precedes(cycle):
            if run is not None and cycle == 0 and not sheet.in_frequencies:
                # What was printed of bands belongs to the SCF before.
                sheet.state.forget()
            run = series.begin_scf(progress.point)
        gap = sheet.state.smallest_gap()
        tester = number(test) if test and cycle > 1 else NOTHING
        run.add(cycle, energy, NOTHING if delta is None else delta, tester, NOTHING if gap is None else gap)

    def on_scf_end(self, match: re.Match[str], line: str) -> None:
        """The SCF has ended: how, with which energy, after how many cycles."""
        results, how = self.sheet.results, match["se_how"].strip()
        converged = how.startswith("CONVERGENCE")
        if self.sheet.series.scf:
            self.sheet.series.scf[-1].converged = converged
            self.sheet.series.scf[-1].ended = how
        if results.energy_scf is None:
            results.energy_scf = number(match["se_e"])
            results.scf_cycles = int(match["se_n"])
            results.scf_converged = converged
        if not converged:
            self.sheet.complain(line)

    # -- energies ----------------------------------------------------------------------------------------------

    def on_point(self, match: re.Match[str], line: str) -> None:
        """Another geometry: neither corrections nor band edges printed before are its own.

        The first point is the one whose SCF stands before its heading, or behind.
        """
        if match["pt"] != "1":
            results = self.sheet.results
            self.sheet.state.forget()
            results.energy_dispersion = results.energy_gcp = results.smearing = None

    def on_total(self, match: re.Match[str], line: str) -> None:
        """The total energy of the SCF in hartree, by Hartree–Fock or DFT."""
        if self.sheet.in_frequencies:
            return
        self.sheet.results.hamiltonian = match["tot_h"]
        later = (self.sheet.progress.point or 1) > 1
        if later and self._correction and "DE (AU)" not in line:
            # An SCF inside of a later point, without the dispersion that the point's own line includes.
            return
        energy, smearing = number(match["tot_e"]), self.sheet.results.smearing
        if smearing is not None and smearing.mean_energy is not None:
            self._mean = abs(energy - smearing.mean_energy) < abs(energy) * _PRINTED
        self._take(energy, self._correction if later else "")

    def on_smeared(self, match: re.Match[str], line: str) -> None:
        """Energies of smeared electrons, in hartree; the entropy in units of the width's inverse."""
        results = self.sheet.results
        if self.sheet.in_frequencies:
            return
        if match["sm_name"] is None or results.smearing is None:
            results.smearing = Smearing()
        if match["sm_name"] is None:
            return
        value, smearing = number(match["sm_v"]), results.smearing
        if name := _SMEARED.get(match["sm_name"]):
            setattr(smearing, name, value)
        elif smearing.width is not None:
            smearing.entropy_term = value * smearing.width

    def on_correction(self, match: re.Match[str], line: str) -> None:
        """The dispersion or gCP part of the energy in hartree."""
        if not self.sheet.in_frequencies:
            name = "energy_gcp" if match["dc_kind"] == "GCP" else "energy_dispersion"
            setattr(self.sheet.results, name, number(match["dc_e"]))

    def on_corrected(self, match: re.Match[str], line: str) -> None:
        """The total energy in hartree with its corrections."""
        if not self.sheet.in_frequencies:
            self._correction = match["cor_kind"].replace(" ", "")
            self._take(number(match["cor_e"]), self._correction)

    def _take(self, energy: float, correction: str) -> None:
        results, points = self.sheet.results, self.sheet.series.points
        kind = results.hamiltonian or "DFT"
        if correction:
            kind = f"{kind}+{correction}"
        results.energy_total, results.energy_kind = energy, f"{kind} {MEAN}" if self._mean else kind
        if results.optimization is not None:
            results.optimization.energy = energy
        if points:
            point = points[-1]
            point.energy = energy
            before = self.sheet.series.point_before
            point.delta = None if before is None or before.energy is None else energy - before.energy
