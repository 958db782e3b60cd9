"""What is drawn of a job's files: from which run it is, and nothing whose zero is not known."""

from __future__ import annotations

from pathlib import Path

from app.library.spectral import Source, overlay, read
from tests.support.corpus import CORPUS
from tests.support.corpus.figures import block


def test_several_runs_are_told(tmp_path: Path) -> None:
    text = (CORPUS / "mgo-fort25" / "fort.25").read_text()
    file = tmp_path / "fort.25"
    file.write_text(text + text)
    found = read(Source("1", "mgo", band_file=file, dos_file=file))
    assert found.problems == [
        "fort.25: it holds the bands of 2 runs, of which the last is shown",
        "fort.25: it holds the densities of states of 2 runs, of which the last is shown",
    ]
    assert found.bands is not None and found.dos is not None
    assert (found.bands.energies.shape[0], found.dos.densities.shape[0]) == (1, 1)


def test_phonons_are_not_drawn_as_electrons(tmp_path: Path) -> None:
    file = tmp_path / "fort.25"
    file.write_text(block(1, "BAND", 2, 2, 0.1, 0.0, (0.0, 900.0), (0, 0, 0, 1, 0, 0), [0.0, 210.0, 40.0, 250.0]))
    found = read(Source("1", "mgo", band_file=file, dos_file=file))
    assert (found.bands, found.dos) == (None, None)
    assert found.problems == ["fort.25: it holds the bands of phonons, not of electrons"]


def test_the_fermi_energy_of_absolute_densities_is_that_of_electrons(tmp_path: Path) -> None:
    """CRYSTAL14's DOSS.DAT does not tell it; a fort.25 of phonons does not either."""
    file = tmp_path / "fort.25"
    file.write_text(block(1, "BAND", 2, 2, 0.1, 0.0, (0.0, 900.0), (0, 0, 0, 1, 0, 0), [0.0, 210.0, 40.0, 250.0]))
    densities = CORPUS / "nacl-crystal14" / "main.DOSS"
    found = read(Source("1", "nacl", dos_file=densities, fort25=file))
    assert found.dos is None
    assert "its energies are absolute" in found.problems[0]
    assert read(Source("1", "nacl", dos_file=densities, fort25=CORPUS / "nacl-crystal14" / "main.f25")).dos is not None


def test_a_placeholder_is_no_fermi_energy(tmp_path: Path) -> None:
    """Absolute densities are not drawn from it, and bands that count from it say so."""
    file = tmp_path / "fort.25"
    file.write_text(block(0, "BAND", 2, 2, 0.1, -1.0, (0.0, 9.0), (0, 0, 0, 1, 0, 0), [-1.5, -0.5, -1.4, -0.4]))
    densities = CORPUS / "nacl-crystal14" / "main.DOSS"
    found = read(Source("1", "nacl", dos_file=densities, fort25=file))
    assert found.dos is None and "its energies are absolute" in found.problems[0]
    beside = read(Source("1", "nacl", band_file=file))
    assert beside.bands is not None and "placeholder" in beside.problems[0]


def test_paths_without_names_are_not_laid_over_each_other() -> None:
    """Two paths of as many points that nobody names may be different ones."""
    source = Source("1", "nacl", band_file=CORPUS / "nacl-crystal14" / "main.BAND")
    assert overlay([source, source]).bands is None
    named = Source("1", "mgo", band_file=CORPUS / "mgo-bands" / "main.BAND")
    assert overlay([named, named]).bands is not None
