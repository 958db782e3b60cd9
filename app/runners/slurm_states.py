"""SLURM's words as data: job states, and reasons of waiting in plain words. Source: squeue(1), sacct(1), SLURM 22.05."""

from __future__ import annotations

from app.domain.verdict import Ending, Phase

_P, _E = Phase, Ending

STATES: dict[str, tuple[Phase, Ending | None]] = {
    "PENDING": (_P.PENDING, None),
    "CONFIGURING": (_P.PENDING, None),
    "REQUEUED": (_P.PENDING, None),
    "REQUEUE_FED": (_P.PENDING, None),
    "REQUEUE_HOLD": (_P.PENDING, None),
    "SPECIAL_EXIT": (_P.PENDING, None),
    "RESV_DEL_HOLD": (_P.PENDING, None),
    "RUNNING": (_P.RUNNING, None),
    "COMPLETING": (_P.RUNNING, None),
    "SUSPENDED": (_P.RUNNING, None),
    "STOPPED": (_P.RUNNING, None),
    "SIGNALING": (_P.RUNNING, None),
    "STAGE_OUT": (_P.RUNNING, None),
    "RESIZING": (_P.RUNNING, None),
    "COMPLETED": (_P.ENDED, _E.NORMAL),
    "FAILED": (_P.ENDED, _E.ERROR),
    "CANCELLED": (_P.ENDED, _E.CANCELLED),
    "REVOKED": (_P.ENDED, _E.CANCELLED),
    "TIMEOUT": (_P.ENDED, _E.TIMEOUT),
    "DEADLINE": (_P.ENDED, _E.TIMEOUT),
    "OUT_OF_MEMORY": (_P.ENDED, _E.MEMORY),
    "NODE_FAIL": (_P.ENDED, _E.NODE),
    "BOOT_FAIL": (_P.ENDED, _E.NODE),
    "LAUNCH_FAILED": (_P.ENDED, _E.NODE),
    "PREEMPTED": (_P.ENDED, _E.PREEMPTED),
}

STATE_WORDS: dict[str, str] = {
    "CONFIGURING": "Nodes are allotted and being made ready.",
    "REQUEUED": "Put back into the queue.",
    "REQUEUE_HOLD": "Put back into the queue and held.",
    "COMPLETING": "Ending: the nodes are being cleaned.",
    "SUSPENDED": "Suspended by the scheduler.",
    "STOPPED": "Stopped by a signal.",
}

REASONS: dict[str, str] = {
    "None": "",
    "Priority": "Waiting: other jobs have a higher priority.",
    "Resources": "Waiting for free nodes.",
    "Dependency": "Waiting for another job.",
    "DependencyNeverSatisfied": "The job that it waits for failed; it will never start.",
    "JobHeldUser": "Held by its owner.",
    "JobHeldAdmin": "Held by an administrator.",
    "BeginTime": "Its start time has not come.",
    "PartitionTimeLimit": "The time limit asked for is longer than the partition allows.",
    "PartitionNodeLimit": "More nodes are asked for than the partition allows.",
    "PartitionDown": "The partition is down.",
    "PartitionInactive": "The partition is inactive.",
    "ReqNodeNotAvail": "A node that it needs is not available, or is reserved for maintenance.",
    "Reservation": "Waiting for its reservation.",
    "Licenses": "Waiting for a licence.",
    "NodeDown": "A node that it needs is down.",
    "BadConstraints": "No node has what it asks for.",
    "AssocGrpCpuLimit": "The group's limit of cores is reached.",
    "AssocGrpJobsLimit": "The group's limit of running jobs is reached.",
    "AssocMaxJobsLimit": "The account's limit of running jobs is reached.",
    "QOSMaxJobsPerUserLimit": "The limit of running jobs per user is reached.",
    "QOSMaxCpuPerUserLimit": "The limit of cores per user is reached.",
    "QOSGrpCpuLimit": "The limit of cores of this quality of service is reached.",
    "QOSMaxWallDurationPerJobLimit": "The time limit asked for is longer than the quality of service allows.",
    "InvalidAccount": "The account is not valid.",
    "InvalidQOS": "The quality of service is not valid.",
    "Prolog": "The node is being prepared.",
    "Cleaning": "Put back into the queue; its nodes are being cleaned.",
    "launch failed requeued held": "The start failed; held by the scheduler.",
    "NonZeroExitCode": "The job script ended with an error status.",
    "TimeLimit": "The time limit was reached.",
    "OutOfMemory": "The job ran out of memory.",
}


PATIENCE = ("rl_", "rate limit", "backoff", "back off", "backing off", "timed out")
"""What a scheduler with too many requests says; submit.sh has the same list."""


def asks_for_patience(words: str) -> bool:
    """Is this refusal a wish for fewer requests?"""
    return any(sign in words.lower() for sign in PATIENCE)


def base_state(raw: str) -> str:
    """`CANCELLED by 1001` and `CANCELLED+` are CANCELLED."""
    return raw.split(" ")[0].rstrip("+").upper()


def reason_words(raw: str) -> str:
    """A sentence for a scheduler's reason; an unknown one is passed on as it is."""
    raw = raw.strip().strip("()")
    for key, words in REASONS.items():
        if raw == key or (key not in ("None",) and raw.split(",")[0].strip() == key):
            return words
    return f"Scheduler: {raw}." if raw else ""
