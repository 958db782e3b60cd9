"""Bands and densities of states as worker processes see them: files are read, pictures drawn and numbers written out there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from app.crystal.constants import HARTREE_EV
from app.crystal.files import is_fort25
from app.crystal.properties.bands import BandError, Bands, filled_bands, read_bands
from app.crystal.properties.crgra import read_stretches
from app.crystal.properties.dos import Dos, DosError, projection_names, read_dos
from app.crystal.properties.fort25 import latest_bands, latest_dos
from app.crystal.properties.paths import name_nodes
from app.domain.drawing.bands import WINDOW, BandChart, BandSet, DosLine, electronic_chart, overlaid_chart
from app.domain.drawing.charts import Chart, line_chart
from app.domain.drawing.tabular import as_csv
from app.library.kept import open_regular

_PLACEHOLDER = 1.0
MOST_POINTS = 400
"""Points of one line where several jobs are drawn."""


@dataclass(frozen=True)
class Filling:
    """What the outputs of a job tell of its electrons, by which bands are filled: see `filled_bands`."""

    electrons: int | None = None
    unpaired: float | None = None
    first_band: int | None = None
    conducting: bool | None = None
    """On the k-point mesh of the calculation."""

    def of(self, bands: Bands) -> list[int]:
        """Bands that are filled, by spin."""
        return filled_bands(self.electrons, self.unpaired, self.first_band, len(bands.energies))


@dataclass(frozen=True)
class Electronic:
    """What a job left of its electrons; `dos_job` names the job that the density of states is of, where it is another one."""

    job_id: str
    name: str = ""
    bands: Bands | None = None
    nodes: list[tuple[float, str]] = field(default_factory=list)
    dos: Dos | None = None
    names: list[str] = field(default_factory=list)
    """Of the projections; the last is the total."""
    dos_job: str = ""
    problems: list[str] = field(default_factory=list)
    electrons: Filling = field(default_factory=Filling)

    @property
    def words(self) -> str:
        """The picture in a sentence."""
        parts = [_band_words(self.bands, self.electrons)] if self.bands is not None else []
        if self.dos is not None:
            parts.append(
                f"density of states with {', '.join(self.names)}"
                + (", two spins" if len(self.dos.densities) == 2 else "")
            )
        return "; ".join(parts)

    def chart(self, window: tuple[float, float] | None = None) -> BandChart | None:
        """Both on one axis, in eV."""
        bands = self.bands
        shift = 0.0
        if bands is not None and self.dos is not None and bands.fermi is not None and self.dos.fermi is not None:
            # Each file counts from its own Fermi energy; the bands' one is the zero of the picture.
            shift = self.dos.fermi - bands.fermi
        lines = _dos_lines(self.dos, self.names, shift) if self.dos is not None else []
        if bands is None:
            return electronic_chart([], [], [], dos=lines, window=window)
        return electronic_chart(
            bands.distances.tolist(), (bands.energies * HARTREE_EV).tolist(), self.nodes, dos=lines, window=window
        )

    @property
    def path(self) -> list[str]:
        """Names of the nodes of the bands' path."""
        return [name for _, name in self.nodes]

    def band_set(self) -> BandSet:
        """The bands in eV, for a picture of several jobs. There must be some."""
        assert self.bands is not None
        return BandSet(self.bands.distances.tolist(), (self.bands.energies * HARTREE_EV).tolist(), self.nodes)

    def as_dict(self) -> dict[str, Any]:
        """Both as numbers, hartree from the Fermi energy."""
        document: dict[str, Any] = {"job": self.job_id, "dos_job": self.dos_job or None, "bands": None, "dos": None}
        if self.bands is not None:
            document["bands"] = {
                "fermi_energy": self.bands.fermi,
                "nodes": [{"at": at, "name": name} for at, name in self.nodes],
                "distances": self.bands.distances.tolist(),
                "energies": self.bands.energies.tolist(),
            }
        if self.dos is not None:
            document["dos"] = {
                "fermi_energy": self.dos.fermi,
                "names": self.names,
                "energies": self.dos.energies.tolist(),
                "densities": self.dos.densities.tolist(),
            }
        return document

    def band_columns(self) -> dict[str, Sequence[Any]]:
        """Bands by column: distance along the path (1/bohr), then one energy (eV from the Fermi energy) for each band."""
        if self.bands is None:
            return {}
        columns: dict[str, Sequence[Any]] = {"distance_1_bohr": self.bands.distances.tolist()}
        for spin, bands in enumerate(self.bands.energies):
            mark = ("_alpha", "_beta")[spin] if len(self.bands.energies) == 2 else ""
            columns |= {f"band_{place + 1}{mark}_ev": (band * HARTREE_EV).tolist() for place, band in enumerate(bands)}
        return columns

    def dos_columns(self) -> dict[str, Sequence[Any]]:
        """Densities by column: energy (eV from the Fermi energy), then states/(eV·cell) for each projection."""
        if self.dos is None:
            return {}
        columns: dict[str, Sequence[Any]] = {"energy_ev": (self.dos.energies * HARTREE_EV).tolist()}
        for spin, projections in enumerate(self.dos.densities):
            mark = (" alpha", " beta")[spin] if len(self.dos.densities) == 2 else ""
            columns |= {
                f"{name}{mark}": (density / HARTREE_EV).tolist()
                for name, density in zip(self.names, projections, strict=True)
            }
        return columns


