"""The self-consistent field: cycles, energies with their corrections, band gaps, Mulliken populations."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.crystal.constants import HARTREE_EV
from app.crystal.outputs.facts.electrons import Populations
from app.crystal.outputs.series import NOTHING
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, number

_EDGE = re.compile(rf"BANDS -[^;]*; *K +(\d+); EIG *({NUMBER})")
_POPULATION_ROW = re.compile(r" {0,14}(\d+) +[A-Z]+ +\d+ +(-?\d+\.\d+) ")
_ONLY_NUMBERS = re.compile(r" *-?\d+\.\d{7}[-\d. ]*$")
_VALUES = re.compile(r"-?\d+\.\d{7}")
_Gap = tuple[float, str | None]
"""Size in eV, and whether it is direct, where that was printed."""
SUSPICIOUS_Z = 100
"""From this conventional atomic number on, the nuclear charge does not follow from the label alone."""


@dataclass(slots=True)
class _Edges:
    """Of the bands of one spin, as a cycle printed them: several lines may stand there, and the first names the edge."""

    shifted: bool = False
    """A level shifter moves the virtual bands: their distance is then not a gap."""
    top: str = ""
    bottom: str = ""

    def energy(self) -> float | None:
        """Hartree, of the highest occupied level."""
        match = _EDGE.search(self.top)
        return number(match[2]) if match else None

    def gap(self) -> _Gap | None:
        top, bottom = _EDGE.search(self.top), _EDGE.search(self.bottom)
        if self.shifted or not top or not bottom:
            return None
        size = (number(bottom[2]) - number(top[2])) * HARTREE_EV
        return round(size, 4), "direct" if bottom[1] == top[1] else "indirect"


class ScfSection(Section):
    """Everything between the first cycle and the end of an SCF."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._gaps: dict[str, _Gap] = {}
        """Those that were printed, by spin."""
        self._edges: dict[str, _Edges] = {}
        self._electrons: list[float | str] = []
        self._spins: list[float | str] = []
        self._values: list[float | str] = []
        """Of the open table: numbers, or rows that hold some."""
        self._difference = False

    # -- cycles ------------------------------------------------------------------------------------------------

    def on_tolerance(self, match: re.Match[str], line: str) -> None:
        """The threshold of the energy, 10^-n hartree."""
        self.sheet.series.tolerance = 10.0 ** -int(match["toldee"])

    def on_limit(self, match: re.Match[str], line: str) -> None:
        """The largest number of SCF cycles."""
        self.sheet.series.max_cycles = int(match["maxcyc"])

    def on_cycle(self, match: re.Match[str], line: str) -> None:
        """One SCF cycle: its energy and the change to the cycle before, in hartree."""
        count, total, change, test = match.groups()
        cycle, energy = int(count), number(total)
        # The difference that the first cycle prints is its energy.
        delta = number(change) if cycle else None
        progress, series = self.sheet.progress, self.sheet.series
        progress.phase = "SCF"
        progress.cycle, progress.energy, progress.delta = cycle, energy, delta
        run = series.scf[-1] if series.scf else None
        if run is None or run.ended or (run.cycles and run.cycles[-1] >= cycle):
            run = series.begin_scf(progress.point)
        gaps = self._found_gaps()
        gap = min([size for size, _ in gaps.values()]) if gaps else NOTHING
        tester = number(test) if test and cycle > 1 else NOTHING
        run.add(cycle, energy, NOTHING if delta is None else delta, tester, gap)

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

    # -- band edges --------------------------------------------------------------------------------------------

    def on_insulating(self, match: re.Match[str], line: str) -> None:
        """The state is insulating: the band edges follow."""
        self._gaps.pop(self.sheet.spin, None)
        self._edges[self.sheet.spin] = _Edges("LEVEL SHIFTER" in line)

    def on_conducting(self, match: re.Match[str], line: str) -> None:
        """The state is conducting: the Fermi energy in hartree, and no gap."""
        self._gaps.clear()
        self._edges.clear()
        self.sheet.results.fermi_energy = number(match["ef"])

    def on_spin(self, match: re.Match[str], line: str) -> None:
        """What follows belongs to α or to β electrons."""
        self.sheet.spin = match["spin_name"].lower()

    def on_valence(self, match: re.Match[str], line: str) -> None:
        """The line of the top of the valence bands."""
        edges = self._edges.get(self.sheet.spin)
        if edges and not edges.top:
            edges.top = line

    def on_virtual(self, match: re.Match[str], line: str) -> None:
        """The line of the bottom of the virtual bands."""
        edges = self._edges.get(self.sheet.spin)
        if edges and not edges.bottom:
            edges.bottom = line

    def on_gap(self, match: re.Match[str], line: str) -> None:
        """The gap in eV, direct or indirect."""
        self._gaps[self.sheet.spin] = (number(match["gap_v"]), match["gap_kind"].lower())

    def on_final_gap(self, match: re.Match[str], line: str) -> None:
        """The gap in eV as printed at the end, where the kind is not told."""
        self._gaps[(match["fg_spin"] or "").lower()] = (number(match["fg_v"]), None)

    def on_opt_end(self, match: re.Match[str], line: str) -> None:
        """The optimisation has ended; the final geometry has a gap of its own."""
        # What was printed before is the gap of an earlier geometry.
        self._set_fermi_energy()
        self._gaps.clear()
        self._edges.clear()

    def _found_gaps(self) -> dict[str, _Gap]:
        """By spin. CRYSTAL14 and older print no gap line: there it is the distance of the band edges."""
        gaps = dict(self._gaps)
        for spin, edges in self._edges.items():
            if spin not in gaps and edges.bottom and (gap := edges.gap()):
                gaps[spin] = gap
        return gaps

    def _set_fermi_energy(self) -> None:
        tops = [energy for edges in self._edges.values() if (energy := edges.energy()) is not None]
        if tops:
            self.sheet.results.fermi_energy = max(tops)

    def finish(self) -> None:
        """Fill in Fermi energy, gap and populations from what was printed last."""
        self._set_fermi_energy()
        self._set_gap()
        self._set_populations()

    def _set_gap(self) -> None:
        results = self.sheet.results
        results.gap_ev = results.gap_kind = results.gap_spin_ev = results.gap_spin_kind = None
        gaps = self._found_gaps()
        spins = {spin: gap for spin, gap in gaps.items() if spin}
        pool = spins if len(spins) == 2 else gaps if not spins else {}
        if pool:
            results.gap_ev, results.gap_kind = min(pool.values(), key=lambda gap: gap[0])
        if len(spins) == 2:
            results.gap_spin_ev = {spin: gap[0] for spin, gap in spins.items()}
            results.gap_spin_kind = {spin: gap[1] for spin, gap in spins.items() if gap[1]} or None

    # -- energies ----------------------------------------------------------------------------------------------

    def on_total(self, match: re.Match[str], line: str) -> None:
        """The total energy of the SCF in hartree, by Hartree–Fock or DFT."""
        if self.sheet.in_frequencies:
            return
        results = self.sheet.results
        results.hamiltonian = match["tot_h"]
        correction = (results.energy_kind or "").partition("+")[2]
        later = (self.sheet.progress.point or 1) > 1
        if later and correction and "DE (AU)" not in line:
            # An SCF inside of a later point, without the dispersion that the point's own line includes.
            return
        self._take(number(match["tot_e"]), match["tot_h"] + (f"+{correction}" if later and correction else ""))

    def on_correction(self, match: re.Match[str], line: str) -> None:
        """The D3 or gCP part of the energy in hartree."""
        if not self.sheet.in_frequencies:
            name = "energy_dispersion" if match["dc_kind"] == "D3 DISPERSION" else "energy_gcp"
            setattr(self.sheet.results, name, number(match["dc_e"]))

    def on_corrected(self, match: re.Match[str], line: str) -> None:
        """The total energy in hartree with its corrections."""
        if not self.sheet.in_frequencies:
            hamiltonian = self.sheet.results.hamiltonian or "DFT"
            self._take(number(match["cor_e"]), f"{hamiltonian}+{match['cor_kind'].replace(' ', '')}")

    def _take(self, energy: float, kind: str) -> None:
        results, points = self.sheet.results, self.sheet.series.points
        results.energy_total, results.energy_kind = energy, kind
        if results.optimization is not None:
            results.optimization.energy = energy
        if points:
            point = points[-1]
            point.energy = energy
            before = points[-2].energy if len(points) > 1 else None
            point.delta = None if before is None else energy - before

    # -- populations -------------------------------------------------------------------------------------------

    def on_charges(self, match: re.Match[str], line: str) -> None:
        """The table of atomic charges follows."""
        self._electrons = self._values = []
        self.sheet.table = self._row_values

    def on_spins(self, match: re.Match[str], line: str) -> None:
        """The table of atomic spins follows."""
        self._spins = self._values = []
        self.sheet.table = self._row_values

    def _row_values(self, line: str) -> bool:
        # A row is nothing but numbers of seven digits; they are read on demand.
        if not _ONLY_NUMBERS.match(line):
            return False
        self._values.append(line)
        return True

    def on_population(self, match: re.Match[str], line: str) -> None:
        """The analysis at the end: electrons (α + β) first, then spins (α − β)."""
        self._values = []
        if self._difference:
            self._spins = self._values
        else:
            self._electrons = self._values
        self.sheet.table = self._row_population

    def on_spin_sum(self, match: re.Match[str], line: str) -> None:
        """The Mulliken analysis that follows is of α + β, or of α − β electrons."""
        self._difference = match["sum_sign"] == "-"

    def _row_population(self, line: str) -> bool:
        if "SHELL POPULATION" in line or "OVERLAP" in line or line.startswith((" T", " M", " E")):
            return False
        # What continues a row stands further to the right.
        if (match := _POPULATION_ROW.match(line)) and int(match[1]) == len(self._values) + 1:
            self._values.append(float(match[2]))
        return True

    def _set_populations(self) -> None:
        geometry = self.sheet.results.geometry
        electrons, spins = _numbers(self._electrons), _numbers(self._spins)
        if not electrons:
            return
        atoms = geometry.atoms if geometry else []
        charges: list[float | None] = []
        if len(atoms) == len(electrons):
            charges = [
                round(atom.number - own, 7) if 0 < atom.number < SUSPICIOUS_Z else None
                for atom, own in zip(atoms, electrons, strict=True)
            ]
        self.sheet.results.populations = Populations(electrons, charges, spins if len(spins) == len(electrons) else [])


def _numbers(values: list[float | str]) -> list[float]:
    return [
        part
        for value in values
        for part in ([value] if isinstance(value, float) else map(float, _VALUES.findall(value)))
    ]
