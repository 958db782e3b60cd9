"""Geometries, and their optimisation point by point."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from app.crystal.outputs.facts.geometry import Atom, Geometry, Optimization
from app.crystal.outputs.numbers import finite_numbers
from app.crystal.outputs.series import QUANTITIES, Frame, read_atom
from app.crystal.outputs.sheet import Section, Sheet, number

_ATOM_ROWS = re.compile(r"\n ?\*{4}[^\n]*+(?P<rows>(?:\n *+\d++ [TF] [^\n]*+)+)")
"""The rule below the heading, and rows as nearly all of them look."""
_MAX_SIZES = 4
"""Cells of different sizes that are kept."""


class GeometrySection(Section):
    """The last geometry for the results, all of them for the trajectory."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._geometry = Geometry()
        self._rows: list[str] = []
        """Atoms of the last geometry, as they stand."""
        self._in_conventional = False

    def finish(self) -> None:
        """Take over the last geometry that was printed, and the last point of the optimisation."""
        geometry = self._geometry
        geometry.atoms = _atoms(self._rows)
        self.sheet.results.geometry = geometry if geometry.primitive_cell or geometry.atoms else None
        self._finish_optimization()

    def on_started(self, match: re.Match[str], line: str) -> None:
        """The program has begun."""
        self.sheet.progress.phase = "geometry"

    def on_dimension(self, match: re.Match[str], line: str) -> None:
        """A new geometry begins, of 0 to 3 periodic directions."""
        self.sheet.results.dimensionality = int(match["dim"])
        self._geometry = Geometry(optimized=match["geo"].startswith("FINAL"))
        self._rows = []

    def on_primitive(self, match: re.Match[str], line: str) -> None:
        """The primitive cell follows; its volume in Å³ may stand in this line."""
        self._in_conventional = False
        if match["vol"]:
            self._geometry.volume = number(match["vol"])
        if match["density"]:
            self._geometry.density = number(match["density"])

    def on_conventional(self, match: re.Match[str], line: str) -> None:
        """The crystallographic cell follows."""
        self._in_conventional = True

    def on_conv_coords(self, match: re.Match[str], line: str) -> None:
        """Coordinates in the crystallographic cell follow."""
        self._in_conventional = True

    def on_cell(self, match: re.Match[str], line: str) -> None:
        """The header of a, b, c, α, β, γ: the next line has the numbers."""
        wanted = not match["cell_volume"] or self._geometry.primitive_cell is None
        self.sheet.table = self._row_cell if wanted else None

    def _row_cell(self, line: str) -> bool:
        self.sheet.table = None
        try:
            cell = finite_numbers(line.split()[:6])
        except ValueError:
            return False
        if len(cell) == 6 and self._in_conventional:
            self._geometry.conventional_cell = cell
        elif len(cell) == 6:
            self._geometry.primitive_cell = cell
        return True

    def on_lattice(self, match: re.Match[str], line: str) -> None:
        """The lattice vectors in Å follow."""
        self._vectors: list[list[float]] = []
        self.sheet.table = self._row_lattice

    def _row_lattice(self, line: str) -> bool:
        parts = line.split()
        if parts == ["X", "Y", "Z"]:
            return True
        try:
            row = finite_numbers(parts)
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
        """The table of atoms follows; that of the primitive cell is kept."""
        if not self._in_conventional:
            self.sheet.table = table = self._row_atoms
            self.sheet.run = table, _ATOM_ROWS, self._take_rows
            self._rows = []

    def _row_atoms(self, line: str) -> bool:
        # The row is read on demand: most geometries are never asked for.
        if " T " in line or " F " in line:
            self._rows.append(line)
            return True
        if line.startswith(" ****"):
            return True
        self._keep_frame()
        self._keep_cell()
        return False

    def _take_rows(self, text: str) -> None:
        """Rows of atoms, each after an end of line."""
        self._rows += text[1:].split("\n")

    def _keep_cell(self) -> None:
        """The last geometry of each size: phonons of a supercell belong to an earlier, smaller one."""
        geometry, rows, cells = self._geometry, self._rows, self.sheet.cells
        cells.pop(len(rows), None)
        cells[len(rows)] = lambda: replace(geometry, atoms=_atoms(rows))
        if len(cells) > _MAX_SIZES:
            del cells[next(iter(cells))]

    def _keep_frame(self) -> None:
        """The geometry for the wave function is that of the first point; the final one repeats the last point's."""
        if self._rows and not self._geometry.optimized:
            cell = self._geometry.primitive_cell
            frame = Frame(self.sheet.progress.point or 1, list(cell) if cell else None, self._rows)
            self.sheet.series.keep_frame(frame)

    def _finish_optimization(self) -> None:
        """Each quantity is that of the last point that printed it: the first one prints no displacements."""
        optimization, missing = self.sheet.results.optimization, set(QUANTITIES.values())
        for point in reversed(self.sheet.series.points if optimization else ()):
            for name in missing & point.criteria.keys():
                setattr(optimization, name, point.criteria[name].value)
                missing.remove(name)
            if not missing:
                break

    # -- optimisation ------------------------------------------------------------------------------------------

    def on_point(self, match: re.Match[str], line: str) -> None:
        """A point of the optimisation begins."""
        results, series = self.sheet.results, self.sheet.series
        if results.optimization is None:
            results.optimization = Optimization()
        place = int(match["pt"])
        results.optimization.points = self.sheet.progress.point = place
        self.sheet.progress.phase = "optimisation"
        series.begin_point(place)

    def on_criterion(self, match: re.Match[str], line: str) -> None:
        """One convergence criterion of the current point."""
        if self.sheet.series.points:
            self.sheet.series.points[-1].rows.append(line)

    def on_opt_end(self, match: re.Match[str], line: str) -> None:
        """The optimisation has ended: whether it converged, its energy in hartree, and its number of points."""
        self.sheet.series.run += 1
        optimization = self.sheet.results.optimization or Optimization()
        optimization.converged = match["oe_how"] == "CONVERGED"
        optimization.points, optimization.energy = int(match["oe_n"]), number(match["oe_e"])
        self.sheet.results.optimization = optimization
        self.sheet.results.energy_total = optimization.energy
        if not optimization.converged:
            self.sheet.complain(line)


def _atoms(rows: Sequence[str]) -> list[Atom]:
    atoms = filter(None, map(read_atom, rows))
    return [Atom(z, symbol.capitalize(), x, y, w, flag) for z, symbol, x, y, w, flag in atoms]
