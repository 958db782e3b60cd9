"""Whose turn it is: which queued jobs of a cluster leave now, by pace, limits and accounts, and why the others wait.

Decides and explains; what it decides is sent by `submission`. What a round goes by is read once, in one session, and passed on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from app.db.repositories import clusters, credentials, jobs, queue
from app.db.repositories.credentials import Submitter
from app.db.tables import Cluster, Credential, Job, now
from app.domain.people.credentials import CredentialKey
from app.domain.queueing import Limits, Pace, allowance, choose
from app.domain.states import JobState
from app.domain.verdict import Phase
from app.errors import Conflict, CrystalDeckError
from app.runners.base import BaseRunner
from app.services.clusters.access import (
    concerns_everybody,
    lasting,
    most_jobs,
    note_attention,
    note_problem,
    note_unwatched,
)
from app.services.clusters.remote_accounts import Account, cluster_settings, credential_ids, next_account, submitted_as
from app.services.context import Context
from app.services.jobs.faults import Faults
from app.settings import ClusterSettings

BATCH = 200
"""Most jobs submitted in one round trip."""
ELSEWHERE = 15.0
"""Seconds after which jobs submitted outside CrystalDeck are counted again."""
SETTLE_AGAIN = 1.0
"""Seconds after which a cluster is asked again about a submission that it could not confirm."""
AWAY = 5.0
"""Seconds for which jobs of an account that cannot be reached are passed over."""
MAX_QUEUE = 20_000
"""Most waiting jobs that are read when users share a cluster."""


@dataclass(frozen=True)
class Round:
    """What one round of submission to one cluster goes by, as it stood at the beginning of the round."""

    cluster: Cluster
    paused: bool
    """By somebody, this cluster or all of them: nothing new leaves, what was interrupted is settled all the same."""
    interrupted: Sequence[Submitter]
    """How the jobs in `staging` were submitted."""
    credentials: Mapping[int, Credential]
    """The keys of those, by id."""
    waiting: Mapping[int, Credential | None]
    """Users with queued jobs, each with the key of their own for this cluster; empty while paused."""
    occupying: Mapping[int, int]
    """Jobs that count against the cluster's limits, by user."""

    @property
    def cluster_id(self) -> int:
        """The id of the cluster's row."""
        return self.cluster.id

    @cached_property
    def settings(self) -> ClusterSettings:
        """
        Raises:
            ClusterBroken: the stored settings cannot be used.
        """
        return cluster_settings(self.cluster)


async def read_round(context: Context, cluster_id: int) -> Round:
    """Everything that a round goes by, in one session and a number of statements that does not grow with users or jobs."""
    async with context.database.read() as session:
        cluster = await clusters.by_id(session, cluster_id)
        assert cluster is not None
        paused = bool(await queue.pause_of_all(session) or cluster.paused)
        interrupted = await credentials.submitters(session, [JobState.STAGING], cluster_id)
        used = credential_ids(interrupted)
        keys = await credentials.by_ids(session, used) if used else {}
        owners = [] if paused else await jobs.owners_in_states(session, cluster_id, [JobState.QUEUED])
        own_keys = await credentials.current_by_user(session, cluster_id, owners) if owners else {}
        occupying = await queue.count_occupying_by_owner(session, cluster_id) if owners else {}
    waiting = {owner_id: own_keys.get(owner_id) for owner_id in owners}
    return Round(cluster, paused, interrupted, keys, waiting, occupying)


