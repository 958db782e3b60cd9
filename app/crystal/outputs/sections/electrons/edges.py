"""Band edges, gaps and Fermi energies, as each cycle prints them."""

from __future__ import annotations

import re

from app.crystal.outputs.sheet import Section, number
from app.crystal.outputs.state import Edges


class EdgeSection(Section):
    """What a cycle says of the electronic state."""

    def on_altered(self, match: re.Match[str], line: str) -> None:
        """The level shifter is locked: eigenvalues of occupied bands are moved in all that follows."""
        self.sheet.state.locked = True

    def on_shifting(self, match: re.Match[str], line: str) -> None:
        """By how much a level shifter moves bands, hartree."""
        self.sheet.state.shifting = number(match["shifting"])

    def on_wave_shift(self, match: re.Match[str], line: str) -> None:
        """The level shifter of the SCF that made a wave function, hartree."""
        self.sheet.state.shifted_before = number(match["wave_shift"]) != 0

    def on_started(self, match: re.Match[str], line: str) -> None:
        """Another program: properties computes eigenvalues without a shifter."""
        self.sheet.state.locked, self.sheet.state.shifting = False, None

    def on_opt_end(self, match: re.Match[str], line: str) -> None:
        """Where later points have no headings, what was printed is of the first one."""
        if int(match["oe_n"]) > 1 and (self.sheet.progress.point or 1) == 1:
            self.sheet.state.forget()

    def on_insulating(self, match: re.Match[str], line: str) -> None:
        """The state is insulating: the band edges follow."""
        state, spin = self.sheet.state, self.sheet.spin
        if self.sheet.in_frequencies or state.conducting:
            # Of a displaced geometry, or beside a conducting spin.
            return
        state.fermi = None
        state.gaps.pop(spin, None)
        edges = state.edges[spin] = Edges()
        if match["shift"]:
            edges.shift, state.shifted = number(match["shift"]), True
        if match["old_top"]:
            edges.old_top = number(match["old_top"])

    def on_conducting(self, match: re.Match[str], line: str) -> None:
        """The state is conducting: the Fermi energy in hartree, and no gap."""
        if not self.sheet.in_frequencies:
            state = self.sheet.state
            state.gaps, state.edges, state.fermi, state.conducting = {}, {}, number(match["ef"]), True
            if self.sheet.series.scf:
                self.sheet.series.scf[-1].fermi = state.fermi

    def on_spin(self, match: re.Match[str], line: str) -> None:
        """What follows belongs to α or to β electrons."""
        self.sheet.spin = match["spin_name"].lower()

    def on_valence(self, match: re.Match[str], line: str) -> None:
        """The line of the top of the valence bands."""
        state = self.sheet.state
        edges = state.edges.get(self.sheet.spin)
        if edges and not edges.top and not (self.sheet.in_frequencies or state.conducting):
            edges.top = line

    def on_virtual(self, match: re.Match[str], line: str) -> None:
        """The line of the bottom of the virtual bands."""
        state = self.sheet.state
        edges = state.edges.get(self.sheet.spin)
        if edges and not edges.bottom and not (self.sheet.in_frequencies or state.conducting):
            edges.bottom = line

    def on_gap(self, match: re.Match[str], line: str) -> None:
        """The gap in eV, direct or indirect."""
        if not (self.sheet.in_frequencies or self.sheet.state.conducting):
            self.sheet.state.gaps[self.sheet.spin] = (number(match["gap_v"]), match["gap_kind"].lower())

    def on_final_gap(self, match: re.Match[str], line: str) -> None:
        """The gap in eV as printed at the end, where the kind is not told."""
        self.sheet.state.final[(match["fg_spin"] or "").lower()] = (number(match["fg_v"]), None)

    def finish(self) -> None:
        """Fill in Fermi energy and gap from what was printed last."""
        results = self.sheet.results
        results.fermi_energy, results.fermi_energy_doubt = self.sheet.state.fermi_energy()
        results.conducting = self.sheet.state.conducts()
        results.gap_ev = results.gap_kind = results.gap_spin_ev = results.gap_spin_kind = None
        gaps = self.sheet.state.known_gaps()
        spins = {spin: gap for spin, gap in gaps.items() if spin}
        pool = spins if len(spins) == 2 else gaps if not spins else {}
        if pool:
            results.gap_ev, results.gap_kind = min(pool.values(), key=lambda gap: gap[0])
        if len(spins) == 2:
            results.gap_spin_ev = {spin: gap[0] for spin, gap in spins.items()}
            results.gap_spin_kind = {spin: gap[1] for spin, gap in spins.items() if gap[1]} or None
