"""Maps and transport coefficients as worker processes see them: files are read, pictures drawn and numbers written out there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.crystal.constants import HARTREE_EV
from app.crystal.properties.dos import read_dos
from app.crystal.properties.maps import MapError, PlaneMap, read_maps
from app.crystal.properties.transport import Transport, read_transport
from app.domain.drawing.charts import Chart, line_chart
from app.domain.drawing.planes import PlaneChart, plane_chart
from app.domain.drawing.tabular import as_csv
from app.library.kept import open_regular

MAX_FILE = 64 << 20
"""Bytes of one file that are read."""
MOST_ALONG = 120
"""Values of a map along one side that are drawn."""
MOST_LINES = 5
MOST_POINTS = 300


@dataclass(frozen=True)
class Source:
    """Where to look for what a job left: its fort.25, files of transport coefficients, and its deck of properties."""

    fort25: Path | None = None
    transport: tuple[Path, ...] = ()
    deck: str = ""
    populations: tuple[Path, ...] = ()
    """Overlap and Hamilton populations (COOP, COHP)."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read."""
        return self.fort25 is None and not self.transport and not self.populations


@dataclass(frozen=True)
class MapFigure:
    """A map drawn: what it shows, its unit, its range, and contours."""

    name: str
    unit: str
    low: float
    high: float
    chart: PlaneChart


@dataclass(frozen=True)
class TransportFigure:
    """A quantity over the chemical potential for several temperatures, and over the temperature for several potentials."""

    quantity: str
    title: str
    unit: str
    over_potential: Chart | None
    over_temperature: Chart | None


@dataclass(frozen=True)
class PopulationFigure:
    """Overlap or Hamilton populations over the energy; `kind` is `coop` or `cohp`."""

    kind: str
    chart: Chart | None


@dataclass(frozen=True)
class Drawn:
    """All that is drawn of a job's analyses; what cannot be read is among the problems."""

    maps: list[MapFigure] = field(default_factory=list)
    transport: list[TransportFigure] = field(default_factory=list)
    populations: list[PopulationFigure] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def draw_analyses(source: Source) -> Drawn:
    """Read the files and draw them."""
    drawn = Drawn()
    if source.fort25 is not None:
        try:
            for one in read_maps(_text(source.fort25), source.deck):
                drawn.maps.extend(_map_figure(one))
        except MapError as error:
            # A fort.25 may well hold bands alone.
            if "-%-" in str(error) or "MAPN" in _text(source.fort25):
                drawn.problems.append(f"{source.fort25.name}: {error}")
        except OSError as error:
            drawn.problems.append(f"{source.fort25.name}: {error}")
    for path in source.transport:
        try:
            drawn.transport.append(_transport_figure(read_transport(_text(path))))
        except (ValueError, OSError) as error:
            drawn.problems.append(f"{path.name}: {error}")
    for path in source.populations:
        try:
            drawn.populations.append(_population_figure(path))
        except (ValueError, OSError) as error:
            drawn.problems.append(f"{path.name}: {error}")
    return drawn


def maps_as_json(source: Source) -> bytes:
    """All maps with their corners (bohr), steps (bohr) and values, by place along A→B, then along B→C."""
    maps = read_maps(_text(source.fort25), source.deck) if source.fort25 is not None else []
    return json.dumps(
        [
            {
                "name": one.name, "unit": one.unit, "corners_bohr": one.corners.tolist(), "steps_bohr": list(one.steps),
                "values": one.values.tolist(),
            }
            for one in maps
        ],
        ensure_ascii=False,
    ).encode()  # fmt: skip


def map_as_csv(source: Source, number: int) -> str:
    """One map as columns of places (Å along B→C and across it, from B) and values.

    Raises:
        IndexError: there are not so many. MapError: where its values stand is not known.
    """
    maps = read_maps(_text(source.fort25), source.deck) if source.fort25 is not None else []
    if not 1 <= number <= len(maps):
        raise IndexError(number)
    one = maps[number - 1]
    x, y = one.places()
    return as_csv({"x_a": x.ravel().tolist(), "y_a": y.ravel().tolist(), "value": one.values.ravel().tolist()})


