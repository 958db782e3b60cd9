"""The job script: directives, set-up, the programs, and the traps that save what a time limit would destroy.

The job claims its run by `mkdir`, so that even a double start computes once. Its last act is the exit marker, one line
`status signal ended began`, written under another name and moved into place; then a line in the account's events file.
Its parts that are the same for all jobs are shell files: `steps/job_head.sh`, `job_preflight.sh` and `job_watch.sh`. They name
SLURM's variables; a batch system puts its own in their place.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from app.domain.resources import Resources
from app.runners.batch_systems import step

SIGNAL_LEAD = 120
"""Seconds before the time limit at which the job is warned (a tenth of the limit for short jobs); SLURM may be a minute early."""


@dataclass(frozen=True)
class Step:
    """One program run: the deck is copied to INPUT and stands on standard input too; `output` takes what it prints."""

    program: str
    deck: str
    output: str


@dataclass(frozen=True)
class ScriptPlan:
    """All that the script says."""

    name: str
    token: str
    steps: tuple[Step, ...]
    resources: Resources
    setup: str = ""
    launcher: str = ""
    directives: tuple[str, ...] = ()
    preflight: bool = False
    """Try the first deck of crystal before it really runs."""


PREFLIGHT_DECK = ".crystaldeck/preflight.d12"


def render_script(plan: ScriptPlan, with_variables: Callable[[str], str] = str) -> str:
    """The text of `job.sh`.

    Args:
        with_variables: puts the batch system's own environment variables in the place of SLURM's.
    """
    resources = plan.resources
    head, watch = with_variables(step("job_head")), with_variables(step("job_watch"))
    lines = [
        "#!/bin/bash -l",
        *plan.directives,
        f"token={shlex.quote(plan.token)}",
        head,
        f"export OMP_NUM_THREADS={resources.cpus_per_task} OMP_STACKSIZE=256M",
        "ulimit -s unlimited 2>/dev/null || true",
    ]
    if plan.setup.strip():
        comment = "# Set-up lines of this cluster; they may use unset variables."
        lines += ["", comment, "set +u", plan.setup.strip(), "set -u"]
    lines += ["", watch.replace("@walltime_s@", str(resources.walltime_s))]
    tried = next((run for run in plan.steps if run.deck.endswith(".d12")), None) if plan.preflight else None
    if tried is not None:
        lines += ["", step("job_preflight"), f"preflight {shlex.join([tried.output, *_command(plan, tried)])}"]
    lines += [f"run {shlex.join([run.deck, run.output, *_command(plan, run)])}" for run in plan.steps]
    lines += ["finish 0", ""]
    return "\n".join(lines)


def _command(plan: ScriptPlan, run: Step) -> list[str]:
    return [*launch_words(plan.launcher, plan.resources), *shlex.split(run.program)]


def launch_words(launcher: str, resources: Resources) -> list[str]:
    """The words before the program; a single rank needs no launcher unless one is configured with {ntasks}."""
    if resources.ntasks == 1 and "{ntasks}" not in launcher:
        return []
    return [word.replace("{ntasks}", str(resources.ntasks)) for word in shlex.split(launcher)]
