"""Densities of phonon states as worker processes see them: a file is read there, and its picture drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.crystal.properties.phonon_dos import PhononDos, read_phonon_dos
from app.domain.drawing.charts import Chart, line_chart
from app.library.kept import open_regular

MOST_POINTS = 400
"""Points of one line that are drawn."""


@dataclass(frozen=True)
class PhononDosPicture:
    """The numbers of a file, and what a page draws of them."""

    found: PhononDos
    chart: Chart | None

    def columns(self) -> dict[str, Sequence[Any]]:
        """cm⁻¹, then states/(cm⁻¹·cell) for each projection."""
        found = self.found
        densities = zip(found.names, found.densities.tolist(), strict=True)
        return {"wavenumber_cm1": found.wavenumbers.tolist(), **dict(densities)}


def read_picture(path: Path) -> PhononDosPicture:
    """
    Raises:
        DosError: the file is none. OSError: it is gone.
    """
    with open_regular(path) as file:
        found = read_phonon_dos(file.read().decode("utf-8", "replace"))
    return PhononDosPicture(found, _draw(found))


def _draw(found: PhononDos) -> Chart | None:
    step = max(1, len(found.wavenumbers) // MOST_POINTS)
    places = found.wavenumbers[::step].tolist()
    lines = [
        (name, [(x, y, f"{name}: {y:.4g} at {x:.1f} cm⁻¹") for x, y in zip(places, density[::step].tolist(), strict=True)])
        for name, density in zip(found.names, found.densities, strict=True)
    ]  # fmt: skip
    return line_chart(lines, "wavenumber / cm⁻¹", "states / (cm⁻¹·cell)")
