"""The order of the queue, and how fast it empties."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from app.domain.queueing import Limits, Pace, allowance, choose


@dataclass(frozen=True)
class Job:
    id: str
    owner_id: int
    priority: int = 2


def queue(*owners: int, priority: int = 2) -> list[Job]:
    return [Job(f"{priority}-{index}-{owner}", owner, priority) for index, owner in enumerate(owners)]


def test_priorities_come_first_then_who_came_first() -> None:
    jobs = [*queue(1, 2, priority=0), *queue(1, 1, 2)]
    assert choose(jobs, {}, Limits(3), 10).chosen == jobs[:3]
    assert choose(jobs, {3: 2}, Limits(3), 10).chosen == jobs[:1]
    assert choose(jobs, {3: 5}, Limits(3), 10).chosen == []


def test_a_user_at_the_own_limit_lets_others_pass() -> None:
    jobs = queue(1, 1, 1, 2)
    choice = choose(jobs, {1: 1}, Limits(10, per_user=2), 10)
    assert [job.owner_id for job in choice.chosen] == [1, 2]
    assert 1 in choice.full and 2 not in choice.full


def test_fair_share_never_breaks_priorities() -> None:
    jobs = [*queue(1, 1, priority=0), *queue(2, 2)]
    assert [job.priority for job in choose(jobs, {}, Limits(3, fair=True), 3).chosen] == [0, 0, 2]


@given(st.lists(st.integers(1, 4), max_size=60), st.integers(0, 20), st.integers(0, 5), st.booleans())
def test_limits_hold(owners: list[int], limit: int, per_user: int, fair: bool) -> None:
    jobs = queue(*owners)
    chosen = choose(jobs, {}, Limits(limit, per_user, fair), 100).chosen
    counts = Counter(job.owner_id for job in chosen)
    assert len(chosen) <= limit and len(set(chosen)) == len(chosen)
    assert not per_user or max(counts.values(), default=0) <= per_user
    # Nobody is overtaken by a later job of the same user.
    for owner in counts:
        own = [job for job in jobs if job.owner_id == owner]
        assert [job for job in chosen if job.owner_id == owner] == own[: counts[owner]]


def test_two_users_share_within_a_job() -> None:
    chosen = choose(queue(*[1] * 100, *[2] * 100), {}, Limits(50, fair=True), 50).chosen
    counts = Counter(job.owner_id for job in chosen)
    assert abs(counts[1] - counts[2]) <= 1


def test_the_pace_is_never_exceeded() -> None:
    assert allowance(Pace(), [], 0) is None
    assert allowance(Pace(delay=2), [], 100.0) == 1
    assert allowance(Pace(delay=2), [99.0], 100.0) == 0
    assert allowance(Pace(delay=2), [98.0], 100.0) == 1
    assert allowance(Pace(per_minute=3), [45.0, 50.0], 100.0) == 1
    assert allowance(Pace(per_minute=3), [1.0, 50.0], 100.0) == 2
    assert allowance(Pace(delay=1, per_minute=1), [50.0], 100.0) == 0
