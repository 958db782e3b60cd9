"""States, names, resources, permissions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.names import check_job_name, remote_name, suggest_name
from app.domain.people.permissions import RULES, Actor, Role, Scope, can, require
from app.domain.resources import Resources, format_walltime, parse_walltime, read_resources
from app.domain.states import TERMINAL, TRANSITIONS, JobState, Priority, check_transition
from app.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated


def test_every_state_can_be_reached_and_left() -> None:
    reached = {target for targets in TRANSITIONS.values() for target in targets}
    assert reached | {JobState.DRAFT, JobState.QUEUED, JobState.WAITING} == set(JobState)
    assert {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.SKIPPED} == TERMINAL


def test_a_forbidden_transition_is_a_conflict() -> None:
    check_transition("x", JobState.QUEUED, JobState.STAGING)
    for target in JobState:
        with pytest.raises(Conflict):
            check_transition("x", JobState.COMPLETED, target)
    with pytest.raises(Conflict):
        check_transition("x", JobState.SUBMITTED, JobState.QUEUED)


def test_priorities_are_served_in_order() -> None:
    assert [p.rank for p in (Priority.URGENT, Priority.NORMAL, Priority.BACKGROUND)] == [0, 2, 4]


@given(st.text())
def test_suggested_names_can_always_be_used(text: str) -> None:
    assert check_job_name(suggest_name(text))


@pytest.mark.parametrize("name", ["", "-x", ".x", "a b", "a/b", "a;b", "ä", "x" * 61, "$(x)", "a\n"])
def test_names_that_a_shell_could_read_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_job_name(name)
    assert caught.value.fields[0].field == "name"
    assert remote_name("a", "b") == "a-b"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 1800), ("10:00", 600), ("02:00:00", 7200), ("1-12:00:00", 129600)]
)
def test_walltimes(text: str, seconds: int) -> None:
    assert parse_walltime(text) == seconds
    assert parse_walltime(format_walltime(seconds)) == seconds


def test_resources() -> None:
    read = read_resources(
        {"ntasks": "4", "cpus_per_task": 2, "walltime": "01:00:00", "memory_mb": "", "partition": " main "}
    )
    assert (read.cores, read.walltime, read.partition) == (8, "01:00:00", "main")
    with pytest.raises(InvalidInput) as caught:
        read_resources({"ntasks": -1, "walltime": "x", "qos": "a b", "unknown": 1})
    assert {error.field for error in caught.value.fields} == {
        "resources.ntasks", "resources.walltime", "resources.qos", "resources.unknown"
    }  # fmt: skip
    assert Resources().walltime_s == 3600


def actor(role: Role, *scopes: Scope) -> Actor:
    return Actor(1, "a", role, frozenset(scopes or Scope))


def test_permissions() -> None:
    for action in RULES:
        assert not can(None, action)
        assert can(actor(Role.ADMIN), action)
    assert can(actor(Role.MEMBER), "job.change", 1) and not can(actor(Role.MEMBER), "job.change", 2)
    assert can(actor(Role.MAINTAINER), "job.change", 2)
    with pytest.raises(NotAuthenticated):
        require(None, "job.read")
    with pytest.raises(NotAllowed, match="lacks the scope jobs:write"):
        require(actor(Role.ADMIN, Scope.JOBS_READ), "job.create")
    with pytest.raises(NotAllowed, match="belongs to somebody else"):
        require(actor(Role.MEMBER), "job.change", 2)
    with pytest.raises(NotAllowed) as caught:
        require(actor(Role.VIEWER), "job.create")
    assert "needs the role member" in caught.value.hint
