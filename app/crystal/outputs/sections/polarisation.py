"""Answers to electric fields: polarizability and dielectric tensors by frequency, β and χ(2), Born charges."""

from __future__ import annotations

import re

from app.crystal.outputs.facts.polarisation import (
    BornCharge,
    Dielectric,
    FieldResponse,
    OscillatorStrength,
    Polarisation,
    SecondOrder,
    Tensor,
)
from app.crystal.outputs.marks import find_mark
from app.crystal.outputs.shapes.words import NUMBER
from app.crystal.outputs.sheet import Section, Sheet, number
from app.crystal.outputs.tensors import Column, ComponentTable, numbers_in, refractive_indices

_CHARGE = re.compile(rf"^ *ATOM +(?P<atom>\d+) +(?P<symbol>[A-Z]+) +DYNAMIC CHARGE +(?P<charge>{NUMBER})")
_TENSOR_ROW = re.compile(r"^ +[123] (?P<values>.*)$")
_MODE = re.compile(r"^ +(?P<mode>\d+) (?P<values>.*)$")
MAX_ATOMS = 2000
"""Born charges, and modes with oscillator strengths, that are kept."""


class PolarisationSection(Section):
    """What CPHF and INTENS print."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(sheet)
        self._linear: list[ComponentTable] = []
        self._second: list[ComponentTable] = []
        self._charges: list[tuple[re.Match[str], Tensor]] = []
        self._strengths: list[tuple[int, Tensor]] = []
        self._rows: Tensor = []
        self._in_modes = False
        self._is_new = False
        """Another geometry was printed: its tables replace those of an earlier one."""
        self._field = ""
        """Of the dielectric tensors, which the open table is of."""

    # -- fields ------------------------------------------------------------------------------------------------

    def on_dimension(self, match: re.Match[str], line: str) -> None:
        """A geometry is printed."""
        self._is_new = True

    def _renew(self) -> None:
        if self._is_new:
            self._linear, self._second, self._charges, self._strengths, self._is_new = [], [], [], [], False

    def on_polarizability(self, match: re.Match[str], line: str) -> None:
        """A table of polarizability and dielectric tensor follows, of one frequency of the field or several."""
        self._renew()
        self._linear.append(ComponentTable(2))
        self.sheet.table = self._row_linear

    def _row_linear(self, line: str) -> bool:
        return self._take(self._linear[-1], line)

    def on_second_order(self, match: re.Match[str], line: str) -> None:
        """The table of the first hyperpolarizability follows."""
        self._renew()
        self._second.append(ComponentTable(3))
        self.sheet.table = self._row_second

    def _row_second(self, line: str) -> bool:
        return self._take(self._second[-1], line)

    def _take(self, table: ComponentTable, line: str) -> bool:
        if not table.rows and find_mark(line):
            return False
        return table.take(line)

    # -- Born charges and what follows from them ---------------------------------------------------------------

    def on_born(self, match: re.Match[str], line: str) -> None:
        """The Born charges of the atoms follow."""
        self._renew()
        self._charges = []
        self.sheet.table = self._row_charge

    def _row_charge(self, line: str) -> bool:
        if not line or line.isspace():
            return True
        if match := _CHARGE.match(line):
            self._charges.append((match, []))
            return len(self._charges) <= MAX_ATOMS
        if not self._charges:
            return not find_mark(line)
        # Rows of modes look the same: what follows the last atom is not read as more of its tensor.
        row, rows = _TENSOR_ROW.match(line), self._charges[-1][1]
        values = numbers_in(row["values"], 3) if row and len(rows) < 3 else None
        if values is not None:
            rows.append(values)
        return values is not None or line.split() == ["1", "2", "3"]

    def on_oscillators(self, match: re.Match[str], line: str) -> None:
        """An explanation follows, then a tensor for each mode."""
        self._strengths, self._in_modes = [], False
        self.sheet.table = self._row_strength

    def _row_strength(self, line: str) -> bool:
        if not line or line.isspace():
            return True
        if not self._in_modes:
            self._in_modes = "CARTESIAN AXES" in line
            return not find_mark(line)
        if (match := _MODE.match(line)) and (values := numbers_in(match["values"], 3)):
            self._strengths.append((int(match["mode"]), [values]))
        elif self._strengths and (values := numbers_in(line, 3)):
            self._strengths[-1][1].append(values)
        else:
            return False
        return len(self._strengths) <= MAX_ATOMS

    def on_vib_dielectric(self, match: re.Match[str], line: str) -> None:
        """What all vibrations add to the static dielectric tensor follows."""
        self._read_tensor("vibrational")

    def on_input_dielectric(self, match: re.Match[str], line: str) -> None:
        """The high-frequency tensor that the deck gave follows."""
        self._read_tensor("from_input")

    def on_static_dielectric(self, match: re.Match[str], line: str) -> None:
        """The static dielectric tensor follows."""
        self._read_tensor("static")

    def _read_tensor(self, field: str) -> None:
        self._rows, self._field = [], field
        self.sheet.table = self._row_tensor

    def _row_tensor(self, line: str) -> bool:
        values = numbers_in(line, 3)
        if values is None:
            return not line.strip() and not self._rows
        self._rows.append(values)
        if len(self._rows) == 3:
            setattr(self._dielectric(), self._field, self._rows)
            self.sheet.table = None
        return True

    def _dielectric(self) -> Dielectric:
        if self.sheet.results.dielectric is None:
            self.sheet.results.dielectric = Dielectric()
        return self.sheet.results.dielectric

    # -- the end -----------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Tensors from the components that were printed."""
        if not (self._linear or self._second or self._charges or self._strengths):
            return
        found = Polarisation(
            responses=self._responses(), second_order=self._second_order(), chi2_unit=self._unit(),
            born_charges=[
                BornCharge(int(match["atom"]), match["symbol"].capitalize(), number(match["charge"]), rows)
                for match, rows in self._charges if len(rows) == 3
            ],
            oscillator_strengths=[OscillatorStrength(mode, rows) for mode, rows in self._strengths if len(rows) == 3],
        )  # fmt: skip
        static = next((response for response in found.responses if response.frequency_ev == 0), None)
        if static is not None:
            found.polarizability = static.polarizability
            if static.dielectric is not None:
                self._dielectric().electronic = static.dielectric
                self._dielectric().refractive_indices = static.refractive_indices
        if found != Polarisation():
            self.sheet.results.polarisation = found

    def _responses(self) -> list[FieldResponse]:
        """In the order of frequencies. A table without frequencies is that of a static field, if it is the first."""
        # Only in a crystal the cell has a volume: elsewhere a dielectric tensor depends on the empty space around.
        bulk = self.sheet.results.dimensionality in (3, None)
        responses: dict[float, FieldResponse] = {}
        for place, table in enumerate(self._linear):
            for key in dict.fromkeys(row[0] for row in table.rows):
                if len(key) > 1 or (not key and place):
                    continue
                response = _response(table, key, bulk)
                if response.polarizability is not None or response.dielectric is not None:
                    responses[response.frequency_ev] = response
        return [responses[frequency] for frequency in sorted(responses)]

    def _second_order(self) -> list[SecondOrder]:
        components: dict[tuple[tuple[float, ...], str], SecondOrder] = {}
        for table in self._second:
            beta, chi = table.place("BETA"), _chi(table)
            for frequencies, axes, values in table.rows:
                if values is not None and (beta is not None or chi is not None):
                    components[frequencies, axes] = SecondOrder(
                        axes, None if beta is None else values[beta], None if chi is None else values[chi[0]],
                        list(frequencies),
                    )  # fmt: skip
        return list(components.values())

    def _unit(self) -> str | None:
        return next((unit for table in self._second if (chi := _chi(table)) and (unit := chi[1])), None)


