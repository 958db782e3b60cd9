"""Will it converge? A judgement of an SCF, or of an optimisation, from its last steps, with the evidence for it.

The change of the energy falls by a constant factor per step where all is well: its logarithm lies on a line. How steep that line
is, and how often the change turns its sign, tells the cases apart. The limits are ours, tried on the recorded outputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from app.crystal.outputs.series import OptimizationPoint, ScfRun

WINDOW = 12
"""Steps that are looked at: more would remember how it began."""
ENOUGH = 4
FALLING, CREEPING, STANDING = -0.04, -0.008, 0.03
"""Decades per step: steeper than the first is progress, than the second too where the changes lie on a line."""
ON_A_LINE = -0.8
"""Correlation of the logarithms with the number of the step, from which on they do."""
LONG = 30
"""More steps to go than these are slow, whatever is allowed."""
TURNS = 0.6
"""Share of the steps at which the change turns its sign."""
LARGE = 1e-3
"""Hartree; a change that grows beyond it is no noise."""
_WORDS = {
    "early": "Too early to tell.",
    "converged": "Converged.",
    "ended": "Ended without converging.",
    "stopped": "Stopped before it converged.",
    "converging": "Converging: about {left} more {steps}.",
    "slow": "Converging slowly: about {left} more {steps}{allowed}.",
    "oscillating": "Oscillating: the change keeps alternating in sign and does not shrink.",
    "diverging": "Diverging: the change grows.",
    "stuck": "Stuck: the change no longer shrinks.",
}
_ADVICE = {
    "slow": "Let it run and continue with GUESSP, or start again with a larger MAXCYCLE.",
    "oscillating": "Use more Fock mixing (FMIXING 50–90), a level shift (insulators), or SMEAR or a denser SHRINK (small gaps).",
    "diverging": "Stop it: start with more Fock mixing or a level shift, and check the geometry and the spin.",
    "stuck": "Try another accelerator (BROYDEN, ANDERSON), a level shift, or a tighter TOLINTEG against numerical noise.",
}


@dataclass(frozen=True)
class Hint:
    """The forecast: `kind`, the same in words, advice, and the numbers behind it."""

    kind: str
    words: str
    advice: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


def judge_scf(run: ScfRun | None, tolerance: float | None, max_cycles: int | None, *, running: bool = True) -> Hint:
    """An SCF, by the changes of its energy in hartree. Of one that no longer runs nothing is expected."""
    if run is None or not run.cycles:
        return Hint("early", _WORDS["early"])
    if run.converged is not None:
        kind = "converged" if run.converged else "ended"
        return Hint(kind, _WORDS[kind], evidence={"cycle": run.cycles[-1], "change": _last(run.deltas)})
    if not running:
        return Hint("stopped", _WORDS["stopped"], evidence={"cycle": run.cycles[-1], "change": _last(run.deltas)})
    left = max_cycles - run.cycles[-1] if max_cycles else None
    # What the first two cycles change says how good the guess was.
    return _judge(
        [delta for cycle, delta in zip(run.cycles, run.deltas, strict=True) if cycle > 1], tolerance, left, "cycles"
    )


def judge_optimization(points: Sequence[OptimizationPoint], converged: bool | None, *, running: bool = True) -> Hint:
    """An optimisation, by the RMS gradient of its points in Ha/bohr; their energies tell of oscillation.

    It has converged when the program says so: which criteria count is its own affair.
    """
    if converged is not None:
        kind = "converged" if converged else "ended"
        return Hint(kind, _WORDS[kind], evidence={"point": points[-1].number if points else 0})
    if not running:
        return Hint("stopped", _WORDS["stopped"], evidence={"point": points[-1].number if points else 0})
    known = [point for point in points if "rms_gradient" in point.criteria]
    if not known:
        return Hint("early", _WORDS["early"])
    signed = [math.copysign(point.criteria["rms_gradient"].value, _change(point)) for point in known]
    hint = _judge(signed, known[-1].criteria["rms_gradient"].threshold, None, "points", large=math.inf)
    advice = {
        "oscillating": "Use a smaller MAXTRADIUS, or a tighter TOLINTEG and TOLDEE against noise.",
        "stuck": "Use a tighter TOLINTEG and TOLDEE for the SCF; a flat energy surface takes time.",
    }.get(hint.kind, "")
    return Hint(hint.kind, hint.words, advice, hint.evidence)


def _change(point: OptimizationPoint) -> float:
    """Of what is minimised: under a load from outside this is the enthalpy."""
    change = point.enthalpy_delta if point.enthalpy is not None else point.delta
    return -1.0 if change is None else change


def _judge(
    changes: Sequence[float], tolerance: float | None, left: int | None, steps: str, large: float = LARGE
) -> Hint:
    known = [change for change in changes if change == change]
    recent = known[-WINDOW:]
    if len(recent) < ENOUGH:
        return Hint("early", _WORDS["early"], evidence={steps: len(known)})
    sizes = np.log10(np.maximum(np.abs(recent), 1e-16))
    slope = float(np.polyfit(np.arange(len(sizes)), sizes, 1)[0])
    turns = sum(1 for a, b in pairwise(recent) if a * b < 0) / (len(recent) - 1)
    evidence: dict[str, Any] = {
        steps: len(known),
        "looked_at": len(recent),
        "change": recent[-1],
        "tolerance": tolerance,
        "decades_per_step": round(slope, 3),
        "sign_turns": round(turns, 2),
    }
    places = np.arange(len(sizes))
    line = float(np.corrcoef(places, sizes)[0, 1]) if sizes.std() > 0 else 0.0
    falling = slope < FALLING or (slope < CREEPING and line < ON_A_LINE)
    missing = None
    if tolerance and falling:
        # From the fitted line, not from the last change alone, which may be small by chance.
        here = float(np.polyval(np.polyfit(places, sizes, 1), len(sizes) - 1))
        missing = max(1, math.ceil((here - math.log10(tolerance)) / -slope))
        evidence["steps_to_go"] = missing
    too_many = missing is not None and left is not None and missing > left
    if falling:
        kind = "slow" if too_many or (missing or 0) > LONG else "converging"
    elif turns >= TURNS:
        kind = "oscillating"
    else:
        kind = "diverging" if slope > STANDING and abs(recent[-1]) > large else "stuck"
    allowed = f" needed, but only {left} left" if too_many else ""
    words = _WORDS[kind].format(left=missing, allowed=allowed, steps=steps)
    if kind == "converging" and missing is None:
        words = "Converging: the change shrinks."
    return Hint(kind, words, _ADVICE.get(kind, "") if kind != "slow" or too_many else "", evidence)


def _last(values: Sequence[float]) -> float | None:
    return values[-1] if values and values[-1] == values[-1] else None
