"""What one look at an account's jobs told, and what of it is written: raw words, progress, and where each job goes.

Three witnesses speak of a job, its queue, its accounting and its own exit marker; `domain.verdict` weighs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.db.sessions import WriteSession
from app.db.tables import Job, RemoteJob, now
from app.domain.states import JobState
from app.domain.verdict import Marker, Phase, SchedulerWord, assess, restarted
from app.events.model import Topic
from app.events.outbox import announce
from app.runners.base import Glimpse
from app.services.transitions.jobs import Move

STATE_WORDS = {
    JobState.SUBMITTED: "Waiting in the queue of the batch system.",
    JobState.RUNNING: "The calculation is running.",
    JobState.FINISHING: "The job has ended; its files are being fetched.",
}
ALIVE = (Phase.PENDING, Phase.RUNNING)
"""What the queue says of a job that waits or computes."""


@dataclass
class Sight:
    """What one round learnt about an account's jobs, by job id."""

    queue: dict[str, SchedulerWord]
    accounting: dict[str, SchedulerWord]
    glimpses: dict[str, Glimpse]
    complaints: Mapping[str, str] = field(default_factory=dict)
    """Why a job could not be cancelled, of those that could not."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Why a job is given up, of those that nobody knows any more."""

    def marker(self, job_id: str) -> Marker | None:
        """The exit marker of a job, where it has left one."""
        glimpse = self.glimpses.get(job_id)
        return glimpse.marker if glimpse else None


def is_news(job: Job, remote: RemoteJob, sight: Sight, progress: dict[str, object] | None) -> bool:
    """False for a job that the queue lists in the same words as before, and whose output has not grown."""
    queue = sight.queue.get(job.id)
    return (
        queue is None
        or queue.phase not in ALIVE
        or (queue.raw, queue.reason) != (remote.queue_state, remote.queue_reason)
        or _moment(queue) != remote.expected_start
        or sight.marker(job.id) is not None
        or job.state == JobState.FINISHING
        or (progress is not None and progress != job.progress)
        or job.attention != sight.complaints.get(job.id, "")
    )


def is_unknown(job_id: str, sight: Sight) -> bool:
    """Whether no witness knows where a job is. An accounting that calls it running is none: the queue would list it."""
    accounting = sight.accounting.get(job_id)
    return (
        job_id not in sight.queue
        and (accounting is None or accounting.phase is not Phase.ENDED)
        and sight.marker(job_id) is None
    )


def write_witnesses(
    session: WriteSession, job: Job, remote: RemoteJob, sight: Sight, progress: dict[str, object] | None
) -> tuple[bool, Move | None]:
    """Write what the witnesses say of one job. Returns whether anything changed, and where the job goes (None: it stays)."""
    queue, accounting, marker = sight.queue.get(job.id), sight.accounting.get(job.id), sight.marker(job.id)
    _keep_raw_words(remote, queue, accounting, marker)
    advanced = progress is not None and progress != job.progress
    if advanced and progress is not None:
        job.progress = progress
        announce(session, Topic.PROGRESS, job.id, **progress)
    if job.state == JobState.FINISHING:
        again = restarted(queue, marker)
        if again is None or again.state is None:
            return advanced, None
        remote.marker = ""
        return True, Move(job, again.state, again.reason)
    standing = assess(queue, accounting, marker)
    words = standing.reason or (STATE_WORDS[standing.state] if standing.state else job.reason)
    stays = standing.state == job.state
    attention = standing.attention or sight.complaints.get(job.id, "")
    told = attention != job.attention or (stays and words != job.reason)
    if told:
        job.attention = attention
        job.reason = words if stays else job.reason
        announce(session, Topic.JOB, job.id, state=job.state)
    if standing.state is None and (lost := sight.lost.get(job.id)):
        return True, Move(job, JobState.FINISHING, lost)
    if standing.state is None or stays:
        return advanced or told, None
    started = job.started_at or (now() if standing.state is JobState.RUNNING else None)
    return True, Move(job, standing.state, words, {"started_at": started})


def _keep_raw_words(
    remote: RemoteJob, queue: SchedulerWord | None, accounting: SchedulerWord | None, marker: Marker | None
) -> None:
    """What each witness said stays beside the state that was concluded from it."""
    remote.queue_state, remote.queue_reason = (queue.raw, queue.reason) if queue else ("", "")
    remote.expected_start = _moment(queue)
    if accounting and accounting.usage is not None:
        usage = accounting.usage
        remote.wall_s, remote.cpu_s = usage.wall_s, usage.cpu_s
        # The accounting of a job's last step may come late: what was known once stays.
        remote.memory_mb = max(remote.memory_mb, usage.memory_mb)
    if accounting:
        remote.accounting_state = accounting.raw
        remote.exit_code, remote.signal = accounting.exit_code, accounting.signal
    word = queue or accounting
    remote.nodes = (word.nodes if word else "") or remote.nodes
    remote.marker = f"{marker.status} {marker.signal or '-'}" if marker else remote.marker
    if queue or (accounting and accounting.phase is Phase.ENDED):
        # An accounting goes on to say "running" of jobs whose end it never learnt.
        remote.last_seen = now()


def _moment(word: SchedulerWord | None) -> datetime | None:
    return datetime.fromtimestamp(word.expected_start, UTC) if word and word.expected_start else None