@dataclass(frozen=True)
class Source:
    """Where to look for what a job left: its files, its deck of properties, the elements of its atoms by number."""

    job_id: str
    name: str
    deck: str = ""
    band_file: Path | None = None
    dos_file: Path | None = None
    fort25: Path | None = None
    symbols: Mapping[int, str] = field(default_factory=dict)
    electrons: Filling = field(default_factory=Filling)


def read(source: Source) -> Electronic:
    """What the files hold; what cannot be read, and what they hold beside it, is among the problems."""
    problems: list[str] = []
    bands = _bands(source.band_file, problems) if source.band_file is not None else None
    dos = _dos(source.dos_file, problems) if source.dos_file is not None else None
    if dos is not None and dos.fermi is None:
        # CRYSTAL14 and older write energies on the absolute scale: without the Fermi energy they would stand anywhere.
        fermi = _sure(bands.fermi) if bands is not None else None
        dos = dos.from_fermi(fermi if fermi is not None else _sure(_fermi(source.fort25)))
        if dos.fermi is None:
            name = source.dos_file.name if source.dos_file else ""
            problems.append(f"{name}: its energies are absolute, and no file gives the Fermi energy")
            dos = None
    for file, what in ((source.band_file, bands), (source.dos_file, dos)):
        if file is not None and what is not None and what.fermi is not None and _sure(what.fermi) is None:
            problems.append(
                f"{file.name}: its energies count from a placeholder of ±1 hartree, not from the Fermi energy"
            )
    return Electronic(
        source.job_id,
        source.name,
        bands,
        name_nodes(bands, source.deck, _bands_beside(source)) if bands is not None else [],
        dos,
        _names(dos, projection_names(source.deck, source.symbols)) if dos is not None else [],
        problems=problems,
        electrons=source.electrons,
    )


def _bands(file: Path, problems: list[str]) -> Bands | None:
    try:
        if not is_fort25(file.name):
            return read_bands(_text(file))
        latest = latest_bands(read_stretches(_text(file)))
    except (ValueError, OSError) as error:
        # A fort.25 may well hold densities alone.
        if not (is_fort25(file.name) and isinstance(error, BandError) and error.absent):
            problems.append(f"{file.name}: {error}")
        return None
    if latest.note:
        problems.append(f"{file.name}: {latest.note}")
    return latest.value


def _dos(file: Path, problems: list[str]) -> Dos | None:
    try:
        if not is_fort25(file.name):
            return read_dos(_text(file))
        latest = latest_dos(read_stretches(_text(file)))
    except (ValueError, OSError) as error:
        if not (is_fort25(file.name) and isinstance(error, DosError) and error.absent):
            problems.append(f"{file.name}: {error}")
        return None
    if latest.note:
        problems.append(f"{file.name}: {latest.note}")
    return latest.value


def _bands_beside(source: Source) -> Bands | None:
    """The bands of the fort.25 beside a BAND.DAT: it tells the points of the path also where that does not."""
    if source.fort25 is None or source.fort25 == source.band_file:
        return None
    try:
        return latest_bands(read_stretches(_text(source.fort25))).value
    except (ValueError, OSError):
        return None


def draw_chart(electronic: Electronic, window: tuple[float, float] | None = None) -> BandChart | None:
    """The picture of what was read."""
    return electronic.chart(window)


def as_json(electronic: Electronic) -> bytes:
    """All numbers as a JSON document."""
    return json.dumps(electronic.as_dict(), ensure_ascii=False).encode()


def as_table(electronic: Electronic, kind: Literal["bands", "dos"]) -> str:
    """All numbers as CSV."""
    return as_csv(electronic.band_columns() if kind == "bands" else electronic.dos_columns())


