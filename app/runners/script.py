"""The job script: directives, set-up, the programs, and the traps that save what a time limit would destroy.

The job claims its run by `mkdir`, so that even a double start computes once. Its last act is the exit marker, one line
`status signal ended began`, written under another name and moved into place; then a line in the account's events file.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.resources import Resources

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
_HEAD = """\
set -u
cd -- "${SLURM_SUBMIT_DIR:-$PWD}" || exit 66
state=.crystaldeck
child=
watch=
caught=-
began=$(date +%s)

# Tell the service at once; it asks the scheduler in any case.
tell() { printf '%s %s %s\\n' "$token" "$1" "$(date +%s)" >> "$HOME/.crystaldeck/events" 2>/dev/null || true; }

finish() {
    trap '' TERM INT USR1
    [ -z "$watch" ] || kill "$watch" 2>/dev/null
    printf '%s %s %s %s\\n' "$1" "$caught" "$(date +%s)" "$began" > "$state/exit.new" && mv -f "$state/exit.new" "$state/exit"
    tell ended
    exit "$1"
}

# A second start of the same job must not compute; a restart by the scheduler under the same id may.
if ! mkdir "$state/run" 2>/dev/null; then
    if [ "${SLURM_RESTART_COUNT:-0}" -eq 0 ] || [ "$(cat "$state/run/id" 2>/dev/null)" != "${SLURM_JOB_ID:-}" ]; then
        echo "This job was already started once; this start does nothing." >&2
        exit 0
    fi
fi
if [ -n "${SLURM_JOB_ID:-}" ]; then own_id=$SLURM_JOB_ID
else own_id=$$.$(sed 's/.*) //' "/proc/$$/stat" | cut -d' ' -f20); fi
printf '%s\\n' "$own_id" > "$state/run/id"
tell running

# The program is ended in time, so that fort.9, fort.20, fort.98, OPTINFO.DAT, HESSOPT.DAT and FREQINFO.DAT stay.
stop() {
    caught=$1
    if [ -n "$child" ]; then
        kill -TERM "$child" 2>/dev/null
        (sleep 15; kill -KILL "$child") > /dev/null 2>&1 &
    fi
}
trap 'stop USR1' USR1
trap 'stop TERM' TERM
trap 'stop INT' INT

run() {
    deck=$1 output=$2
    shift 2
    cp -- "$deck" INPUT || finish 74
    "$@" < INPUT > "$output" 2>&1 &
    child=$!
    wait "$child"
    status=$?
    # A trap ends `wait` early: go on until the program is really gone.
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
        status=$?
    done
    child=
    [ "$caught" = - ] || finish "$((status ? status : 143))"
    [ "$status" -eq 0 ] || finish "$status"
}
"""
_PREFLIGHT = """\

# The deck with TESTPDIM, in a folder of its own: CRYSTAL says in seconds whether it understands it.
preflight() {
    output=$1
    shift
    trial=$state/preflight
    rm -rf "$trial" && mkdir "$trial" && cp -- "$state/preflight.d12" "$trial/INPUT" || return 0
    for file in fort.34 fort.20 fort.13 OPTINFO.DAT FREQINFO.DAT; do
        [ ! -f "$file" ] || cp --reflink=auto -- "$file" "$trial/$file" || return 0
    done
    (cd "$trial" && exec "$@" < INPUT > output 2>&1) &
    child=$!
    wait "$child"
    while kill -0 "$child" 2>/dev/null; do wait "$child"; done
    child=
    [ "$caught" = - ] || finish 143
    if ! grep -q 'SIZE OF DENSITY MATRIX EVALUATED' "$trial/output" && grep -q 'ERROR \\*\\*\\*\\*' "$trial/output"; then
        mv -f "$trial/output" "$output"
        rm -rf "$trial"
        finish 65
    fi
    rm -rf "$trial"
}
"""


def render_script(plan: ScriptPlan) -> str:
    """The text of `job.sh`."""
    resources = plan.resources
    lines = ["#!/bin/bash -l", *plan.directives, f"token={shlex.quote(plan.token)}", _HEAD]
    lines += [
        f"export OMP_NUM_THREADS={resources.cpus_per_task} OMP_STACKSIZE=256M",
        "ulimit -s unlimited 2>/dev/null || true",
    ]
    if plan.setup.strip():
        lines += [
            "",
            "# Set-up lines of this cluster; they may use unset variables.",
            "set +u",
            plan.setup.strip(),
            "set -u",
        ]
    lines += [
        "",
        "# Without a scheduler nobody else watches the time limit.",
        'if [ -z "${SLURM_JOB_ID:-}" ]; then',
        f"    (trap 'kill $nap' TERM; sleep {resources.walltime_s} & nap=$!; wait $nap && kill -USR1 $$) > /dev/null 2>&1 &",
        "    watch=$!",
        "fi",
        "",
    ]
    tried = next((step for step in plan.steps if step.deck.endswith(".d12")), None) if plan.preflight else None
    if tried is not None:
        words = [*launch_words(plan.launcher, resources), *shlex.split(tried.program)]
        lines += [_PREFLIGHT, f"preflight {shlex.join([tried.output, *words])}"]
    for step in plan.steps:
        words = [*launch_words(plan.launcher, resources), *shlex.split(step.program)]
        lines.append(f"run {shlex.join([step.deck, step.output, *words])}")
    lines += ["finish 0", ""]
    return "\n".join(lines)


def array_script(name: str, directives: Sequence[str], count: int) -> str:
    """The script of a job array: each task takes its line of `list` as its directory, and becomes the job that is there."""
    return "\n".join(
        [
            "#!/bin/bash -l",
            *(line for line in directives if not line.startswith(("#SBATCH --output", "#SBATCH --error"))),
            f"#SBATCH --job-name={name}",
            f"#SBATCH --comment={name}",
            "#SBATCH --output=/dev/null",
            f"#SBATCH --array=0-{count - 1}",
            "# Each task is a job of its own: its line of `list` is its directory, and job.sh there is what it runs.",
            'cd -- "${SLURM_SUBMIT_DIR:-$PWD}" || exit 66',
            'directory=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" list)',
            'cd -- "$directory" || exit 66',
            "export SLURM_SUBMIT_DIR=$PWD",
            "exec /bin/bash -l ./job.sh >> job.log 2>&1",
            "",
        ]
    )


def launch_words(launcher: str, resources: Resources) -> list[str]:
    """The words before the program; a single rank needs no launcher unless one is configured with {ntasks}."""
    if resources.ntasks == 1 and "{ntasks}" not in launcher:
        return []
    return [word.replace("{ntasks}", str(resources.ntasks)) for word in shlex.split(launcher)]
