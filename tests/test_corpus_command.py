"""`crystaldeck corpus`: an archive read file by file, within limits, and a table of what disagrees."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.domain.drawing.columns import aligned
from tests.support.corpus import CORPUS
from tests.support.corpus.figures import block


def corpus(folder: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["corpus", str(folder), *options])
    return result.exit_code, result.output


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    for place in ("a", "b/c"):
        (folder / place).mkdir(parents=True)
    shutil.copy(CORPUS / "mgo-scf" / "main.out", folder / "a" / "scf.out")
    shutil.copy(CORPUS / "mgo-scf" / "fort.34", folder / "a" / "fort.34")
    shutil.copy(CORPUS / "decks" / "bands.d3", folder / "b" / "c" / "INPUT")
    shutil.copy(CORPUS / "mgo-bands" / "main.BAND", folder / "b" / "c" / "mgo.BAND")
    (folder / "b" / "notes.txt").write_text("nothing that is examined")
    return folder


def test_a_sound_archive(archive: Path) -> None:
    code, text = corpus(archive)
    assert code == 0, text
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["a/fort.34", "a/scf.out", "b/c/INPUT", "b/c/mgo.BAND"]
    assert "completed" in lines[2]
    assert "completed" in lines[2] and lines[4].split()[1] == "bands"
    assert lines[-1] == "4 files: 0 disagree, 0 not examined."


def test_what_disagrees_and_unknown_keywords(archive: Path) -> None:
    (archive / "a" / "b.cif").write_text(
        "data_x\n_chemical_formula_sum 'Mg2 O'\n_cell_length_a 4.2\n_cell_length_b 4.2\n_cell_length_c 4.2\n"
        "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'F m -3 m'\n"
        "_symmetry_Int_Tables_number 225\nloop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n"
        "_atom_site_fract_y\n_atom_site_fract_z\nMg1 Mg 0 0 0\nO1 O 0.5 0.5 0.5\n"
    )
    deck = (CORPUS / "decks" / "bands.d3").read_text()
    (archive / "b" / "odd.d3").write_text(f"ZYXWVUTS\n{deck}")
    code, text = corpus(archive, "--json")
    found: dict[str, dict[str, Any]] = {entry["path"]: entry for entry in json.loads(text)}
    assert found["b/odd.d3"]["unknown"] == ["ZYXWVUTS"]
    assert found["a/scf.out"]["disagrees"] == []
    cif = found["a/b.cif"]
    # Either it is read, and the formula disagrees, or refused for that very reason.
    assert [one["quantity"] for one in cif["disagrees"]] == ["formula"] or cif["verdict"].startswith("refused")
    assert code == (1 if cif["disagrees"] else 0)


def test_links_and_pipes_are_not_opened(archive: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(CORPUS / "mgo-scf" / "main.out", elsewhere / "secret.out")
    (archive / "link.out").symlink_to(elsewhere / "secret.out")
    (archive / "folder").symlink_to(elsewhere)
    (archive / "round").symlink_to(archive)
    os.mkfifo(archive / "pipe.out")
    code, text = corpus(archive)
    assert code == 0
    assert "4 files" in text and "secret" not in text and "link" not in text and "pipe" not in text


def test_what_cannot_be_examined_is_told(archive: Path) -> None:
    (archive / "a" / "z.f25").write_text("-%-0BAND" + " " * 50)
    unreadable = archive / "a" / "scf.out"
    unreadable.unlink()
    # As large as no file is: its holes cost nothing, and reading it takes longer than it may.
    with unreadable.open("wb") as file:
        file.truncate(1 << 40)
    code, text = corpus(archive, "--seconds", "1")
    assert code == 2, text
    assert "took longer than 1 s" in text
    assert "4 files" not in text and "1 not examined" in text


def test_what_is_no_folder(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["corpus", str(tmp_path / "nowhere")])
    assert result.exit_code != 0
    assert "is not a folder" in str(result.exception)


def test_a_table_does_not_obey_names_of_files() -> None:
    table = aligned(("file", "verdict"), [("a\x1b[2Jb\nc", "x" * 200), ("d", "ok")])
    assert "\x1b" not in table and table.count("\n") == 2
    assert max(map(len, table.splitlines())) < 80


def test_parse_tells_what_a_data_file_holds(tmp_path: Path) -> None:
    def parse(path: Path) -> dict[str, Any]:
        result = CliRunner().invoke(app, ["parse", str(path), "--json"])
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.output)
        return found

    both = parse(CORPUS / "mgo-fort25" / "fort.25")
    assert (both["bands"]["spins"], both["bands"]["count"], both["dos"]["projections"], both["notes"]) == (1, 14, 3, [])
    twice = tmp_path / "fort.25"
    twice.write_text((CORPUS / "mgo-fort25" / "fort.25").read_text() * 2)
    found = parse(twice)
    assert (found["bands"]["spins"], len(found["notes"])) == (1, 2)
    twice.write_text(block(1, "BAND", 2, 2, 0.1, 0.0, (0.0, 900.0), (0, 0, 0, 1, 0, 0), [0.0, 210.0, 40.0, 250.0]))
    phonons = parse(twice)
    assert "bands" not in phonons
    assert (phonons["phonon_bands"]["unit"], phonons["phonon_bands"]["highest"]) == ("cm-1", 250.0)
    assert len(parse(CORPUS / "mgo-analyses" / "fort.25")["maps"]) == 2
    assert parse(CORPUS / "mgo-analyses" / "SIGMA.DAT")["transport"]["unit"] == "1/Ohm/m"
    assert parse(CORPUS / "mgo-spin" / "main.BAND")["bands"]["spins"] == 2
    assert parse(CORPUS / "mgo-dos" / "main.DOSS")["dos"]["fermi_energy"] == -0.152
    twice.write_text("-%-0BAND")
    result = CliRunner().invoke(app, ["parse", str(twice)])
    assert "cannot be read" in str(result.exception)
