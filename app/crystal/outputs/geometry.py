"""Geometries, and their optimisation point by point."""

from __future__ import annotations

import re
from array import array

from app.crystal.outputs.marks import NUMBER
from app.crystal.outputs.results import Atom, Geometry, Optimization
from app.crystal.outputs.series import Criterion, Frame
from app.crystal.outputs.sheet import Section, Sheet, number

_ATOM_ROW = re.compile(rf"^ +\d+ (?P<flag>[TF]) +(?P<z>\d+) +(?P<symbol>[A-Z]+) +({NUMBER}) *({NUMBER}) *({NUMBER})")
_QUANTITIES = {
    ("MAX", "GRADIENT"): "max_gradient", ("RMS", "GRADIENT"): "rms_gradient",
    ("MAX", "DISPLAC."): "max_displacement", ("RMS", "DISPLAC."): "rms_displacement",
}  # fmt: skip


class GeometrySection(Section):
    """The last geometry for the results, all of them for the trajectory."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._geometry = Geometry()
        self._in_conventional = False

    def finish(self) -> None:
        geometry = self._geometry
        self.sheet.results.geometry = geometry if geometry.primitive_cell or geometry.atoms else None

    def on_started(self, match: re.Match[str], line: str) -> None:
        self.sheet.progress.phase = "geometry"

    def on_dimension(self, match: re.Match[str], line: str) -> None:
        self.sheet.results.dimensionality = int(match["dim"])
        self._geometry = Geometry(optimized=match["geo"].startswith("FINAL"))

    def on_primitive(self, match: re.Match[str], line: str) -> None:
        self._in_conventional = False
        if match["vol"]:
            self._geometry.volume = number(match["vol"])

    def on_conventional(self, match: re.Match[str], line: str) -> None:
        self._in_conventional = True

    def on_conv_coords(self, match: re.Match[str], line: str) -> None:
        self._in_conventional = True

    def on_cell(self, match: re.Match[str], line: str) -> None:
        wanted = not match["cell_volume"] or self._geometry.primitive_cell is None
        self.sheet.table = self._row_cell if wanted else None

    def _row_cell(self, line: str) -> bool:
        self.sheet.table = None
        try:
            cell = [float(part) for part in line.split()[:6]]
        except ValueError:
            return False
        if len(cell) == 6 and self._in_conventional:
            self._geometry.conventional_cell = cell
        elif len(cell) == 6:
            self._geometry.primitive_cell = cell
        return True

    def on_lattice(self, match: re.Match[str], line: str) -> None:
        self._vectors: list[list[float]] = []
        self.sheet.table = self._row_lattice

    def _row_lattice(self, line: str) -> bool:
        parts = line.split()
        if parts == ["X", "Y", "Z"]:
            return True
        try:
            row = [number(part) for part in parts]
        except ValueError:
            return False
        if len(row) != 3:
            return False
        self._vectors.append(row)
        if len(self._vectors) == 3:
            self._geometry.lattice = self._vectors
            self.sheet.table = None
        return True

    def on_atoms(self, match: re.Match[str], line: str) -> None:
        if not self._in_conventional:
            self.sheet.table = self._row_atoms
            self._geometry.atoms = []

    def _row_atoms(self, line: str) -> bool:
        if line.startswith(" ****"):
            return True
        match = _ATOM_ROW.match(line)
        if match is None:
            self._keep_frame()
            return False
        x, y, z = (number(text) for text in match.groups()[3:])
        atom = Atom(int(match["z"]), match["symbol"].capitalize(), x, y, z, match["flag"] == "T")
        self._geometry.atoms.append(atom)
        return True

    def _keep_frame(self) -> None:
        """The geometry for the wave function is that of the first point; the final one repeats the last point's."""
        atoms, series = self._geometry.atoms, self.sheet.series
        if not atoms or self._geometry.optimized:
            return
        point = self.sheet.progress.point or 1
        positions = array("d", [value for atom in atoms for value in (atom.x, atom.y, atom.z)])
        cell = self._geometry.primitive_cell
        series.keep_frame(Frame(point, list(cell) if cell else None, [atom.number for atom in atoms], positions))

    # -- optimisation ------------------------------------------------------------------------------------------

    def on_point(self, match: re.Match[str], line: str) -> None:
        results, series = self.sheet.results, self.sheet.series
        if results.optimization is None:
            results.optimization = Optimization()
        place = int(match["pt"])
        results.optimization.points = self.sheet.progress.point = place
        self.sheet.progress.phase = "optimisation"
        series.begin_point(place)

    def on_criterion(self, match: re.Match[str], line: str) -> None:
        name = _QUANTITIES[match["cr_of"], match["cr_what"]]
        value = number(match["cr_v"])
        if self.sheet.series.points:
            met = Criterion(value, number(match["cr_t"]), match["cr_met"] == "YES")
            self.sheet.series.points[-1].criteria[name] = met
        if self.sheet.results.optimization is not None:
            setattr(self.sheet.results.optimization, name, value)

    def on_opt_end(self, match: re.Match[str], line: str) -> None:
        optimization = self.sheet.results.optimization or Optimization()
        optimization.converged = match["oe_how"] == "CONVERGED"
        optimization.points, optimization.energy = int(match["oe_n"]), number(match["oe_e"])
        self.sheet.results.optimization = optimization
        self.sheet.results.energy_total = optimization.energy
        if not optimization.converged:
            self.sheet.complain(line)
