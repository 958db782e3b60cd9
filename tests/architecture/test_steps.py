"""Shell steps run on other people's machines: plain POSIX sh, without the mistakes that a checker knows."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import refuse_or_skip

STEPS = Path(__file__).resolve().parents[2] / "app" / "runners" / "steps"


@pytest.mark.parametrize("path", sorted(STEPS.glob("*.sh")), ids=lambda path: path.stem)
def test_shellcheck_finds_nothing(path: Path) -> None:
    if (shellcheck := shutil.which("shellcheck")) is None:
        refuse_or_skip("shellcheck is not installed (apt-get install shellcheck)")
    found = subprocess.run([str(shellcheck), "-s", "sh", str(path)], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
