"""How a calculation ended, from its output alone: a normal end is needed, and is not enough."""

from __future__ import annotations

import re

from app.crystal.outputs.diagnosis import BY_CODE, Signature, diagnose
from app.crystal.outputs.marks import find_mark
from app.crystal.outputs.sheet import Section, Sheet, keep, number

_NO_TITLE = re.compile(r" *PROCESS +\d+ +OF +\d+ +WORKING| *(?:INFORMATION|WARNING) \*{4}")
"""What parallel programs print before the title."""


_CRASH = "crash"


class VerdictSection(Section):
    """Banner, end line, errors and warnings."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._starts = self._ends = 0
        self._banner: tuple[str | None, str | None, bool] = None, None, False
        """Program, release, whether it is the preview engine, as the last banner told them."""
        self._times: list[float] = []
        """Seconds by program; the last one may still run."""
        self._test_only = False
        self._boxed, self._candidate = False, ""
        """Whether a rule was printed since the start, and the words below it."""

    # -- identity ----------------------------------------------------------------------------------------------

    def on_banner(self, match: re.Match[str], line: str) -> None:
        """The program's name."""
        self._introduce(match["prog"], None, False)

    def on_release(self, match: re.Match[str], line: str) -> None:
        """The program's release."""
        if self._banner[1] is None:
            self._introduce(self._banner[0], match["rel"], self._banner[2])

    def on_preview(self, match: re.Match[str], line: str) -> None:
        """The banner of the preview engine, which is not CRYSTAL."""
        self._introduce("CrystalDeck preview engine", match["pv"], True)

    def _introduce(self, program: str | None, release: str | None, preview: bool) -> None:
        """The first program names the results; a later one counts if its run begins anew."""
        self._banner = program, release, preview
        if not self._starts:
            self._name_version()

    def _name_version(self) -> None:
        results = self.sheet.results
        results.program, results.release, results.preview = self._banner
        results.program_version = " ".join(part for part in self._banner[:2] if part) or None

    def on_started(self, match: re.Match[str], line: str) -> None:
        """A program has begun; the title of its deck follows."""
        self._starts += 1
        self._times.append(0.0)
        self._boxed, self._candidate = False, ""
        self.sheet.table = self._row_title

    def _row_title(self, line: str) -> bool:
        """The first words after the start, but for those of the processes and of the program itself.

        properties prints the title in a box, above its own name; where that is not its second line, the first is no title.
        """
        mark = find_mark(line)
        if mark and mark[0] in ("error", "ended", "started"):
            return False
        if self._candidate:
            if mark and mark[0] == "properties" and self._starts == 1:
                self.sheet.results.title = self._candidate
            return False
        if not line.strip(" *\n"):
            self._boxed |= "****" in line
            return True
        if _NO_TITLE.match(line):
            return True
        if not self._boxed and self._starts > 1:
            # properties boxes its title: this is crystal once more.
            self._begin_anew()
        if not self._boxed:
            self.sheet.results.title = line.strip()
            self.sheet.table = None
            return True
        if mark:
            return False
        self._candidate = line.strip()
        return True

    def _begin_anew(self) -> None:
        banner = self._banner
        self.sheet.begin_anew()
        self._starts, self._times, self._banner = 1, [0.0], banner
        self._name_version()
        self.sheet.progress.phase = "geometry"

    def on_ended(self, match: re.Match[str], line: str) -> None:
        """A program has printed its final line."""
        self._ends += 1
        self.sheet.results.normal_end = True
        self.sheet.progress.phase = "ended"

    def on_elapsed(self, match: re.Match[str], line: str) -> None:
        """Wall time in s at the end of a stage; the stage ERR tells of an abort."""
        if not self._times:
            self._times.append(0.0)
        if match["el_stage"] in ("END", "ERR") or self._ends < max(self._starts, 1):
            self._times[-1] = number(match["el_s"])
            self.sheet.results.wall_time_s = round(sum(self._times), 2)
            self.sheet.results.program_times_s = list(self._times)
        self.sheet.results.aborted |= match["el_stage"] == "ERR"

    def on_mesh(self, match: re.Match[str], line: str) -> None:
        """The Monkhorst–Pack mesh."""
        self.sheet.results.k_mesh = [int(part) for part in match["mk"].split()]

    # -- what went wrong ---------------------------------------------------------------------------------------

    def on_test_only(self, match: re.Match[str], line: str) -> None:
        """The run only checks the deck."""
        self._test_only = True

    def on_error(self, match: re.Match[str], line: str) -> None:
        """A line that the program or the system printed as an error; what others say after a normal end is a warning."""
        own = "ERROR ****" in line
        if not own and self._has_ended():
            keep(self.sheet.results.warnings, line)
        elif own or not self._is_told(line):
            self.sheet.complain(line)

    def _is_told(self, line: str) -> bool:
        """Whether a crash only follows from an error that the program named itself."""
        errors = self.sheet.results.errors
        return line in errors or (
            any("ERROR ****" in error for error in errors)
            and BY_CODE[_CRASH].pattern.search(line) is not None
            and BY_CODE["memory"].pattern.search(line) is None
        )

    def _has_ended(self) -> bool:
        return bool(self._ends) and self._ends >= self._starts

    def on_warning(self, match: re.Match[str], line: str) -> None:
        """A warning; that of TESTGEOM says that the run only checks the geometry."""
        self._test_only = self._test_only or "TESTGEOM" in line
        keep(self.sheet.results.warnings, line)

    def finish(self) -> None:
        """Decide whether the calculation completed, and say why not."""
        results, optimization = self.sheet.results, self.sheet.results.optimization
        reasons: list[str] = []
        signature = _signature_of(results.errors)
        ended = self._has_ended()
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


def _signature_of(errors: list[str]) -> Signature | None:
    """What the program says comes first; a crash behind its own words is only how it stopped."""
    own = [line for line in errors if "ERROR ****" in line]
    others = [line for line in errors if line not in own]
    signature = diagnose(own) or diagnose(others)
    return None if own and signature is not None and signature.code == _CRASH else signature
