"""Streaming reader of CRYSTAL outputs: fed bytes as they come, it knows the progress at any time and the results at the end.

The file may grow, may be cut in mid-line, may begin with foreign text and hold bytes that are not UTF-8. `marks` finds the
lines that matter; one method handles each kind. Memory does not grow with the file, except for the last geometry and the
frequencies.
"""

from __future__ import annotations

import re

from app.crystal.diagnosis import diagnose
from app.crystal.marks import NUMBER, find_mark, marked_lines
from app.crystal.results import HARTREE_EV, Atom, Geometry, Optimization, Progress, Results

_ATOM_ROW = re.compile(rf"^ +\d+ (?P<flag>[TF]) +(?P<z>\d+) +(?P<symbol>[A-Z]+) +({NUMBER}) *({NUMBER}) *({NUMBER})")
_MODE_ROW = re.compile(rf"^ *(\d+) *- *(\d+) +{NUMBER} +({NUMBER})")
_FREQ_ROW = re.compile(rf"^ +\d+ +\w+ +\w+ +{NUMBER} +{NUMBER} +\d+ ")
_MAX_TAIL = 65536
_MAX_KEPT = 50


def _float(text: str) -> float:
    return float(text.replace("D", "E").replace("d", "e"))


class OutputReader:
    """Reads one output. Call `feed` with each new piece, `results` when no more is to come."""

    def __init__(self) -> None:
        self.progress = Progress()
        self._results = Results()
        self._tail = b""
        self._table: str | None = None
        self._spin: str | None = None
        self._gaps: dict[str, tuple[float, str | None]] = {}
        self._valence: dict[str, tuple[int, float]] = {}
        self._geometry = Geometry()
        self._in_conventional = self._shifted = False
        self._optimization: Optimization | None = None
        self._last_scf = ""
        self._starts = self._ends = 0
        self._abort = self._test_only = self._in_frequencies = self._frequencies_asked = False

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the file; an incomplete last line waits for the rest of it."""
        block = self._tail + data
        end = block.rfind(b"\n") + 1
        self._tail = block[end:][-_MAX_TAIL:]
        if end:
            self._read(block[:end].decode("latin-1"))

    def results(self) -> Results:
        """What the output says as far as it was fed. The reader can still be fed afterwards."""
        results = self._results
        # Some complete files lack the last newline; a line that was cut must not count as one.
        if b"TERMINATION" in self._tail:
            self._read(self._tail.decode("latin-1"))
            self._tail = b""
        results.geometry = self._geometry if self._geometry.primitive_cell or self._geometry.atoms else None
        results.optimization = self._optimization
        self._set_gap()
        self._judge()
        return results

    def _read(self, block: str) -> None:
        """Read whole lines: those of an open table one by one, else only those that say something."""
        position = 0
        for start in [*marked_lines(block), len(block)]:
            while self._table and position < start:
                line, position = _line_at(block, position)
                self._read_table(line)
            if start < len(block):
                line, position = _line_at(block, start)
                if not (self._table and self._read_table(line)) and (mark := find_mark(line)):
                    kind, match = mark
                    getattr(self, "_on_" + kind)(match, line)

    # -- identity ----------------------------------------------------------------------------------------------

    def _on_banner(self, match: re.Match[str], line: str) -> None:
        self._results.program = match["prog"]
        self._name_version()

    def _on_release(self, match: re.Match[str], line: str) -> None:
        if self._results.release is None:
            self._results.release = match["rel"]
            self._name_version()

    def _on_preview(self, match: re.Match[str], line: str) -> None:
        self._results.program = "CrystalDeck preview engine"
        self._results.release = match["pv"]
        self._results.preview = True
        self._name_version()

    def _name_version(self) -> None:
        known = (self._results.program, self._results.release)
        self._results.program_version = " ".join(part for part in known if part) or None

    def _on_started(self, match: re.Match[str], line: str) -> None:
        self._starts += 1
        self._table = "title" if self._starts == 1 else None
        self.progress.phase = "geometry"

    def _on_ended(self, match: re.Match[str], line: str) -> None:
        self._ends += 1
        self._results.normal_end = True
        self.progress.phase = "ended"

    def _on_elapsed(self, match: re.Match[str], line: str) -> None:
        if match["el_stage"] == "END" or not self._ends:
            self._results.wall_time_s = _float(match["el_s"])
        self._abort = self._abort or match["el_stage"] == "ERR"

    # -- SCF ---------------------------------------------------------------------------------------------------

    def _on_cycle(self, match: re.Match[str], line: str) -> None:
        cycle = int(match["cyc_n"])
        self.progress.phase = "SCF"
        self.progress.cycle, self.progress.energy = cycle, _float(match["cyc_e"])
        self.progress.delta = _float(match["cyc_d"]) if cycle else None

    def _on_insulating(self, match: re.Match[str], line: str) -> None:
        for edges in (self._gaps, self._valence):
            edges.pop(self._spin or "", None)
        # A level shifter moves the virtual bands: their distance is then not a gap.
        self._shifted = "LEVEL SHIFTER" in line

    def _on_conducting(self, match: re.Match[str], line: str) -> None:
        self._gaps.clear()
        self._results.fermi_energy = _float(match["ef"])

    def _on_spin(self, match: re.Match[str], line: str) -> None:
        self._spin = match["spin_name"].lower()

    def _on_valence(self, match: re.Match[str], line: str) -> None:
        """Several lines stand in one cycle; the first names the top, the others its neighbours in k."""
        if (self._spin or "") not in self._valence:
            self._valence[self._spin or ""] = (int(match["tv_k"]), _float(match["tv_e"]))
            self._results.fermi_energy = max(energy for _, energy in self._valence.values())

    def _on_virtual(self, match: re.Match[str], line: str) -> None:
        """CRYSTAL14 and older print no gap line: take it from the band edges; a printed gap overwrites it."""
        spin = self._spin or ""
        top = self._valence.get(spin)
        if top is not None and spin not in self._gaps and not self._shifted:
            gap = (_float(match["bv_e"]) - top[1]) * HARTREE_EV
            self._gaps[spin] = (round(gap, 4), "direct" if int(match["bv_k"]) == top[0] else "indirect")

    def _on_gap(self, match: re.Match[str], line: str) -> None:
        self._gaps[self._spin or ""] = (_float(match["gap_v"]), match["gap_kind"].lower())

    def _on_scf_end(self, match: re.Match[str], line: str) -> None:
        self._last_scf = match["se_how"].strip()
        converged = self._last_scf.startswith("CONVERGENCE")
        if self._results.energy_scf is None:
            self._results.energy_scf = _float(match["se_e"])
            self._results.scf_cycles = int(match["se_n"])
            self._results.scf_converged = converged
        if not converged:
            self._keep(self._results.errors, line)

    def _on_total(self, match: re.Match[str], line: str) -> None:
        if self._in_frequencies:
            return
        self._results.hamiltonian = match["tot_h"]
        kind = self._results.energy_kind or ""
        dispersion = kind.partition("+")[2] if self._optimization and self._optimization.points > 1 else ""
        self._take_energy(_float(match["tot_e"]), match["tot_h"] + (f"+{dispersion}" if dispersion else ""))

    def _on_corrected(self, match: re.Match[str], line: str) -> None:
        if not self._in_frequencies:
            self._take_energy(
                _float(match["cor_e"]), f"{self._results.hamiltonian or 'DFT'}+{match['cor_kind'].replace(' ', '')}"
            )

    def _take_energy(self, energy: float, kind: str) -> None:
        self._results.energy_total, self._results.energy_kind = energy, kind
        if self._optimization is not None:
            self._optimization.energy = energy

    # -- geometry ----------------------------------------------------------------------------------------------

    def _on_point(self, match: re.Match[str], line: str) -> None:
        if self._optimization is None:
            self._optimization = Optimization()
        self._optimization.points = self.progress.point = int(match["pt"])
        self.progress.phase = "optimisation"

    def _on_opt_end(self, match: re.Match[str], line: str) -> None:
        self._optimization = Optimization(match["oe_how"] == "CONVERGED", int(match["oe_n"]), _float(match["oe_e"]))
        self._results.energy_total = self._optimization.energy
        self._gaps.clear()
        if not self._optimization.converged:
            self._keep(self._results.errors, line)

    def _on_final_gap(self, match: re.Match[str], line: str) -> None:
        self._gaps[(match["fg_spin"] or "").lower()] = (_float(match["fg_v"]), None)

    def _on_dimension(self, match: re.Match[str], line: str) -> None:
        self._results.dimensionality = int(match["dim"])
        self._geometry = Geometry(optimized=match["geo"].startswith("FINAL"))

    def _on_primitive(self, match: re.Match[str], line: str) -> None:
        self._in_conventional = False
        if match["vol"]:
            self._geometry.volume = _float(match["vol"])

    def _on_conventional(self, match: re.Match[str], line: str) -> None:
        self._in_conventional = True

    def _on_conv_coords(self, match: re.Match[str], line: str) -> None:
        self._in_conventional = True

    def _on_cell(self, match: re.Match[str], line: str) -> None:
        self._table = "cell" if not match["cell_volume"] or self._geometry.primitive_cell is None else None

    def _on_atoms(self, match: re.Match[str], line: str) -> None:
        if not self._in_conventional:
            self._table = "atoms"
            self._geometry.atoms = []

    def _on_mesh(self, match: re.Match[str], line: str) -> None:
        self._results.k_mesh = [int(part) for part in match["mk"].split()]

    # -- frequencies -------------------------------------------------------------------------------------------

    def _on_freq_asked(self, match: re.Match[str], line: str) -> None:
        self._frequencies_asked = True

    def _on_freq_count(self, match: re.Match[str], line: str) -> None:
        self.progress.steps = int(match["fc"])

    def _on_freq_start(self, match: re.Match[str], line: str) -> None:
        self._in_frequencies = self._frequencies_asked = True
        self.progress.phase, self.progress.step = "frequencies", 0
        self._table = "displacements"

    def _on_modes(self, match: re.Match[str], line: str) -> None:
        if self._results.frequencies_cm1 is None:
            self._results.frequencies_cm1 = []
            self._table = "modes"

    # -- what went wrong ---------------------------------------------------------------------------------------

    def _on_test_only(self, match: re.Match[str], line: str) -> None:
        self._test_only = True

    def _on_error(self, match: re.Match[str], line: str) -> None:
        self._keep(self._results.errors, line)

    def _on_warning(self, match: re.Match[str], line: str) -> None:
        self._test_only = self._test_only or "TESTGEOM" in line
        self._keep(self._results.warnings, line)

    @staticmethod
    def _keep(kept: list[str], line: str) -> None:
        text = " ".join(line.split())
        if text not in kept and len(kept) < _MAX_KEPT:
            kept.append(text)

    # -- tables ------------------------------------------------------------------------------------------------

    def _read_table(self, line: str) -> bool:
        """Read one line of the open table. False: the table ended and the line is an ordinary one."""
        table, handler = self._table, getattr(self, f"_row_{self._table}")
        consumed: bool = handler(line)
        if not consumed and table == self._table:
            self._table = None
        return consumed

    def _row_title(self, line: str) -> bool:
        if line.strip():
            self._results.title = line.strip()
            self._table = None
        return True

    def _row_cell(self, line: str) -> bool:
        self._table = None
        try:
            cell = [float(part) for part in line.split()[:6]]
        except ValueError:
            return False
        if len(cell) == 6 and self._in_conventional:
            self._geometry.conventional_cell = cell
        elif len(cell) == 6:
            self._geometry.primitive_cell = cell
        return True

    def _row_atoms(self, line: str) -> bool:
        if line.startswith(" ****"):
            return True
        match = _ATOM_ROW.match(line)
        if match is None:
            return False
        x, y, z = (_float(text) for text in match.groups()[3:])
        atom = Atom(int(match["z"]), match["symbol"].capitalize(), x, y, z, match["flag"] == "T")
        self._geometry.atoms.append(atom)
        return True

    def _row_displacements(self, line: str) -> bool:
        if find_mark(line) and "CENTRAL POINT" not in line:
            return False
        if _FREQ_ROW.match(line) and self.progress.step is not None:
            self.progress.step += 1
        return True

    def _row_modes(self, line: str) -> bool:
        match = _MODE_ROW.match(line)
        rows = self._results.frequencies_cm1
        if match is None or rows is None:
            return not rows and not find_mark(line)
        rows.append([int(match[1]), int(match[2]), _float(match[3])])
        return True

    # -- verdict -----------------------------------------------------------------------------------------------

    def _set_gap(self) -> None:
        results = self._results
        results.gap_ev = results.gap_kind = results.gap_spin_ev = None
        spins = {spin: gap for spin, gap in self._gaps.items() if spin}
        pool = spins if len(spins) == 2 else self._gaps if not spins else {}
        if pool:
            results.gap_ev, results.gap_kind = min(pool.values(), key=lambda gap: gap[0])
        if len(spins) == 2:
            results.gap_spin_ev = {spin: gap[0] for spin, gap in spins.items()}

    def _judge(self) -> None:
        """The verdict table: a normal end is needed, and is not enough."""
        results, optimization = self._results, self._optimization
        reasons: list[str] = []
        signature = diagnose(results.errors)
        if results.errors or self._abort:
            reasons.append(signature.meaning if signature else "The program reported an error: " + self._first_error())
        elif self._ends and self._ends >= self._starts:
            if optimization is not None and optimization.converged is None:
                reasons.append("The program ended, but the geometry optimisation has no end.")
            if self._frequencies_asked and not results.frequencies_cm1:
                reasons.append("The program ended, but no frequencies were printed.")
        failed = bool(reasons)
        ended = bool(self._ends) and self._ends >= self._starts
        results.verdict = "failed" if failed else "completed" if ended else "incomplete"
        if results.verdict == "incomplete":
            reasons.append(
                "The output stops before the program's end line."
                if self._starts
                else "This is not an output of CRYSTAL, or it stops before the calculation began."
            )
        if results.verdict == "completed" and self._test_only and results.energy_scf is None:
            reasons.append("A test run: the geometry was checked, nothing was computed.")
        results.diagnosis = " ".join(reasons) or None
        results.diagnosis_code = signature.code if failed and signature else None
        results.remedy = signature.remedy if failed and signature else None

    def _first_error(self) -> str:
        return self._results.errors[0] if self._results.errors else "abort"


def _line_at(block: str, start: int) -> tuple[str, int]:
    """The line that begins at `start` without its end, and where the next one begins."""
    end = block.find("\n", start)
    end = len(block) if end < 0 else end
    return block[start:end].rstrip("\r"), end + 1


def read_output(data: bytes) -> Results:
    """Read a whole output at once."""
    reader = OutputReader()
    reader.feed(data)
    return reader.results()
