"""What ended jobs took of the machine: a scheduler's accounting knows it some seconds after their end."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from app.db.repositories import clusters, jobs
from app.db.tables import now
from app.domain.people.credentials import CredentialKey
from app.domain.verdict import Phase
from app.errors import CrystalDeckError
from app.runners.base import Handle
from app.services.clusters.access import runner_for, runner_kind
from app.services.clusters.remote_accounts import Account, account_of_job, cluster_settings
from app.services.context import Context
from app.services.jobs.faults import Faults
from app.services.running.progress import LiveOutputs

ASKED = timedelta(minutes=15)
"""How long after a job's end the accounting is asked what it took."""
log = logging.getLogger(__name__)


class UsageReader:
    """Asks the accounting about jobs that ended lately. One instance per process; only the leader's runs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._outputs = LiveOutputs(context)
        self._faults = Faults(log)

    async def read(self) -> bool:
        """One question to each account that has such jobs; what it answers is kept with them. Were there any?"""
        groups = await self._jobs_by_account()
        await asyncio.gather(*(self._keep(account, handles) for account, handles in groups))
        return bool(groups)

    async def _jobs_by_account(self) -> list[tuple[Account, list[Handle]]]:
        async with self._context.database.read() as session:
            rows = await jobs.without_usage(session, now() - ASKED)
            active = {cluster.id: cluster for cluster in await clusters.all_active(session)} if rows else {}
        groups: dict[CredentialKey, tuple[Account, list[Handle]]] = {}
        for job, remote in rows:
            cluster = active.get(job.cluster_id)
            if cluster is None or self._faults.waits(job.id):
                continue
            try:
                if not runner_kind(cluster_settings(cluster)).has_accounting:
                    continue
                account = await account_of_job(self._context, cluster, job.owner_id, remote)
                handle = self._outputs.handle(job, remote)
            except CrystalDeckError:
                continue
            except Exception as error:
                self._faults.blame(job.id, f"asking what job {job.id} took", error)
                continue
            groups.setdefault(account.key, (account, []))[1].append(handle)
        return list(groups.values())

    async def _keep(self, account: Account, handles: list[Handle]) -> None:
        try:
            words = await (await runner_for(self._context, account)).accounting(handles)
        except CrystalDeckError as error:
            log.info("no accounting from %s: %s", account.cluster, error.message)
            return
        except Exception as error:
            self._faults.blame(account.key, f"the accounting of {account.cluster}", error)
            return
        usages = {
            handle.job_id: word.usage
            for handle in handles
            if (word := words.get(handle.job_id)) and word.phase is Phase.ENDED and word.usage and word.usage.wall_s
        }
        if usages:
            async with self._context.database.write() as session:
                await jobs.keep_usage(session, usages)
