"""What the outputs of an ended job say: results, bands beside them, and why a program failed, from its own words and the logs.

Reads files of any size in pieces and knows nothing of states: how a job ended, `finishing` concludes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from app.crystal.files import BAND_FILE, ERROR_FILE, JOB_LOG
from app.crystal.outputs.diagnosis import diagnose
from app.crystal.outputs.facts.electrons import BandSummary
from app.crystal.outputs.reader import OutputReader
from app.crystal.outputs.results import Results
from app.crystal.properties.bands import BandError, filled_bands, read_bands
from app.db.tables import Job
from app.domain.verdict import ProgramWord
from app.library.kept import is_inside, open_regular
from app.services.jobs.faults import blame

_READ = 1 << 20
"""Bytes of an output read in one go."""
_LOG_BYTES, _LOG_LINES = 1 << 16, 200
"""How much of the end of a log is looked at."""
log = logging.getLogger(__name__)


def read_outputs(job: Job, folder: Path) -> dict[str, Results]:
    """Results by output; one that is not in the folder is absent, one that cannot be read says so as its diagnosis.

    Args:
        folder: where the fetched files of the job are kept.
    """
    read = {}
    for output in job.outputs:
        path = folder / output
        if is_inside(folder, output):
            try:
                read[output] = read_file(path)
            except Exception as error:
                # Its files are here all the same, and the job must not stay `finishing` for it.
                reason = blame(log, f"reading {output} of job {job.id}", error)
                read[output] = Results(verdict="incomplete", diagnosis=f"The output cannot be read. {reason}")
                continue
            if read[output].verdict != "completed" and not read[output].diagnosis_code:
                _explain(read[output], path)
            if output.endswith(".outp"):
                read[output].bands = bands_beside(path, read[output])
    return read


def _explain(results: Results, output: Path) -> None:
    """What the output itself does not tell, the logs may: of the launcher, the scheduler and the file system."""
    logs = (output.with_name(ERROR_FILE), output.with_name(JOB_LOG), output)
    signature = diagnose([line for path in logs for line in _last_lines(path)])
    if signature is not None:
        results.diagnosis_code, results.remedy = signature.code, signature.remedy
        results.diagnosis = f"{results.diagnosis or ''} {signature.meaning}".strip()


def read_file(path: Path) -> Results:
    """Read an output of any size in pieces.

    Raises:
        OSError: it is not there, or no regular file.
    """
    reader = OutputReader()
    with open_regular(path) as file:
        while data := file.read(_READ):
            reader.feed(data)
    return reader.results()


def bands_beside(output: Path, results: Results) -> BandSummary | None:
    """What the BAND.DAT beside an output holds, where there is one that can be read; the output tells what electrons fill."""
    path = output.with_name(BAND_FILE)
    try:
        with open_regular(path) as file:
            bands = read_bands(file.read().decode("utf-8", "replace"))
    except (BandError, OSError):
        return None
    contents, numbers = results.contents, results.band_numbers
    if contents is None or numbers is None:
        return bands.summary()
    return bands.summary(filled_bands(contents.electrons, contents.unpaired, numbers[0], len(bands.energies)))


def program_word(outputs: Sequence[str], read: dict[str, Results], directory_gone: bool) -> ProgramWord:
    """One verdict from all outputs of a job: completed only if every program completed."""
    if directory_gone:
        return ProgramWord("incomplete", "The job's directory on the cluster is gone.")
    for output in outputs:
        if output not in read:
            return ProgramWord("incomplete", f"The output {output} is missing.")
        if read[output].verdict != "completed":
            return ProgramWord(read[output].verdict, f"{output}: {read[output].diagnosis}")
    return ProgramWord("completed")


def _last_lines(path: Path) -> list[str]:
    """The last lines of a text; none where it is not there."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []
