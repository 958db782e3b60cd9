"""What can be used is documented; what is vendored is what it was; what runs remotely is plain sh."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app import errors
from app.crystal.outputs.results import shape_of_results
from app.domain.templates.fields import FieldSpec
from app.main import create_app
from app.settings import ClusterSettings, LimitSettings, Settings

ROOT = Path(__file__).resolve().parents[2]


def doc(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def test_every_setting_is_documented() -> None:
    text = doc("user/configuration.md")
    for name in (*Settings.model_fields, *LimitSettings.model_fields, *ClusterSettings.model_fields):
        assert f"`{name}`" in text, name


def test_settings_mean_what_their_table_says() -> None:
    """The descriptions are shown by the command line and on pages too."""
    text = doc("user/configuration.md").replace("`", "")
    for model in (Settings, LimitSettings, ClusterSettings):
        for name, field in model.model_fields.items():
            if name not in ("limits", "clusters"):
                assert f"| {field.description} |" in text, name


def test_every_route_is_documented(tmp_path: Path) -> None:
    text = doc("user/api.md")
    paths = create_app(Settings(data=tmp_path)).openapi()["paths"]
    for path, methods in paths.items():
        for method in methods:
            assert f"{method.upper()} {path}" in text, (method, path)


def test_every_error_code_is_documented() -> None:
    text = doc("user/errors.md")
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CrystalDeckError)
    ]
    for kind in kinds:
        assert f"| `{kind.code}` | {kind.status} |" in text, kind
    assert len({kind.code for kind in kinds}) == len(kinds)


def test_every_field_key_is_documented() -> None:
    text = doc("developer/template-format.md")
    for name in FieldSpec.model_fields:
        assert f"`{name}`" in text, name


def test_vendored_files_are_unchanged_and_have_licences() -> None:
    folder = ROOT / "static" / "vendor"
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert {path.stem for path in (folder / "LICENSES").iterdir()} == {"htmx", "lucide", "3Dmol", "uPlot"}


def test_links_between_documents_lead_somewhere() -> None:
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
            assert (file.parent / target).exists(), (file.name, target)


@pytest.mark.parametrize("path", sorted((ROOT / "app").rglob("steps/**/*.sh")), ids=lambda path: path.stem)
def test_steps_are_posix_sh(path: Path) -> None:
    shell = shutil.which("dash") or "/bin/sh"
    assert subprocess.run([shell, "-n", path], capture_output=True).returncode == 0


def test_pages_keep_the_content_security_policy() -> None:
    for path in (ROOT / "html_templates").rglob("*.html"):
        text = path.read_text()
        for forbidden in ("hx-on", 'style="', "<script>", "onclick=", "|safe", "| safe", "js:"):
            assert forbidden not in text, (path.name, forbidden)


def test_every_field_of_the_results_is_documented() -> None:
    text = doc("developer/results.md")
    for name in shape_of_results():
        assert f"`{name}`" in text, name
