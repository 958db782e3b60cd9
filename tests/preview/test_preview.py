"""The preview engine: real numbers near CRYSTAL's, refusals by name, and no pretence of being CRYSTAL."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.crystal.outputs.reader import read_output
from app.library.templates import TemplateLibrary
from app.preview.cli import run
from app.preview.deck import read_deck
from app.preview.refusal import Refusal
from app.preview.wavefunction import load
from tests.support.corpus import CORPUS
from tests.support.service import lih, mgo

pytest.importorskip("pyscf")
pytestmark = pytest.mark.preview
LIBRARY = TemplateLibrary()


def deck(template: str = "scf", **parameters: object) -> dict[str, str]:
    return LIBRARY.render(template, dict(parameters)).decks


@pytest.mark.filterwarnings("ignore")
def test_lithium_hydride_from_scf_to_bands_and_dos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("crystal", deck(**lih())["scf.d12"], tmp_path) == 0
    text = capsys.readouterr().out
    assert "THIS IS NOT CRYSTAL" in text[:800]
    found = read_output(text.encode())
    assert (found.verdict, found.preview, found.program) == ("completed", True, "CrystalDeck preview engine")
    # PySCF's own energy on this net; CRYSTAL's on an 8×8×8 net lies within some mHa.
    assert found.energy_total == pytest.approx(-7.92200, abs=1e-4)
    assert found.geometry is not None and found.geometry.conventional_cell == [4.084, 4.084, 4.084, 90.0, 90.0, 90.0]
    assert found.gap_kind == "direct" and found.gap_ev == pytest.approx(10.96, abs=0.02)
    assert load(tmp_path / "fort.9").energy == pytest.approx(found.energy_total, abs=1e-9)
    # The output that is stored of it is still what the engine computes.
    assert (CORPUS / "preview-lih/scf.d12").read_text() == deck(**lih())["scf.d12"]
    stored = read_output((CORPUS / "preview-lih/scf.out").read_bytes())
    assert (stored.energy_total, stored.gap_ev) == pytest.approx((found.energy_total, found.gap_ev), abs=1e-4)

    bands = deck("bands", **lih(points=12))["bands.d3"]
    assert run("properties", bands, tmp_path) == 0
    assert read_output(capsys.readouterr().out.encode()).verdict == "completed"
    rows = [line for line in (tmp_path / "BAND.DAT").read_text().splitlines() if line[0] not in "#@"]
    at_gamma = [float(word) for word in rows[0].split()]
    assert len(at_gamma) == 1 + 6
    # Γ is on the SCF's own net: the bands must meet its energies, referred to the top of the valence bands.
    wave = load(tmp_path / "fort.9")
    assert at_gamma[2] == pytest.approx(wave.mo_energy[0][1] - wave.efermi, abs=2e-5)

    dos = deck("dos", **lih(newk=2, newk_gilat=2))["dos.d3"]
    assert run("properties", dos, tmp_path) == 0
    capsys.readouterr()
    table = [
        [float(x) for x in line.split()]
        for line in (tmp_path / "DOSS.DAT").read_text().splitlines()
        if line[0] not in "#@"
    ]
    assert len(table) == 400
    step = table[1][0] - table[0][0]
    # All bands hold 2 electrons each; projections sum to the total.
    assert sum(row[-1] for row in table) * step == pytest.approx(12, rel=0.01)
    assert all(abs(row[1] + row[2] - row[3]) < 1e-3 * max(1, row[3]) for row in table)


def test_magnesium_oxide_is_near_crystal_s_published_energy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("crystal", deck(**mgo(toldee=6))["scf.d12"], tmp_path) == 0
    found = read_output(capsys.readouterr().out.encode())
    assert found.energy_total == pytest.approx(-271.2181, abs=0.01)


@pytest.mark.parametrize(
    ("template", "parameters", "keyword"),
    [
        ("optimization", {"toldee": 7, "relax": "CVOLOPT"}, "OPTGEOM CVOLOPT"), ("phonon", {"toldee": 10}, "FREQCALC"),
        ("scf", {"spin": True}, "UHF"), ("scf", {"smear": 0.001}, "SMEAR"),
        ("scf", {"method": "DFT", "functional": "HSE06"}, "DFT HSE06"), ("scf", {"basis_set": "POB-DZVP-REV2"}, "POB-DZVP-REV2"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_it_names(
    template: str, parameters: dict[str, object], keyword: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decks = deck(template, **(mgo() | parameters))
    assert run("crystal", decks[f"{template}.d12"], tmp_path) == 1
    found = read_output(capsys.readouterr().out.encode())
    assert found.verdict == "failed"
    assert any("ERROR ****" in error and keyword in error for error in found.errors)
    assert not (tmp_path / "fort.9").exists()


def test_properties_without_a_wave_function(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bands = deck("bands", **lih())["bands.d3"]
    assert run("properties", bands, tmp_path) == 1
    assert read_output(capsys.readouterr().out.encode()).diagnosis_code == "wavefunction-missing"
    (tmp_path / "fort.9").write_bytes(b"CRYSTAL's own")
    assert run("properties", bands, tmp_path) == 1
    assert "NOT A WAVE FUNCTION OF THE PREVIEW" in capsys.readouterr().out


def test_reading_decks() -> None:
    explicit = deck(**(mgo(basis_kind="explicit", basis_text=(
        "12 2\n0 0 2 2. 1.\n299.2 0.1543\n54.5 0.5353\n0 1 1 8. 1.\n0.6 1.0 1.0\n8 2\n0 0 1 2. 1.\n1.1 1.0\n"
        "0 1 1 8. 1.\n0.5 1.0 1.0"
    )) | {"basis_set": ""}))["scf.d12"]  # fmt: skip
    read = read_deck(explicit)
    assert isinstance(read.basis, dict)
    assert read.basis["Mg"] == [[0, [299.2, 0.1543], [54.5, 0.5353]], [0, [0.6, 1.0]], [1, [0.6, 1.0]]]
    dft = read_deck(deck(**mgo(method="DFT", functional="PBE0"))["scf.d12"])
    assert (dft.functional, dft.shrink, dft.toldee) == ("pbe0", 2, 8)
    for text in ("", "t\nSLAB\n", "t\nCRYSTAL\n1 0 0\n", "t\nCRYSTAL\n0 0 0\n225\n4.21\n1\n212 0 0 0\n",
                 explicit.replace("ENDSCF\n", ""), explicit.replace("SHRINK\n2 2\n", "")):  # fmt: skip
        with pytest.raises(Refusal):
            read_deck(text)
