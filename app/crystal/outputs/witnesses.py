"""A second opinion on an output: plain expressions that share nothing with the reader, and know nothing of sections.

They find what is printed; which of several printed numbers is meant, the reader decides. So a number disagrees that is printed
nowhere, and in a plain run one that is not the last of its kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from app.crystal.outputs.results import Results

_NUMBER = rb"(-?\d*\.\d+(?:[ED][+-]?\d+)?)"
_PRINTED = re.compile(
    rb"TOTAL ENERGY\((?:HF|DFT)\)\(AU\)\( *\d+\) *" + _NUMBER
    + rb"|TOTAL ENERGY \+ [A-Z0-9 +]{1,20}\(AU\) *" + _NUMBER
    + rb"|OPT END - [^\n]{0,60}E\(AU\): *" + _NUMBER
    + rb"|TOTAL ENERGY +" + _NUMBER + rb" +CONVERGENCE ON ENER"
    + rb"|BAND GAP: *" + _NUMBER + rb" *eV"
    + rb"|(POSSIBLY CONDUCTING STATE)"
    + rb"|ATOMS IN THE UNIT CELL: *(\d+)"
    + rb"|(EEEEEEEEEE (?:STARTING|TERMINATION))"
    + rb"|(ERROR \*\*\*\*)"
    + rb"|(SORTING VOLUMES)"
    + rb"|EXTERNAL STRESS CONTRIBUTION *= *" + _NUMBER
    + rb"|(QUASI-HARMONIC|HARMONIC VIBRATIONAL|MAX ABS\(DGRAD\)|ELASTIC CONSTANT|DISPLACED)"
)  # fmt: skip
_ENERGIES = 4
"""The first groups of the expression are energies; the last ones tell that it is no plain run."""
_OPTIMIZED = 3
_SORTED, _STRESS = 10, 11
_MOST = 20_000
_SAME = 1e-7
_SAME_GAP = 6e-5


@dataclass(frozen=True)
class Disagreement:
    """What the reader tells, and what plain expressions find; both in words."""

    quantity: str
    read: str
    printed: str


@dataclass
class Witness:
    """Fed like the reader; asked at the end."""

    energies: list[float] = field(default_factory=list)
    last: dict[int, float] = field(default_factory=dict)
    """Last energy by expression."""
    gap: float | None = None
    gap_is_old: bool = False
    """After the last gap line a conducting state was printed, or the optimisation ended."""
    atoms: list[int] = field(default_factory=list)
    starts: int = 0
    ends: int = 0
    errors: int = 0
    plain: bool = True
    """One geometry after another and nothing else: no volumes, strains or displacements, no external pressure."""
    several_volumes: bool = False
    stress_digit: float = 0.0
    """What one unit of the last printed digit of `stress` is."""
    stress: float | None = None
    """Hartree that an external pressure adds to the energies of an optimisation: those are enthalpies."""
    _tail: bytes = b""

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the file."""
        block = self._tail + data
        end = block.rfind(b"\n") + 1
        self._tail = block[end:][-4096:]
        for match in _PRINTED.finditer(block, 0, end):
            self._take(match.lastindex or 0, match[match.lastindex or 0])

    def _take(self, group: int, text: bytes) -> None:
        if group <= _ENERGIES:
            energy = float(text.replace(b"D", b"E"))
            self.last[group] = energy
            if len(self.energies) < _MOST:
                self.energies.append(energy)
            self.gap_is_old |= group == _OPTIMIZED
        elif group == 5:
            self.gap, self.gap_is_old = float(text), False
        elif group == 6:
            self.gap_is_old = True
        elif group == 7 and len(self.atoms) < _MOST:
            self.atoms.append(int(text))
        elif group == 8:
            self.starts += text.endswith(b"STARTING")
            self.ends += text.endswith(b"TERMINATION")
        elif group == 9:
            self.errors += 1
        elif group >= _SORTED:
            self.plain = False
            self.several_volumes |= group == _SORTED
            if group == _STRESS:
                self.stress = float(text.replace(b"D", b"E"))
                # Three digits are printed; the reader may know the pressure itself, and with it more of them.
                mantissa, _, exponent = text.replace(b"D", b"E").partition(b"E")
                self.stress_digit = 10.0 ** (int(exponent or b"0") - len(mantissa.partition(b".")[2]))

    def disagreements(self, results: Results) -> list[Disagreement]:
        """Where the reader tells something else."""
        if self._tail:
            self.feed(b"\n")
        checks = (self._energy(results), self._gap(results), self._atoms(results), self._end(results))
        return [check for check in checks if check is not None]

    def _energy(self, results: Results) -> Disagreement | None:
        energy, printed = results.energy_total, list(self.last.values())
        if not printed and energy is None:
            return None
        if energy is not None and self._is_energy(energy):
            return None
        if energy is None and not self.plain:
            # Which of many is meant may well not be known.
            return None
        return Disagreement("energy / Ha", _words(energy), _words(*printed))

    def _is_energy(self, energy: float) -> bool:
        """Whether a number is printed as the energy of the last geometry; of several volumes as the lowest one."""
        if self.several_volumes:
            return bool(self.energies) and energy < min(self.energies) + _SAME
        accepted = list(self.last.values()) if self.plain else self.energies
        if self.stress is not None:
            enthalpy = self.last.get(_OPTIMIZED)
            if self.stress and enthalpy is not None and abs(energy - enthalpy) < _SAME:
                return False
            doubt = self.stress_digit / 2 + _SAME
            if any(abs(energy - one + self.stress) < doubt for one in accepted):
                return True
        return any(abs(energy - one) < _SAME for one in accepted)

    def _gap(self, results: Results) -> Disagreement | None:
        told = [results.gap_ev, *(results.gap_spin_ev or {}).values()]
        gaps = [gap for gap in told if gap is not None]
        if self.gap is None:
            # CRYSTAL14 and older print no gap: it follows from the edges, of which these expressions know nothing.
            return None
        if not gaps and (self.gap_is_old or not self.plain):
            return None
        if any(abs(gap - self.gap) < _SAME_GAP for gap in gaps) or (not self.plain and gaps):
            return None
        return Disagreement("gap / eV", _words(*gaps), _words(self.gap))

    def _atoms(self, results: Results) -> Disagreement | None:
        count = len(results.geometry.atoms) if results.geometry else 0
        if not self.atoms or count in (self.atoms[-1:] if self.plain else self.atoms):
            return None
        if not count and not self.plain:
            # Which of many is meant may well not be known.
            return None
        # A file that was cut within the table of the last geometry.
        if results.verdict == "incomplete" and count < self.atoms[-1]:
            return None
        return Disagreement("atoms per cell", str(count or "none"), str(self.atoms[-1]))

    def _end(self, results: Results) -> Disagreement | None:
        if results.normal_end != bool(self.ends):
            return Disagreement("end", "normal" if results.normal_end else "none", f"{self.ends} TERMINATION")
        if results.verdict == "completed" and (self.errors or self.ends < self.starts):
            printed = f"{self.starts} STARTING, {self.ends} TERMINATION, {self.errors} ERROR"
            return Disagreement("verdict", results.verdict, printed)
        return None


def _words(*values: float | None) -> str:
    return ", ".join(dict.fromkeys(f"{value:.10g}" for value in values if value is not None)) or "none"