def _response(table: ComponentTable, key: tuple[float, ...], bulk: bool) -> FieldResponse:
    response = FieldResponse(key[0] if key else 0.0, table.tensor(key, "ALPHA"), _imaginary(table, key, "ALPHA"))
    if bulk:
        response.dielectric, response.dielectric_imaginary = (
            table.tensor(key, "EPSILON"),
            _imaginary(table, key, "EPSILON"),
        )
        if response.dielectric is not None and response.dielectric_imaginary is None:
            response.refractive_indices = refractive_indices(response.dielectric)
    return response


def _imaginary(table: ComponentTable, key: tuple[float, ...], name: str) -> Tensor | None:
    tensor = table.tensor(key, name, imaginary=True)
    return tensor if tensor is not None and any(value for row in tensor for value in row) else None


def _chi(table: ComponentTable) -> tuple[int, str | None] | None:
    """Where χ(2) stands in a row, and its unit: pm/V where it is printed in several."""
    columns = [(place, column) for place, column in _placed(table) if column.name.startswith("CHI(2)")]
    columns.sort(key=lambda item: "PM" not in (item[1].unit or "").upper())
    return (columns[0][0], columns[0][1].unit) if columns else None


def _placed(table: ComponentTable) -> list[tuple[int, Column]]:
    at, placed = 0, []
    for column in table.columns:
        placed.append((at, column))
        at += column.width
    return placed
