"""What experts do when a calculation ended badly, as changes of its parameters: a table, not code.

A remedy is applied by a workflow that names it. It changes nothing silently: what it changed is kept with the new job.
Sources: the CRYSTAL manuals on GUESSP, RESTART, FMIXING and LEVSHIFT; the catalogue in `diagnosis` says which end is which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.fields import FieldSpec
from app.domain.resources import format_walltime, parse_walltime
from app.domain.templates import TemplateSpec

TIMEOUT, MEMORY = "timeout", "memory"
"""Ends that the batch system tells; all others are codes of `diagnosis`."""
SCF = ("scf-not-converged", "opt-scf-failed")
CUT = (TIMEOUT, "opt-not-converged")


@dataclass(frozen=True)
class Remedy:
    """`times` multiplies a parameter or resource, `sets` gives it a value, `takes` attaches a file of the failed job."""

    name: str
    words: str
    ends: tuple[str, ...]
    times: Mapping[str, float] = field(default_factory=dict)
    sets: Mapping[str, Any] = field(default_factory=dict)
    takes: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)


REMEDIES: dict[str, Remedy] = {
    one.name: one
    for one in (
        Remedy("more_cycles", "Twice as many SCF cycles, from the wave function so far.", ("scf-not-converged",),
               times={"maxcycle": 2}, takes={"guess_file": "fort.9"}),
        Remedy("more_mixing", "Fock mixing of 80 %, from the wave function so far.", SCF,
               sets={"fmixing": 80}, takes={"guess_file": "fort.9"}),
        Remedy("level_shift", "A level shift of 0.6 Ha, from the wave function so far.", SCF,
               sets={"levshift": 6}, takes={"guess_file": "fort.9"}),
        Remedy("restart", "Go on with the optimisation from where it ended, with twice as many points.", CUT,
               times={"max_points": 2}, takes={"restart_file": "OPTINFO.DAT", "guess_file": "fort.9"}),
        Remedy("longer", "Twice the time limit, from the wave function so far.", (TIMEOUT,),
               resources={"walltime": 2}, takes={"guess_file": "fort.9", "restart_file": "OPTINFO.DAT"}),
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
    name: str, end: str, template: TemplateSpec, parameters: Mapping[str, Any], resources: Mapping[str, Any],
    files: Mapping[str, str],
) -> Change | None:  # fmt: skip
    """The changes of a remedy for a job that ended so; None where it does not fit, or would change nothing.

    Args:
        end: a code of `diagnosis`, `timeout` or `memory`.
        files: references of the files that the job left, by name.
    """
    remedy = REMEDIES[name]
    if end not in remedy.ends:
        return None
    fields = {one.key: one for one in template.fields}
    changed: dict[str, Any] = {}
    for key, factor in remedy.times.items():
        if key in fields and (value := parameters.get(key, fields[key].default)):
            changed[key] = _within(fields[key], value * factor)
    changed |= {key: _within(fields[key], value) for key, value in remedy.sets.items() if key in fields}
    changed |= {key: files[file] for key, file in remedy.takes.items() if key in fields and file in files}
    changed = {key: value for key, value in changed.items() if parameters.get(key) != value}
    more = {key: grown for key, factor in remedy.resources.items() if (grown := _grown(key, resources, factor))}
    return Change(changed, more, remedy.words) if changed or more else None


def _within(field: FieldSpec, value: float) -> Any:
    """No more than the field takes."""
    limited = min(value, field.max) if field.max is not None else value
    return int(limited) if field.type == "integer" else limited


def _grown(key: str, resources: Mapping[str, Any], factor: float) -> Any:
    value = resources.get(key)
    if not value:
        return None
    if key == "walltime":
        return format_walltime(int(parse_walltime(str(value)) * factor))
    return int(int(value) * factor)