class Turns:
    """Which jobs may leave, and what this process has learnt about the accounts that they would leave by."""

    def __init__(self, context: Context, faults: Faults) -> None:
        self._context = context
        self._faults = faults
        self._begun: dict[int, list[float]] = {}
        """When submissions began lately, by cluster with a pace: seconds since 1970, ascending."""
        self._busy: set[CredentialKey] = set()
        self._passed_over: set[CredentialKey] = set()
        """Accounts that had something to do while an errand of theirs was under way."""
        self._away: dict[CredentialKey, float] = {}
        """Accounts that could not be reached, and until when they are passed over."""
        self._troubled: set[CredentialKey] = set()
        """Accounts whose waiting jobs say what stands in their way."""
        self._settled: dict[CredentialKey, float] = {}
        """When an account was last asked about interrupted submissions."""
        self._elsewhere: dict[CredentialKey, tuple[float, int]] = {}
        """Jobs of an account submitted outside CrystalDeck: when they were counted, and how many."""

    # -- accounts ------------------------------------------------------------------------------------------------

    def take(self, account: Account) -> None:
        """An errand of this account begins: its jobs are neither settled nor chosen until it ends."""
        self._busy.add(account.key)

    def release(self, account: Account) -> bool:
        """Its errand has ended. True where it had something to do meanwhile, so that another round is due at once."""
        self._busy.discard(account.key)
        missed = account.key in self._passed_over
        self._passed_over.discard(account.key)
        return missed

    def settling(self, account: Account) -> None:
        """It is being asked about interrupted submissions now."""
        self._settled[account.key] = time.monotonic()

    async def interrupted(self, current: Round) -> list[Account]:
        """Accounts with jobs left in `staging` by a crash or a broken connection, as they were when those began."""
        accounts: dict[CredentialKey, Account] = {}
        for way in current.interrupted:
            try:
                account = submitted_as(current.cluster, way, current.credentials)
            except Conflict as error:
                await note_unwatched(self._context, way, error.sentence)
                continue
            moment = time.monotonic()
            due = self._settled.get(account.key, -SETTLE_AGAIN) + SETTLE_AGAIN <= moment
            limited = self._context.budget(account.key).allowance(moment) == 0
            if due and not limited and account.key not in self._busy and not self._faults.waits(account.key):
                accounts[account.key] = account
        return list(accounts.values())

    async def candidates(self, current: Round) -> dict[int, Account]:
        """Usable accounts, by user, of all who have queued jobs; the jobs of the others say why they wait."""
        settings = current.settings
        accounts: dict[int, Account] = {}
        for owner_id, credential in current.waiting.items():
            try:
                account = next_account(current.cluster, settings, credential)
            except CrystalDeckError as error:
                await self.explain_wait(current.cluster_id, owner_id, error.sentence)
                continue
            if not self._faults.waits(account.key) and not self._is_busy(account):
                accounts[owner_id] = account
        return accounts

    def _is_busy(self, account: Account) -> bool:
        if account.key in self._busy:
            self._passed_over.add(account.key)
            return True
        return self._away.get(account.key, 0.0) >= time.monotonic()

    def is_ready(self, account: Account) -> bool:
        """Connected, and counted where a limit needs it: nothing of a choice has to wait for a network."""
        if not account.is_local and not self._context.pool.is_open(account.key):
            return False
        moment, _ = self._elsewhere.get(account.key, (-ELSEWHERE, 0))
        return not counts_elsewhere(account.settings) or time.monotonic() - moment < ELSEWHERE

    async def count_elsewhere(self, account: Account, runner: BaseRunner) -> None:
        """Jobs submitted outside CrystalDeck count too where somebody set a limit. One remote command."""
        listed = await runner.listed()
        active = {key for key, word in listed.items() if word.phase in (Phase.PENDING, Phase.RUNNING, Phase.ENDING)}
        async with self._context.database.read() as session:
            ours = await queue.own_scheduler_ids(session, account.cluster_id, active)
        self._elsewhere[account.key] = (time.monotonic(), len(active) - len(ours))

    # -- choosing ------------------------------------------------------------------------------------------------

    async def room(self, current: Round) -> int:
        """How many jobs may leave now by the cluster's pace."""
        pace = pace_of(current.settings)
        if not pace.limited:
            return BATCH
        kept_s = max(60.0, pace.delay)
        if current.cluster_id not in self._begun:
            # After a restart the database knows what left before it.
            async with self._context.database.read() as session:
                moments = await queue.submissions_since(session, current.cluster_id, now() - timedelta(seconds=kept_s))
            self._begun[current.cluster_id] = [moment.timestamp() for moment in moments]
        moment = time.time()
        lately = [earlier for earlier in self._begun[current.cluster_id] if moment - earlier < kept_s]
        self._begun[current.cluster_id] = lately
        allowed = allowance(pace, lately, moment)
        return BATCH if allowed is None else min(BATCH, allowed)

    def spend(self, current: Round, count: int) -> None:
        """So many submissions begin now."""
        if pace_of(current.settings).limited:
            self._begun.setdefault(current.cluster_id, []).extend([time.time()] * count)

    async def next_jobs(self, current: Round, accounts: Mapping[int, Account], room: int) -> list[Job]:
        """The queued jobs whose turn it is, in their order.

        Args:
            accounts: by user; jobs of nobody else are considered.
            room: how many may leave.
        """
        moment = time.monotonic()
        allowed = {
            owner: room if (own := self._context.budget(account.key).allowance(moment)) is None else own
            for owner, account in accounts.items()
        }
        owners = [owner for owner in accounts if allowed[owner] > 0]
        if not owners:
            return []
        room = min(room, max(allowed[owner] for owner in owners))
        limits = limits_of(current.settings)
        occupying = dict(current.occupying)
        for owner, count in self._counted_elsewhere(current.settings, accounts).items():
            occupying[owner] = occupying.get(owner, 0) + count
        if sum(occupying.values()) >= limits.jobs:
            return []
        # Where users are told apart the whole queue counts, else its head is enough.
        depth = MAX_QUEUE if limits.per_user or limits.fair else room
        async with self._context.database.read() as session:
            waiting = await queue.waiting(session, current.cluster_id, owners, now(), depth)
            chosen = [job.id for job in choose(waiting, occupying, limits, room).chosen]
            rows = await jobs.get_all(session, chosen) if chosen else {}
        return [rows[job_id] for job_id in chosen if job_id in rows]

    def _counted_elsewhere(self, settings: ClusterSettings, accounts: Mapping[int, Account]) -> dict[int, int]:
        """Jobs submitted outside CrystalDeck, by user; those of a shared account count once."""
        if not counts_elsewhere(settings):
            return {}
        owners = {account.key: owner for owner, account in reversed(list(accounts.items()))}
        return {owner: self._elsewhere[key][1] for key, owner in owners.items() if key in self._elsewhere}

    # -- why a job waits -----------------------------------------------------------------------------------------

    async def unreachable(self, account: Account, error: CrystalDeckError) -> None:
        """Pass its jobs over for a while, so that they do not keep the place of those behind; they say why."""
        self._away[account.key] = time.monotonic() + AWAY
        await self.tell_waiting(account, error)

    async def reached(self, account: Account) -> None:
        """Nothing stands in the way of this account any more."""
        if account.key in self._troubled and account.key.user_id is not None:
            self._troubled.discard(account.key)
            await self.explain_wait(account.cluster_id, account.key.user_id, "")

    async def tell_waiting(self, account: Account, error: CrystalDeckError) -> None:
        """Show what stands in the way where it concerns somebody: on the cluster, or on the queued jobs of one user."""
        if account.key.user_id is None or concerns_everybody(account, error):
            await note_problem(self._context, account.cluster, lasting(error).sentence)
        else:
            self._troubled.add(account.key)
            await self.explain_wait(account.cluster_id, account.key.user_id, lasting(error).sentence)

    async def explain_wait(self, cluster_id: int, owner_id: int, reason: str) -> None:
        """Let the queued jobs of one user say why they wait (empty: for nothing in particular)."""
        async with self._context.database.read() as session:
            rows = await jobs.in_states(
                session, cluster_id, [JobState.QUEUED], owners=[owner_id], attention_not=reason[:1000]
            )
        await note_attention(self._context, rows, reason)


def pace_of(settings: ClusterSettings) -> Pace:
    """How fast jobs may be submitted to the cluster, by its settings."""
    return Pace(settings.submit_delay, settings.submit_per_minute)


def limits_of(settings: ClusterSettings) -> Limits:
    """What the cluster takes; where its settings say nothing, as many as is usual for its kind."""
    return Limits(most_jobs(settings), settings.max_jobs_per_user, settings.fair_share)


def counts_elsewhere(settings: ClusterSettings) -> bool:
    """Whether jobs submitted outside CrystalDeck count: only where somebody set a limit."""
    return bool(settings.max_jobs or settings.max_jobs_per_user)
