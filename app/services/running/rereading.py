"""After an update: results that an older release read are read again from the files, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from app.crystal.outputs.results import SCHEMA_VERSION
from app.db.repositories import jobs
from app.services.context import Context
from app.services.jobs.faults import blame, mark_jobs
from app.services.running.reading import bands_beside, read_file

MOST = 20
"""Outputs in one go."""
log = logging.getLogger(__name__)


async def reread(context: Context) -> int:
    """Read the next old results anew; answers how many there were. What cannot be read keeps its old values."""
    async with context.database.read() as session:
        old = [(row.job_id, row.output, row.results) for row in await jobs.older_results(session, SCHEMA_VERSION, MOST)]
    fresh: dict[tuple[str, str], dict[str, Any]] = {}
    broken: dict[str, str] = {}
    for job_id, output, before in old:
        path = context.job_folder(job_id) / "files" / output
        try:
            results_read = await asyncio.to_thread(read_file, path)
            if output.endswith(".outp"):
                results_read.bands = await asyncio.to_thread(bands_beside, path, results_read)
            results = results_read.as_dict()
            # How the job ended was decided with all witnesses; a new reading explains it, and does not decide it anew.
            fresh[job_id, output] = results | {
                key: before.get(key) for key in ("verdict", "diagnosis", "diagnosis_code", "remedy")
            }
        except Exception as error:
            # It keeps its old values: whatever is wrong with one output must not keep the others from being read.
            if not isinstance(error, OSError):
                blame(log, f"reading {output} of job {job_id} again", error)
                broken[job_id] = (
                    f"{output} cannot be read again by this release; its values are those of an earlier one."
                )
            fresh[job_id, output] = {**(before or {}), "schema_version": SCHEMA_VERSION}
    if fresh:
        async with context.database.write() as session:
            for key, row in (await jobs.results_of(session, {job_id for job_id, _ in fresh})).items():
                if key in fresh and row.results.get("schema_version", 0) < SCHEMA_VERSION:
                    row.results = fresh[key]
                    session.add(row)
        log.info("%d results were read again", len(fresh))
        await mark_jobs(context, broken)
    return len(fresh)
