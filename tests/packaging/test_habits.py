"""What a contributor is asked to do works: hooks before a commit, and what a release says of itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import app
from tests.conftest import refuse_or_skip
from tests.packaging.conftest import ROOT, quiet_environment


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org", "-c", "core.hooksPath=.git/hooks")
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**quiet_environment(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"},
    )  # fmt: skip


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the project's hooks and rules, and the tools of this environment as its `.venv`."""
    if shutil.which("git") is None:
        refuse_or_skip("git is not installed")
    folder = tmp_path / "repository"
    (folder / "app").mkdir(parents=True)
    for name in (".pre-commit-config.yaml", "pyproject.toml", ".gitignore"):
        (folder / name).write_text((ROOT / name).read_text())
    (folder / ".venv").symlink_to(Path(sys.prefix))
    (folder / ".git").mkdir()
    assert git(folder, "init", "--quiet").returncode == 0
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    command = [sys.executable, "-m", "pre_commit", "install"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    assert {path.name for path in (folder / ".git" / "hooks").glob("pre-*[!e]")} >= {"pre-commit", "pre-push"}
    assert git(folder, "add", "pyproject.toml", ".pre-commit-config.yaml", ".gitignore").returncode == 0
    first = git(folder, "commit", "-m", "first")
    assert first.returncode == 0, first.stdout + first.stderr
    return folder


@pytest.mark.parametrize(
    ("text", "hook"),
    [("import os\n", "ruff check"), ("x = {'a':1}\n", "ruff format")],
)
def test_a_commit_is_checked_before_it_is_made(repository: Path, text: str, hook: str) -> None:
    (repository / "app" / "new.py").write_text(text)
    git(repository, "add", "app/new.py")
    refused = git(repository, "commit", "-m", "second")
    assert refused.returncode != 0
    assert re.search(rf"{hook}\.+Failed", refused.stdout + refused.stderr)
    (repository / "app" / "new.py").write_text('"""Nothing."""\n')
    git(repository, "add", "app/new.py")
    assert git(repository, "commit", "-m", "second").returncode == 0


def test_the_changelog_and_the_version_agree() -> None:
    """The newest release that the changelog describes is the one that the code calls itself."""
    released = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if released:
        assert released[0] == app.__version__, "app/__init__.py holds the version; see CONTRIBUTING, Releases"
    assert len(set(released)) == len(released)


def test_the_version_stands_nowhere_else() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]
