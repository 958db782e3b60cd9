"""Kinds of events that pages and notebooks receive."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Topic(StrEnum):
    """What an event is about."""

    JOB = "job"
    """A job changed its state; the subject is its id."""
    PROGRESS = "progress"
    """A running job went on: SCF cycle, energy, age of the last look."""
    CLUSTER = "cluster"
    """A cluster's connection or test report changed; the subject is its name."""
    BATCH = "batch"
    """A batch or an action on many jobs went on; the subject is its id."""
    WORKFLOW = "workflow"
    """A run of a workflow went on; the subject is its id."""
    RESYNC = "resync"
    """Events were missed: fetch everything again."""


@dataclass(frozen=True)
class Event:
    """One event with its id in the outbox; ids increase over time."""

    id: int
    topic: Topic
    subject: str = ""
    data: dict[str, Any] = field(default_factory=dict)
