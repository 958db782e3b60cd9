"""From a CIF of 200 atoms to a checked deck, and the preview of a form, in milliseconds; the limit is spglib and gemmi alone."""

from __future__ import annotations

import asyncio
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ase.io
import gemmi
import numpy as np
import spglib
from ase import Atoms

from app.crystal.structures.importers import read_structure
from app.library.templates import TemplateLibrary, form_values
from tests.support.app import make_client, running, settings_for

REPEATS = 7


def timed(work: Callable[[], object]) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main() -> None:
    library = TemplateLibrary()
    chance = np.random.default_rng(1)
    spread = np.array(np.meshgrid(*[np.arange(6) / 6] * 3)).reshape(3, -1).T[:200]
    places = spread + chance.uniform(-0.02, 0.02, (200, 3))
    atoms = Atoms(numbers=[12, 8] * 100, cell=[14.1, 15.2, 16.3], scaled_positions=places, pbc=True)
    file = io.BytesIO()
    ase.io.write(file, atoms, format="cif")
    data = file.getvalue()
    example = library.get("scf").spec.example

    def limit() -> None:
        read = gemmi.make_small_structure_from_block(gemmi.cif.read_string(data).sole_block())
        sites = read.get_all_unit_cell_sites()
        places, numbers = [site.fract.tolist() for site in sites], [site.element.atomic_number for site in sites]
        spglib.get_symmetry_dataset((atoms.cell.array, places, numbers), symprec=1e-3)

    def ours() -> None:
        found = read_structure(data, "big.cif")
        assert found.atoms_in_file == 200
        library.render("scf", example | found.parameters)

    bare, all_of_it = timed(limit), timed(ours)
    print(f"CIF, 200 atoms, P1: gemmi and spglib alone {bare * 1000:6.0f} ms")
    print(f"CIF, 200 atoms, P1: to a checked deck      {all_of_it * 1000:6.0f} ms   ratio {all_of_it / bare:.1f}")
    for template in library.all():
        took = timed(lambda template=template: library.try_render(template.spec.id, template.spec.example))  # type: ignore[misc]
        print(f"deck of {template.spec.id:<18} {took * 1000:6.1f} ms")
    asyncio.run(round_trips())


async def round_trips() -> None:
    """What a change in a form costs the server: the request as the browser sends it, drafts kept, fragments rendered."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(settings_for(Path(folder))) as app:
            client = await make_client(app)
            for template in app.state.context.templates.all():
                spec = template.spec
                form = {f"p_{key}": value for key, value in form_values(spec.fields, spec.example).items() if value}
                seconds = []
                for _ in range(REPEATS):
                    start = time.perf_counter()
                    answer = await client.post(f"/new/{spec.id}/preview", data=form, headers={"hx-request": "true"})
                    seconds.append(time.perf_counter() - start)
                    assert answer.status_code == 200, answer.text[:300]
                print(
                    f"round trip of {spec.id:<18} {statistics.median(seconds) * 1000:6.1f} ms  {len(answer.content) / 1000:.0f} kB"
                )


if __name__ == "__main__":
    main()
