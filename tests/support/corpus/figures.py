"""BAND.DAT, DOSS.DAT and fort.25: the three files in which properties leaves bands and densities of states."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.corpus.electronic import Model, Path
from tests.support.corpus.paper import scientific


def band_file(path: Path, spins: Sequence[Model], fermi: float | None) -> str:
    """BAND.DAT. Without a Fermi energy as CRYSTAL14 wrote it: nodes are letters, and no line at the end tells it."""
    distances: list[float] = []
    nodes: list[tuple[int, str]] = []
    for segment, points in path.parts:
        start = distances[-1] if distances else -path.step(segment)
        if not nodes:
            nodes.append((1, _node(segment.start, path.shrink, fermi)))
        distances += [start + path.step(segment) * (n + 1) for n in range(len(points))]
        nodes.append((len(distances), _node(segment.end, path.shrink, fermi)))
    k_points = [point for _, points in path.parts for point in points]
    count = len(spins[0](k_points[0]))
    lines = [f"# NKPT {len(k_points):5d} NBND {count:5d} NSPIN {len(spins):5d}", f"# NPANEL {len(nodes) - 1:5d}"]
    lines += [f"# {place:6d}   {name}" for place, name in nodes]
    for spin, model in enumerate(spins):
        lines += _graph(spin, nodes, distances)
        for distance, point in zip(distances, k_points, strict=True):
            lines.append("".join(scientific(round(value, 9), 5, 13) for value in (distance, *model(point))))
        if fermi is not None:
            lines.append(f"# EFERMI (HARTREE) {fermi:10.5f}")
    return "\n".join(lines) + "\n"


def _node(place: tuple[int, int, int], shrink: int, fermi: float | None) -> str:
    return "A        " if fermi is None else "({},{},{})/{}".format(*place, shrink)


def _graph(spin: int, nodes: Sequence[tuple[int, str]], distances: Sequence[float]) -> list[str]:
    """What xmgrace wants to know."""
    title = "BETA" if spin else "BAND STRUCTURE"
    lines = [f"@ WITH G{spin}", f"@ G{spin} ON", f'@ TITLE "{title}"', '@ YAXIS LABEL "E-EFERMI (HARTREE)"']
    lines.append(f"@ XAXIS TICK SPEC {len(nodes):5d}")
    for number, (place, name) in enumerate(nodes):
        lines += [f"@ XAXIS TICK {number:5d}, {distances[place - 1]:11.5f}", f'@ XAXIS TICKLABEL {number:4d},"{name}"']
    return lines


def dos_file(
    energies: Sequence[float], spins: Sequence[Sequence[Sequence[float]]], fermi: float, absolute: bool = False
) -> str:
    """DOSS.DAT of `spins`, each a list of projections with the total at its end. CRYSTAL14 wrote absolute energies."""
    lines = [f"# NEPTS {len(energies):5d} NPROJ {len(spins[0]):4d} NSPIN {len(spins):5d}", "#"]
    lines.append(f'@ XAXIS LABEL "{"ENERGY" if absolute else "E-EFERMI"} (HARTREE)"')
    lines.append('@ YAXIS LABEL "DENSITY OF STATES (STATES/HARTREE/CELL)"')
    for spin, projections in enumerate(spins):
        if spin:
            lines.append("&")
        for n, energy in enumerate(energies):
            shown = energy + fermi if absolute else energy
            values = [-one[n] if spin else one[n] for one in projections]
            lines.append("".join(f"{round(value, 6) + 0.0:12.4E}" for value in (shown, *values)))
        if not absolute:
            lines.append(f"# EFERMI (HARTREE) {fermi:10.5f}")
    return "\n".join(lines) + "\n"


def band_blocks(path: Path, spins: Sequence[Model], fermi: float, state: int = 0) -> str:
    """The bands of fort.25: a block for each line, energies on the absolute scale."""
    lines = []
    for model in spins:
        parts = [
            (segment, [[energy + fermi for energy in model(point)] for point in points])
            for segment, points in path.parts
        ]
        # Every segment tells the range of all of them.
        every = [energy for _, rows in parts for row in rows for energy in row]
        edges = (min(every), max(every))
        for segment, rows in parts:
            flat, ends = [energy for row in rows for energy in row], (*segment.start, *segment.end)
            lines += _block(state, "BAND", len(rows[0]), len(rows), path.step(segment), fermi, edges, ends, flat)
    return "\n".join(lines) + "\n"


def dos_blocks(
    energies: Sequence[float], spins: Sequence[Sequence[Sequence[float]]], fermi: float, state: int = 0
) -> str:
    """The densities of states of fort.25: a block for each projection and spin."""
    step, lines = energies[1] - energies[0], []
    for spin, projections in enumerate(spins):
        for number, values in enumerate(projections, start=1):
            shown = [-value for value in values] if spin else list(values)
            lines += _block(
                state, "DOSS", 1, len(values), step, fermi, (0.0, energies[0] + fermi), (number, 5, 0, 0, 0, 0), shown
            )
    return "\n".join(lines) + "\n"


def block(
    state: int, kind: str, rows: int, columns: int, step: float, fermi: float,
    second: tuple[float, float], integers: Sequence[int], values: Sequence[float],
) -> str:  # fmt: skip
    """One block of fort.25: `state` is 0 or 2 for a closed shell, 1 or 3 for an open one."""
    return "\n".join(_block(state, kind, rows, columns, step, fermi, second, integers, values)) + "\n"


def _block(
    state: int, kind: str, rows: int, columns: int, step: float, fermi: float,
    second: tuple[float, float], integers: Sequence[int], values: Sequence[float],
) -> list[str]:  # fmt: skip
    """Twelve columns for a number, and nothing between them."""
    lines = [f"-%-{state}{kind}{rows:5d}{columns:5d}{_twelve(0.0, step, fermi)}", _twelve(*second)]
    lines.append("".join(f"{one:5d}" for one in integers))
    return lines + [_twelve(*values[place : place + 6]) for place in range(0, len(values), 6)]


def _twelve(*values: float) -> str:
    # Rounded, so that what no machine computes alike is not printed.
    return "".join(f"{round(value, 6) + 0.0:12.5E}" for value in values)
