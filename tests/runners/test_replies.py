"""The words of schedulers: one table decides here and, as a function of the shell, on the cluster."""

from __future__ import annotations

import subprocess

import pytest

from app.runners import registry
from app.runners.batch_systems import TIME_OUTS, Meaning, Reply, weigh
from app.runners.slurm import SlurmRunner
from app.settings import RUNNER_TYPES

LATER, UNCERTAIN, REFUSED, UNKNOWN = Meaning.LATER, Meaning.UNCERTAIN, Meaning.REFUSED, Meaning.UNKNOWN
FAILED = "sbatch: error: Batch job submission failed: "
POLICY = FAILED + "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
SAID = {
    "sbatch: error: slurm_persist: rl_enable: RPC rate limit exceeded, backing off": LATER,
    "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation": UNCERTAIN,
    "slurm_load_jobs error: Socket timed out on send/recv operation": UNCERTAIN,
    "sbatch: error: RPC rate limit exceeded; Socket timed out on send/recv operation": UNCERTAIN,
    "slurm_load_jobs error: Unable to contact slurm controller (connect failure)": UNCERTAIN,
    "sbatch: error: Batch job submission failed: Connection refused": UNCERTAIN,
    "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying": LATER,
    "sbatch: error: QOSMaxSubmitJobPerUserLimit": LATER,
    "sbatch: error: AssocMaxSubmitJobLimit": LATER,
    "sbatch: error: Batch job submission failed: Communication failure": UNCERTAIN,
    "sbatch: error: RPC communication throttled, back-off": LATER,
    "sbatch: error: invalid partition specified: nowhere": REFUSED,
    "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified": REFUSED,
    FAILED + "Zero Bytes were transmitted or received": UNCERTAIN,
    FAILED + "Transport endpoint is not connected": UNCERTAIN,
    FAILED + "Unexpected message received": UNCERTAIN,
    f"sbatch: error: AssocGrpSubmitJobsLimit {POLICY}": LATER,
    POLICY: LATER,
    f"sbatch: error: QOSMaxWallDurationPerJobLimit {POLICY}": REFUSED,
    f"sbatch: error: QOSMaxCpuPerJobLimit {POLICY}": REFUSED,
    "sbatch: error: Munge encode failed: Failed to access socket; Protocol authentication error": LATER,
    FAILED + "Slurm backup controller in standby mode": LATER,
    FAILED + "I/O error writing script/environment to file": LATER,
    "sbatch: error: Invalid user for SlurmUser slurm, ignored; fatal: Unable to process configuration file": LATER,
    FAILED + "Required partition not available (inactive or drain)": LATER,
    FAILED + "Requested node configuration is not available": REFUSED,
    "sbatch: error: the abbot of this cluster does not like your script": UNKNOWN,
    FAILED + "Unspecified error": UNKNOWN,
    "$(touch hacked) `id` ' \" * ?": UNKNOWN,
    "": UNKNOWN,
}


@pytest.mark.parametrize(("words", "meaning"), SAID.items())
def test_what_slurm_says_means(words: str, meaning: Meaning) -> None:
    assert SlurmRunner.meaning_of(words) is meaning


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_shell_decides_as_python_does(shell: str) -> None:
    """Each sentence, and each sign of each batch system in both cases and among other words."""
    for runner in {registry.runner_class(name) for name in RUNNER_TYPES}:
        signs = [reply.sign for reply in runner.replies]
        sentences = [*SAID, *(f"error: {sign} (x)" for sign in signs), *(sign.upper() for sign in signs)]
        sentences += [f"{one} and {other}" for one in signs for other in signs]
        script = weigh(runner.replies) + 'for words; do weigh "$words"; printf "%s\\n" "$verdict"; done\n'
        done = subprocess.run([shell, "-c", script, "sh", *sentences], capture_output=True, text=True, check=True)
        told = dict(zip(sentences, done.stdout.split(), strict=True))
        assert told == {sentence: str(runner.meaning_of(sentence)) for sentence in sentences}, runner.kind


def test_signs_are_no_patterns_of_the_shell() -> None:
    replies = (Reply("a*b ?'[x]$(id)", LATER),)
    script = weigh(replies) + 'weigh "$1"; printf %s "$verdict"'
    for words, meaning in {"a*b ?'[x]$(id)": "later", "axb y'x$(id)": "unknown"}.items():
        done = subprocess.run(["sh", "-c", script, "sh", words], capture_output=True, text=True, check=True)
        assert done.stdout == meaning, words


def test_who_wants_fewer_requests() -> None:
    limiting = {words for words in SAID if SlurmRunner.limits_rate(words)}
    assert limiting == {words for words in SAID if "rl_" in words or "imed out" in words or "back-off" in words}
    assert all(not reply.sign[0].isspace() and reply.sign == reply.sign.lower() for reply in TIME_OUTS)