def _sure(fermi: float | None) -> float | None:
    """A Fermi energy in hartree; None for what the program writes where it knows none."""
    return None if fermi is not None and abs(fermi) == _PLACEHOLDER else fermi


def _fermi(fort25: Path | None) -> float | None:
    """The Fermi energy that a fort.25 tells, where there is one."""
    if fort25 is None:
        return None
    try:
        stretches = read_stretches(_text(fort25))
    except (ValueError, OSError):
        return None
    blocks = [block for stretch in stretches for block in stretch.blocks if block.subject == "electrons"]
    # Of several runs, which may be of different calculations, the last counts as everywhere.
    return blocks[-1].fermi if blocks else None


def _text(path: Path) -> str:
    with open_regular(path) as file:
        return file.read().decode("utf-8", "replace")


def _names(dos: Dos, wanted: Sequence[str]) -> list[str]:
    count = dos.densities.shape[1]
    if count == len(wanted) + 1:
        return [*wanted, "total"]
    return [*(f"projection {place}" for place in range(1, count)), "total"]


def _dos_lines(dos: Dos, names: Sequence[str], shift: float) -> list[DosLine]:
    energies = ((dos.energies + shift) * HARTREE_EV).tolist()
    return [
        DosLine(name, spin, energies, (density / HARTREE_EV).tolist())
        for spin, projections in enumerate(dos.densities)
        for name, density in zip(names, projections, strict=True)
    ]


def _band_words(bands: Bands, filling: Filling) -> str:
    """Gap or none, along the path; the mesh of the calculation may know of band edges elsewhere."""
    filled = filling.of(bands)
    summary = bands.summary(filled)
    if summary.valence_top is not None and summary.conduction_bottom is not None:
        gap = f"gap along the path {(summary.conduction_bottom - summary.valence_top) * HARTREE_EV:.3f} eV"
        if filling.conducting:
            gap += ", yet on the k-point mesh of the calculation the state is conducting"
    elif summary.filled and 0 < summary.filled[0] < summary.count:
        gap = "filled and empty bands touch or overlap along the path"
    else:
        gap = "the bands cross the Fermi energy" if summary.count > 1 and not summary.filled else ""
    spins = ", two spins" if summary.spins == 2 else ""
    return f"{summary.count} bands{spins} at {summary.points} points; {gap}".rstrip("; ")


# -- of several jobs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Overlaid:
    """Pictures of several jobs over each other, with the ids of the jobs that are in them."""

    bands: BandChart | None
    along: list[str]
    elsewhere: list[str]
    """Names of jobs that are left out, since their bands run along other points."""
    densities: Chart | None
    with_densities: list[str]


def overlay(sources: Sequence[Source]) -> Overlaid:
    """Bands along the path of the first job that has any, and total densities of states."""
    spectra = [read(source) for source in sources]
    with_bands = [spectrum for spectrum in spectra if spectrum.bands is not None and len(spectrum.nodes) > 1]
    # Points that nobody names may be any.
    alike = [spectrum.path == with_bands[0].path and all(spectrum.path) for spectrum in with_bands]
    same = [spectrum for spectrum, along in zip(with_bands, alike, strict=True) if along]
    chart = overlaid_chart([spectrum.band_set() for spectrum in same]) if len(same) > 1 else None
    dense = [spectrum for spectrum in spectra if spectrum.dos is not None]
    lines = [(spectrum.name, _density(spectrum)) for spectrum in dense]
    return Overlaid(
        chart,
        [spectrum.job_id for spectrum in same],
        [spectrum.name for spectrum, along in zip(with_bands, alike, strict=True) if not along],
        line_chart(lines, "E − E_F / eV", "DOS / (states/eV/cell)") if len(lines) > 1 else None,
        [spectrum.job_id for spectrum in dense],
    )


def _density(electronic: Electronic) -> list[tuple[float, float, str]]:
    """Total density of states of both spins around the Fermi energy."""
    assert electronic.dos is not None
    total = electronic.dos.densities[:, -1, :].sum(axis=0) / HARTREE_EV
    energies = electronic.dos.energies * HARTREE_EV
    known = [(float(e), float(d)) for e, d in zip(energies, total, strict=True) if WINDOW[0] <= e <= WINDOW[1]]
    stride = max(1, len(known) // MOST_POINTS)
    return [(e, d, f"{e:.2f} eV: {d:.3f}") for e, d in known[::stride]]