def transport_columns(path: Path) -> str:
    """A file of transport coefficients as CSV: a row for each spin, temperature and potential."""
    found = read_transport(_text(path))
    spins, temperatures, potentials = found.carriers.shape
    repeated = np.indices((spins, temperatures, potentials)).reshape(3, -1)
    columns: dict[str, Sequence[object]] = {
        "temperature_k": [found.temperatures[place] for place in repeated[1]],
        "potential_ev": found.potentials[repeated[2]].tolist(),
        "carriers": found.carriers.ravel().tolist(),
    }
    if spins == 2:
        columns["spin"] = [("alpha", "beta")[place] for place in repeated[0]]
    for place, name in enumerate(found.components):
        columns[f"{found.quantity}_{name}"] = found.values[..., place].ravel().tolist()
    return as_csv(columns)


def transport_as_json(path: Path) -> bytes:
    """The same as a document."""
    found = read_transport(_text(path))
    return json.dumps(
        {
            "quantity": found.quantity, "unit": found.unit, "temperatures_k": found.temperatures,
            "potentials_ev": found.potentials.tolist(), "components": list(found.components),
            "carriers": found.carriers.tolist(), "values": found.values.tolist(),
        }
    ).encode()  # fmt: skip


def populations_as_csv(path: Path) -> str:
    """Overlap or Hamilton populations by column: energy in eV, from the Fermi energy where the file tells it; values as written."""
    found = read_dos(_text(path), signed=True)
    energy = "energy_from_fermi_ev" if found.fermi is not None else "energy_ev"
    columns = {f"column_{place}": values.tolist() for place, values in enumerate(found.densities[0], 1)}
    return as_csv({energy: (found.energies * HARTREE_EV).tolist(), **columns})


def populations_as_json(path: Path) -> bytes:
    """The same as a document, energies in hartree."""
    found = read_dos(_text(path), signed=True)
    return json.dumps(
        {"fermi_energy": found.fermi, "energies": found.energies.tolist(), "values": found.densities[0].tolist()}
    ).encode()


def _population_figure(path: Path) -> PopulationFigure:
    found = read_dos(_text(path), signed=True)
    kind = "cohp" if "COHP" in path.name.upper() else "coop"
    stride = -(-len(found.energies) // MOST_POINTS)
    energies = (found.energies * HARTREE_EV)[::stride]
    lines = [
        (f"column {place}", _points(energies, values[::stride])) for place, values in enumerate(found.densities[0], 1)
    ]
    axis = "E − E_F / eV" if found.fermi is not None else "E / eV"
    return PopulationFigure(kind, line_chart(lines[:MOST_LINES], axis, f"{kind.upper()} / as written"))


def _map_figure(one: PlaneMap) -> list[MapFigure]:
    thin = one.thinned(MOST_ALONG)
    x, y = thin.places()
    chart = plane_chart(x.tolist(), y.tolist(), thin.values.tolist())
    return [MapFigure(one.name, one.unit, float(one.values.min()), float(one.values.max()), chart)] if chart else []


def _transport_figure(found: Transport) -> TransportFigure:
    """Means over the directions; of two spins both, by name."""
    spins = [" α", " β"] if len(found.values) == 2 else [""]
    label = f"mean {found.title} / ({found.unit})"
    stride = -(-len(found.potentials) // MOST_POINTS)
    over_potential = [
        (f"{found.temperatures[t]:g} K{name}", _points(found.potentials[::stride], found.mean[spin, t, ::stride]))
        for t in _spread(len(found.temperatures)) for spin, name in enumerate(spins)
    ]  # fmt: skip
    over_temperature = [
        (f"μ = {found.potentials[m]:g} eV{name}", _points(found.temperatures, found.mean[spin, :, m]))
        for m in _spread(len(found.potentials)) for spin, name in enumerate(spins)
    ]  # fmt: skip
    several = len(found.temperatures) > 1
    return TransportFigure(
        found.quantity, found.title, found.unit, line_chart(over_potential, "μ / eV", label),
        line_chart(over_temperature, "T / K", label) if several else None,
    )  # fmt: skip


def _points(xs: Sequence[float] | np.ndarray, ys: np.ndarray) -> list[tuple[float, float, str]]:
    return [(float(x), float(y), f"{x:g}: {y:g}") for x, y in zip(xs, ys, strict=True)]


def _spread(count: int) -> list[int]:
    """A few places from the first to the last."""
    if count <= MOST_LINES:
        return list(range(count))
    return [round(part * (count - 1) / (MOST_LINES - 1)) for part in range(MOST_LINES)]


def _text(path: Path) -> str:
    with open_regular(path) as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise ValueError(f"files up to {MAX_FILE >> 20} MiB are read")
    return data.decode("utf-8", "replace")
