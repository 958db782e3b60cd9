"""The electronic state that an output printed last: gap and Fermi energy, or why they are not known.

They are told only where they belong to the last SCF of the last geometry, and where nothing altered them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from app.crystal.constants import HARTREE_EV
from app.crystal.outputs.numbers import number
from app.crystal.outputs.shapes.words import NUMBER

_EDGE = re.compile(rf"BANDS -[^;]*; *K +(\d+); EIG *({NUMBER})")
_PLACEHOLDER = 1.0
"""Hartree: what is printed as top (-1) and bottom (+1) where no edges were looked for, or no band is there."""
_PLACEHOLDER_TEXT = "1.0000000E+00 AU"
_SAME_EV = 0.01
_UNLIKELY_EV = 50.0
"""Above it the placeholders of both edges may have been taken for a gap."""
Gap = tuple[float, str | None]
"""Size in eV, and whether it is direct, where that was printed."""
SHIFTED = "the level shifter altered the energies of the occupied bands (LEVSHIFT with lock)"
UNKNOWN_EDGES = "the output prints placeholders of ±1 hartree instead of band edges"
EARLIER = "the output tells it for an earlier geometry only"


@dataclass(slots=True)
class Edges:
    """Of the bands of one spin, as a cycle printed them: several lines may stand there, and the first names the edge."""

    shift: float | None = None
    """Hartree by which a level shifter moves occupied against empty bands, where this line says so."""
    top: str = ""
    bottom: str = ""
    old_top: float | None = None
    """Hartree, where it stands in the line of the state."""
    _gap: Gap | None = None
    """Without a shift: lines of edges are set once, and each later cycle asks for it."""

    def energy(self) -> float | None:
        """Hartree, of the highest occupied level."""
        match = _EDGE.search(self.top)
        return number(match[2]) if match else self.old_top

    def placeholder(self) -> bool:
        """Whether an edge is none."""
        return _PLACEHOLDER_TEXT in self.top or _PLACEHOLDER_TEXT in self.bottom or self.old_top in (-1.0, 1.0)

    def gap(self, shift: float = 0.0) -> Gap | None:
        """The distance of the edges without what a level shifter adds to it."""
        if shift:
            return self._distance(shift)
        if self._gap is None and self.top and self.bottom:
            self._gap = self._distance(0.0)
        return self._gap

    def _distance(self, shift: float) -> Gap | None:
        top, bottom = _EDGE.search(self.top), _EDGE.search(self.bottom)
        if not top or not bottom or self.placeholder():
            return None
        size = (number(bottom[2]) - number(top[2]) - shift) * HARTREE_EV
        return round(size, 4), "direct" if bottom[1] == top[1] else "indirect"


@dataclass
class State:
    """The electronic state that was printed last."""

    gaps: dict[str, Gap] = field(default_factory=dict)
    """Those that were printed, by spin."""
    edges: dict[str, Edges] = field(default_factory=dict)
    fermi: float | None = None
    """Hartree, of a conducting state."""
    final: dict[str, Gap] = field(default_factory=dict)
    """Gaps printed after an optimisation, of the geometry at which it ended."""
    locked: bool = False
    """The program says that its level shifter alters Fermi energies."""
    shifting: float | None = None
    shifted: bool = False
    """A line of a state named a shifter."""
    shifted_before: bool = False
    """The wave function that properties read comes from an SCF with a level shifter."""
    conducting: bool = False
    """This cycle called one spin conducting: then there is no gap, whatever the other one is."""
    earlier: bool = False
    """A state was printed for an earlier geometry, none yet for this one."""

    def forget(self) -> None:
        """What comes now belongs to another geometry or SCF."""
        self.conducting = False
        if not (self.gaps or self.edges or self.final or self.fermi is not None):
            return
        self.earlier = True
        self.gaps, self.edges, self.final, self.fermi = {}, {}, {}, None

    def shift_of(self, edges: Edges) -> float | None:
        """Hartree between printed and true distance of these edges; None: nothing was altered."""
        return edges.shift if edges.shift is not None else self.shifting or 0.0 if self.locked else None

    def known_gaps(self) -> dict[str, Gap]:
        """By spin. CRYSTAL14 and older print no gap line: there it is the distance of the band edges."""
        known: dict[str, Gap] = {}
        for spin in [*self.edges, *(spin for spin in self.gaps if spin not in self.edges)]:
            edges, printed = self.edges.get(spin, Edges()), self.gaps.get(spin)
            shift = self.shift_of(edges)
            if edges.placeholder():
                continue
            if shift is not None:
                # Whether the shift is in the printed gap shows only beside the edges.
                true = edges.gap(shift)
                printed = printed if printed and true and abs(printed[0] - true[0]) < _SAME_EV else None
            elif printed is None and edges.bottom:
                printed = edges.gap()
            if printed:
                known[spin] = printed
        for spin, (size, kind) in self.final.items():
            before = known.get(spin)
            known[spin] = (size, before[1] if before and abs(before[0] - size) < 5e-4 else kind)
        return known

    def conducts(self) -> bool | None:
        """Whether the state is conducting; None: not told, or locked by a level shifter."""
        if self.locked or not (self.edges or self.gaps or self.final or self.fermi is not None):
            return None
        return self.fermi is not None and not self.final

    def smallest_gap(self) -> float | None:
        """Of both spins, in eV: as `known_gaps`, but quick where nothing is doubtful, since each cycle asks for it."""
        if not self.gaps and not self.edges:
            return None
        if self.gaps and not (self.locked or self.shifted or self.final) and len(self.gaps) >= len(self.edges):
            smallest = min([size for size, _ in self.gaps.values()])
            if smallest < _UNLIKELY_EV:
                return smallest
        elif not (self.gaps or self.locked or self.shifted or self.final):
            return min((gap[0] for edges in self.edges.values() if (gap := edges.gap())), default=None)
        gaps = self.known_gaps()
        return min(size for size, _ in gaps.values()) if gaps else None

    def fermi_energy(self) -> tuple[float | None, str | None]:
        """Hartree, or why it is not known: of a metal, else the top of the valence bands."""
        if not self.edges and self.fermi is None:
            return None, SHIFTED if self.shifted_before else EARLIER if self.earlier else None
        if self.locked or any(edges.shift is not None for edges in self.edges.values()):
            return None, SHIFTED
        if any(edges.placeholder() for edges in self.edges.values()) or (
            self.fermi is not None and abs(self.fermi) == _PLACEHOLDER
        ):
            return None, UNKNOWN_EDGES
        tops = [energy for edges in self.edges.values() if (energy := edges.energy()) is not None]
        return (max(tops) if tops else self.fermi), None
