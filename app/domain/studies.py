"""Convergence studies: how a quantity of several jobs settles over the one parameter that differs between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.domain.drawing.charts import Chart, line_chart
from app.domain.sweeps import converged_at, label

FEWEST = 3
"""Jobs of which a study is made."""


@dataclass(frozen=True)
class Quantity:
    """What may converge: in words, the axis, and how far its values may lie from the last one."""

    words: str
    axis: str
    unit: str
    tolerance: float


QuantityName = Literal["energy", "gap", "volume"]
QUANTITIES: Mapping[QuantityName, Quantity] = {
    "energy": Quantity("Energy per atom", "ΔE per atom / meV", "meV per atom", 1.0),
    "gap": Quantity("Band gap", "ΔE_gap / meV", "meV", 10.0),
    "volume": Quantity("Volume per atom", "ΔV per atom / Å³", "Å³ per atom", 0.01),
}


@dataclass(frozen=True)
class Study:
    """How a quantity settles over one parameter: chart, and the first value from which it stays within the tolerance."""

    key: str
    name: QuantityName
    values: list[str]
    """Of the parameter, as they are written."""
    differences: list[float]
    """Of the quantity, to that of the last value; in its unit."""
    chart: Chart
    tolerance: float
    reached: str

    @property
    def quantity(self) -> Quantity:
        """What is compared: its label, unit and threshold."""
        return QUANTITIES[self.name]


def study(
    key: str, given: Sequence[Any], name: QuantityName, values: Sequence[float | None], tolerance: float | None = None
) -> Study | None:
    """A quantity over a parameter; None where fewer than three jobs tell it.

    Args:
        key: the parameter; given: its value in each job. Tables, such as atoms, have no order: of them there is no study.
        values: of the quantity in each job, in its unit.
        tolerance: in the same unit; otherwise the quantity's own.
    """
    known = [
        (_order(point), label(point), value)
        for point, value in zip(given, values, strict=True)
        if value is not None and _has_order(point)
    ]
    if len(known) < FEWEST:
        return None
    known.sort(key=lambda row: row[0])
    quantity, names = QUANTITIES[name], [written for _, written, _ in known]
    tolerance = quantity.tolerance if tolerance is None else tolerance
    differences = [value - known[-1][2] for _, _, value in known]
    unit = quantity.unit.split(" ")[0]
    # Three factors of a net have an order, but no place on an axis of numbers.
    numeric = all(len(order.numbers) == 1 for order, _, _ in known)
    points = [
        (order.numbers[0] if numeric else float(place), difference, f"{written}: {difference:+.3f} {unit}")
        for place, ((order, written, _), difference) in enumerate(zip(known, differences, strict=True))
    ]
    chart = line_chart([(key, points)], key, quantity.axis, x_names=[] if numeric else names, tolerance=tolerance)
    if chart is None:
        return None
    first = converged_at(differences, tolerance)
    return Study(key, name, names, differences, chart, tolerance, "" if first is None else names[first])


@dataclass(frozen=True, order=True)
class _Order:
    """Numbers before words; several numbers by their mean, since one factor of a net stands for three; words by the alphabet."""

    is_text: bool
    size: float
    numbers: tuple[float, ...]
    text: str


def _has_order(value: Any) -> bool:
    return value is not None and not (isinstance(value, list) and any(isinstance(part, (list, dict)) for part in value))


def _order(value: Any) -> _Order:
    parts = value if isinstance(value, list) else str(value).split()
    try:
        numbers = tuple(float(part) for part in parts)
    except ValueError:
        return _Order(True, 0.0, (), label(value))
    return _Order(False, sum(numbers) / max(1, len(numbers)), numbers, "")
