"""How a calculation ended, from its output alone: a normal end is needed, and is not enough."""

from __future__ import annotations

import re

from app.crystal.outputs.diagnosis import diagnose
from app.crystal.outputs.marks import find_mark
from app.crystal.outputs.sheet import Section, Sheet, keep, number

_NO_TITLE = re.compile(r" *PROCESS +\d+ +OF +\d+ +WORKING| *(?:INFORMATION|WARNING) \*{4}")
"""What parallel programs print before the title."""


class VerdictSection(Section):
    """Banner, end line, errors and warnings."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._starts = self._ends = 0
        self._test_only = False
        self._boxed, self._candidate = False, ""
        """Whether a rule was printed since the start, and the words below it."""

    # -- identity ----------------------------------------------------------------------------------------------

    def on_banner(self, match: re.Match[str], line: str) -> None:
        """The program's name."""
        self.sheet.results.program = match["prog"]
        self._name_version()

    def on_release(self, match: re.Match[str], line: str) -> None:
        """The program's release."""
        if self.sheet.results.release is None:
            self.sheet.results.release = match["rel"]
            self._name_version()

    def on_preview(self, match: re.Match[str], line: str) -> None:
        """The banner of the preview engine, which is not CRYSTAL."""
        self.sheet.results.program = "CrystalDeck preview engine"
        self.sheet.results.release = match["pv"]
        self.sheet.results.preview = True
        self._name_version()

    def _name_version(self) -> None:
        known = (self.sheet.results.program, self.sheet.results.release)
        self.sheet.results.program_version = " ".join(part for part in known if part) or None

    def on_started(self, match: re.Match[str], line: str) -> None:
        """A program has begun; the title of its deck follows."""
        self._starts += 1
        self._boxed, self._candidate = False, ""
        self.sheet.table = self._row_title if self._starts == 1 else None

    def _row_title(self, line: str) -> bool:
        """The first words after the start, but for those of the processes and of the program itself.

        properties prints the title in a box, above its own name; where that is not its second line, the first is no title.
        """
        mark = find_mark(line)
        if mark and mark[0] in ("error", "ended", "started"):
            return False
        if self._candidate:
            if mark and mark[0] == "properties":
                self.sheet.results.title = self._candidate
            return False
        if not line.strip(" *\n"):
            self._boxed |= "****" in line
            return True
        if _NO_TITLE.match(line):
            return True
        if not self._boxed:
            self.sheet.results.title = line.strip()
            self.sheet.table = None
            return True
        if mark:
            return False
        self._candidate = line.strip()
        return True

    def on_ended(self, match: re.Match[str], line: str) -> None:
        """A program has printed its final line."""
        self._ends += 1
        self.sheet.results.normal_end = True
        self.sheet.progress.phase = "ended"

    def on_elapsed(self, match: re.Match[str], line: str) -> None:
        """Wall time in s at the end of a stage; the stage ERR tells of an abort."""
        if match["el_stage"] == "END" or not self._ends:
            self.sheet.results.wall_time_s = number(match["el_s"])
        self.sheet.results.aborted |= match["el_stage"] == "ERR"

    def on_mesh(self, match: re.Match[str], line: str) -> None:
        """The Monkhorst–Pack mesh."""
        self.sheet.results.k_mesh = [int(part) for part in match["mk"].split()]

    # -- what went wrong ---------------------------------------------------------------------------------------

    def on_test_only(self, match: re.Match[str], line: str) -> None:
        """The run only checks the deck."""
        self._test_only = True

    def on_error(self, match: re.Match[str], line: str) -> None:
        """A line that the program or the system printed as an error."""
        self.sheet.complain(line)

    def on_warning(self, match: re.Match[str], line: str) -> None:
        """A warning; that of TESTGEOM says that the run only checks the geometry."""
        self._test_only = self._test_only or "TESTGEOM" in line
        keep(self.sheet.results.warnings, line)

    def finish(self) -> None:
        """Decide whether the calculation completed, and say why not."""
        results, optimization = self.sheet.results, self.sheet.results.optimization
        reasons: list[str] = []
        signature = diagnose(results.errors)
        ended = bool(self._ends) and self._ends >= self._starts
        if results.errors or results.aborted:
            first = results.errors[0] if results.errors else "abort"
            reasons.append(signature.meaning if signature else "The program reported an error: " + first)
        elif ended:
            if optimization is not None and optimization.converged is None:
                reasons.append("The program ended, but the geometry optimisation did not finish.")
            if self.sheet.frequencies_asked and not results.frequencies_cm1:
                reasons.append("The program ended, but no frequencies were printed.")
        failed = bool(reasons)
        results.verdict = "failed" if failed else "completed" if ended else "incomplete"
        if results.verdict == "incomplete":
            reasons.append(
                "The output stops before the program's final line."
                if self._starts
                else "This is not an output of CRYSTAL, or it stops before the calculation began."
            )
        if results.verdict == "completed" and self._test_only and results.energy_scf is None:
            reasons.append("Test run: the geometry was checked, nothing was computed.")
        results.diagnosis = " ".join(reasons) or None
        results.diagnosis_code = signature.code if failed and signature else None
        results.remedy = signature.remedy if failed and signature else None
