"""What frequencies say of stability, in sentences: only where they are final, and of a geometry that converged.

An imaginary mode at a point where the forces do not vanish, or of a calculation that was cut, tells nothing; and a crystal without
one at Γ may still have them at other k points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def judge_stability(results: Mapping[str, Any]) -> list[str]:
    """Sentences for results as they are stored, with all fields; none where no frequencies were computed."""
    if results["modes"] is None and not results["dispersion"]:
        return []
    if doubt := _doubt(results):
        return [f"Stability is not judged: {doubt}."]
    sentences = [*_at_gamma(results), *_elsewhere(results)]
    if _has_imaginary(results) and not results["optimization"]:
        sentences.append(
            "This output holds no optimisation: an imaginary mode means an instability only if its geometry is a stationary point."
        )
    return sentences


def final_imaginary(results: Mapping[str, Any]) -> int:
    """Imaginary modes at Γ, where they mean something; 0 otherwise. `results` have all fields."""
    return 0 if _doubt(results) else results["imaginary_modes"] or 0


def _doubt(results: Mapping[str, Any]) -> str:
    optimization = results["optimization"]
    if results["verdict"] != "completed":
        return "the calculation did not complete, so these frequencies are not final"
    if results["scf_converged"] is False:
        return "the SCF did not converge"
    if optimization and not optimization["converged"]:
        return "the geometry did not converge"
    return ""


def _has_imaginary(results: Mapping[str, Any]) -> bool:
    return bool(results["imaginary_modes"] or (results["dispersion"] or {}).get("imaginary_modes"))


def _at_gamma(results: Mapping[str, Any]) -> list[str]:
    count = results["imaginary_modes"]
    if count is None:
        return []
    if not count:
        others = not results["dispersion"] and results["dimensionality"] != 0
        return ["No imaginary mode at Γ; other k points were not computed." if others else "No imaginary mode at Γ."]
    lowest = min(mode["frequency_cm1"] for mode in results["modes"])
    return [f"{_modes(count)} at Γ, the lowest {lowest:.2f} cm⁻¹."]


def _elsewhere(results: Mapping[str, Any]) -> list[str]:
    dispersion = results["dispersion"]
    if not dispersion or dispersion["lowest_cm1"] is None:
        return []
    if not dispersion["imaginary_modes"]:
        return ["No imaginary mode at the other k points that were computed."]
    place = dispersion["lowest_at"]
    at = " at ({})".format(" ".join(f"{part:g}" for part in place)) if place else ""
    points = dispersion["imaginary_points"]
    where = f"{points} other k point{'s' if points != 1 else ''}"
    return [f"{_modes(dispersion['imaginary_modes'])} at {where}, the lowest {dispersion['lowest_cm1']:.2f} cm⁻¹{at}."]


def _modes(count: int) -> str:
    return f"{count} imaginary mode{'s' if count != 1 else ''}"
