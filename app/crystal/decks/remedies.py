"""What experts do when a calculation ended badly, as changes of its parameters: a table, not code.

A workflow applies those that it names; a person sees what would change in the composer first. Nothing is changed silently.
Sources: the CRYSTAL manuals on GUESSP, RESTART, FMIXING and LEVSHIFT; the catalogue in `diagnosis` says which end is which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.resources import format_walltime, parse_walltime
from app.domain.templates.fields import FieldSpec
from app.domain.templates.metadata import TemplateSpec

TIMEOUT, MEMORY = "timeout", "memory"
"""Ends that the batch system tells; all others are codes of `diagnosis`."""
SCF = ("scf-not-converged", "opt-scf-failed")
CUT = (TIMEOUT, "opt-not-converged")


@dataclass(frozen=True)
class Remedy:
    """`times` multiplies a parameter or resource, `sets` gives it a value, `clears` empties it.

    `takes` attaches the first of these files that the failed job left and that the field accepts.
    """

    name: str
    words: str
    ends: tuple[str, ...]
    times: Mapping[str, float] = field(default_factory=dict)
    sets: Mapping[str, Any] = field(default_factory=dict)
    takes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clears: tuple[str, ...] = ()
    resources: Mapping[str, float] = field(default_factory=dict)


_GUESS = {"guess_file": ("fort.9",)}
_RESTART = {"restart_file": ("OPTINFO.DAT", "FREQINFO.DAT"), "restart_density": ("fort.13",)}

REMEDIES: dict[str, Remedy] = {
    one.name: one
    for one in (
        Remedy("more_cycles", "Twice as many SCF cycles, from the wave function so far.", ("scf-not-converged",),
               times={"maxcycle": 2}, takes=_GUESS),
        Remedy("more_mixing", "Fock mixing of 80 %, from the wave function so far.", SCF,
               sets={"fmixing": 80}, takes=_GUESS),
        Remedy("level_shift", "A level shift of 0.6 Ha, from the wave function so far.", SCF,
               sets={"levshift": 6}, takes=_GUESS),
        Remedy("restart", "Continue the optimisation from where it stopped, with twice as many points.", CUT,
               times={"max_points": 2}, takes=_RESTART | _GUESS),
        Remedy("longer", "Twice the time limit, from the restart files and the wave function that the job left.", (TIMEOUT,),
               resources={"walltime": 2}, takes=_GUESS | _RESTART),
        Remedy("smear", "The occupation smeared by 0.005 Ha.", ("fermi",), sets={"smear": 0.005}, takes=_GUESS),
        Remedy("spin", "Spin polarisation switched on.", ("spin",), sets={"spin": True}),
        Remedy("remove_dependence", "LDREMO 4: nearly dependent combinations of functions are left out.",
               ("linear-dependence",), sets={"ldremo": 4}),
        Remedy("fresh_start", "A fresh optimisation, without the Hessian of the earlier one.", ("bfgs",),
               clears=("restart_file",)),
        Remedy("unit_hessian", "The unit matrix as initial Hessian.", ("model-hessian",), sets={"hessian": "HESSIDEN"}),
        Remedy("more_memory", "Twice the memory.", (MEMORY, "memory"), resources={"memory_mb": 2}),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What a remedy makes of a job: parameters and resources that differ, and what was done in words."""

    parameters: dict[str, Any]
    resources: dict[str, Any]
    words: str


def apply(
    name: str,
    end: str,
    template: TemplateSpec,
    parameters: Mapping[str, Any],
    resources: Mapping[str, Any],
    files: Mapping[str, str],
) -> Change | None:
    """The changes of a remedy for a job that ended so; None where it does not fit, or would change nothing.

    Args:
        end: a code of `diagnosis`, `timeout` or `memory`.
        files: references of the files that the job left, by name.
    """
    remedy = REMEDIES[name]
    if end not in remedy.ends:
        return None
    fields = {field.key: field for field in template.fields}
    if not {*remedy.times, *remedy.sets} <= fields.keys():
        # What it is about is not a parameter of this template.
        return None
    changed: dict[str, Any] = {}
    for key, factor in remedy.times.items():
        if value := parameters.get(key, fields[key].default):
            changed[key] = _within(fields[key], value * factor)
    changed |= {key: _within(fields[key], value) for key, value in remedy.sets.items()}
    for key, names in remedy.takes.items():
        fits = [name for name in names if name in files and key in fields and name in (fields[key].accept or (name,))]
        if fits:
            changed[key] = files[fits[0]]
    changed |= {key: None for key in remedy.clears if key in fields and parameters.get(key)}
    changed = {key: value for key, value in changed.items() if parameters.get(key) != value}
    more = {key: grown for key, factor in remedy.resources.items() if (grown := _grown(key, resources, factor))}
    return Change(changed, more, remedy.words) if changed or more else None


def _within(field: FieldSpec, value: Any) -> Any:
    """No more than the field takes."""
    if isinstance(value, (bool, str)):
        return value
    limited = min(value, field.max) if field.max is not None else value
    return int(limited) if field.type == "integer" else limited


def _grown(key: str, resources: Mapping[str, Any], factor: float) -> Any:
    """A resource, so many times what it was; None where none was asked for. A job keeps its time limit in seconds."""
    if key == "walltime":
        walltime = resources.get("walltime")
        seconds = parse_walltime(str(walltime)) if walltime else int(resources.get("walltime_s") or 0)
        return format_walltime(int(seconds * factor)) if seconds else None
    value = resources.get(key)
    return int(int(value) * factor) if value else None
