"""Shell that runs on other people's machines lies in files, and a checker finds no mistake that it knows in any of them.

The steps are plain POSIX sh; job scripts are bash. What is put together of parts is checked as it is sent, for every batch system.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.resources import Resources
from app.runners import registry
from app.runners.batch_systems import STEPS, step
from app.runners.slurm_arrays import array_script
from app.settings import RUNNER_TYPES, ClusterSettings
from tests.conftest import refuse_or_skip

APP = Path(__file__).resolve().parents[2] / "app"
PARTS = {
    "submit": "comes after `weigh` and a batch system's submission", "submission": "comes before submit",
    "submit_array": "comes after `weigh` and the submission", "job_head": "a part of the job script",
    "job_preflight": "a part of the job script", "job_watch": "a part of the job script", "array": "a part of an array's script",
}  # fmt: skip
"""Files that are sent only together with others."""
SHELL = re.compile(r"2>/dev/null|2>&1|\$\(|; then\b|\bexec [a-z]|\bcd -- |<<[A-Z]|^trap ", re.MULTILINE)
"""What looks like shell in a string of Python."""


def posix_scripts() -> Iterator[tuple[str, str]]:
    """Every script that a transport runs, whole."""
    for path in sorted(APP.rglob("steps/**/*.sh")):
        if path.stem not in PARTS:
            yield str(path.relative_to(APP)), path.read_text()
    for runner in dict.fromkeys(registry.runner_class(name) for name in RUNNER_TYPES):
        yield f"{runner.kind} submit", runner.submission(step("submit"))
        if STEPS.joinpath(runner.kind, "submit_array.sh").is_file():
            yield f"{runner.kind} submit_array", runner.submission(runner.step("submit_array"))


def job_scripts() -> Iterator[tuple[str, str]]:
    for name in RUNNER_TYPES:
        runner = registry.runner_class(name)
        settings = ClusterSettings(runner_type=name, crystal="Pcrystal", preflight=True, setup="module load crystal")
        yield name, runner.write_script(settings, "name-1", "token", ["scf.d12", "bands.d3"], Resources(ntasks=2))
    yield "array", array_script("volumes-1", ["#SBATCH --time=01:00:00"], 3)


def complaints(script: str, shell: str, *leave_out: str) -> str:
    if (shellcheck := shutil.which("shellcheck")) is None:
        refuse_or_skip("shellcheck is not installed (apt-get install shellcheck)")
    command = [str(shellcheck), "-s", shell, *(f"--exclude={code}" for code in leave_out), "-"]
    return subprocess.run(command, input=script, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("name", "script"), [pytest.param(*pair, id=pair[0]) for pair in posix_scripts()])
def test_shellcheck_finds_nothing_in_a_step(name: str, script: str) -> None:
    assert complaints(script, "sh") == "", name


@pytest.mark.parametrize(("name", "script"), [pytest.param(*pair, id=pair[0]) for pair in job_scripts()])
def test_shellcheck_finds_nothing_in_a_job_script(name: str, script: str) -> None:
    # SC2317: what only a trap calls seems unreachable.
    assert complaints(script, "bash", "SC2317") == "", name


def test_every_part_is_part_of_a_script_that_is_checked() -> None:
    whole = [script for _, script in (*posix_scripts(), *job_scripts())]
    for path in sorted(APP.rglob("steps/**/*.sh")):
        if path.stem in PARTS:
            text = path.read_text().replace("@walltime_s@", str(Resources(ntasks=2).walltime_s)).strip()
            assert any(text in script for script in whole), path


def test_no_module_holds_shell() -> None:
    """Strings of Python are not seen by a checker of shell. A line or two that are put together of values may stay."""
    found = []
    for path in sorted(APP.rglob("*.py")):
        tree = ast.parse(path.read_text())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        for node in strings:
            text = str(node.value)
            looks_so = len(SHELL.findall(text)) > 1 or ("\n" in text and SHELL.search(text))
            if looks_so and id(node) not in docstrings:
                found.append(f"{path.relative_to(APP)}:{node.lineno}: {text.strip()[:60]}")
    assert not found
