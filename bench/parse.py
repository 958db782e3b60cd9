"""Reading outputs: ours against pycrystal and CRYSTALClear, on the same files in the same run, and where the three disagree.

    python bench/parse.py FOLDER

FOLDER holds recorded outputs, one folder for each case. The two libraries are installed into environments of their own
(`.oracles`). Prints ratios, memory and throughput on a long output, and a table of disagreements with who is right and why.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from app.crystal.outputs.reader import OutputReader  # noqa: E402
from app.crystal.outputs.series import Series  # noqa: E402
from tests.support.session.oracles import NotInstalled, environment  # noqa: E402

ROUNDS = 15
"""Of each file the best of so many: the first one fills caches."""
PYCRYSTAL = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from pycrystal import CRYSTOUT
def read(path):
    info = CRYSTOUT(path).info
    gaps = info["conduction"] or [{}]
    # ASE's factor of CODATA 2014 is divided out again.
    energy = info["energy"] and info["energy"] / 27.211386024367
    return {"energy": energy, "gap": gaps[-1].get("band_gap"), "cycles": (info["ncycles"] or [None])[0]}
"""
CRYSTALCLEAR = """
import contextlib, io, json, sys, time, warnings
warnings.simplefilter("ignore")
from CRYSTALClear.crystal_io import Crystal_output
# The same things that ours reads; each question looks through the lines again.
QUESTIONS = {
    "energy": lambda out: out.get_final_energy() / 27.211386245988, "gap": lambda out: float(out.get_band_gap()),
    "cycles": lambda out: len(out.get_scf_convergence()[0]), "version": lambda out: bool(out.get_code_version()),
    "net": lambda out: bool(out.get_kpoint_info()), "fermi": lambda out: bool(out.get_fermi_energy()),
    "lattice": lambda out: bool(len(out.get_primitive_lattice(initial=False))),
    "charges": lambda out: bool(out.get_mulliken_charges()),
    "points": lambda out: bool(out.get_opt_convergence()), "modes": lambda out: bool(out.get_phonon(read_eigvt=True)),
}
def read(path):
    found = {}
    with contextlib.redirect_stdout(io.StringIO()):
        out = Crystal_output().read_cry_output(path)
        for name, ask in QUESTIONS.items():
            try:
                found[name] = ask(out)
            except BaseException as error:
                if name == "energy":
                    raise
    return found
"""
LOOP = f"""
import gc
# What the imports left behind is not looked through again and again while files are read: the same for all three.
gc.collect()
gc.freeze()
for path in sys.argv[1:]:
    best, found = 1e9, {{}}
    for _ in range({ROUNDS}):
        begin = time.perf_counter()
        try:
            found = read(path)
        except BaseException as error:
            found = {{"refused": type(error).__name__}}
        best = min(best, time.perf_counter() - begin)
    print(json.dumps([path, best, found], default=str))
"""
REASONS = {
    (
        "pycrystal",
        "energy",
    ): "ours: the last energy with all corrections; pycrystal leaves dispersion out at a single point",
    ("pycrystal", "gap"): "ours: the gap of the last geometry or cycle; pycrystal gives that of the first geometry",
    ("pycrystal", "cycles"): "ours: the number printed after CYCLES",
    (
        "CRYSTALClear",
        "energy",
    ): "ours: with all corrections; CRYSTALClear takes the SCF's own, or an early one of a cut run",
    ("CRYSTALClear", "gap"): "ours: the gap of the last geometry; CRYSTALClear gives that of the first",
    ("CRYSTALClear", "cycles"): "ours: the number printed after CYCLES; CRYSTALClear counts cycle 0 too",
}


def theirs(name: str, program: str, script: str, files: list[Path]) -> dict[str, tuple[float, dict[str, Any]]]:
    """Seconds and values by file, of a library in an environment of its own; its import is not counted."""
    python = environment(program) / "python"
    done = subprocess.run([python, "-c", script + LOOP, *map(str, files)], capture_output=True, text=True, check=False)
    found = {}
    for line in done.stdout.splitlines():
        if line.startswith("["):
            path, seconds, values = json.loads(line)
            found[path] = (seconds, values)
    if not found:
        raise SystemExit(f"{name} read nothing: {done.stderr[-800:]}")
    return found


def ours(files: list[Path], *, everything: bool = False) -> dict[str, tuple[float, dict[str, Any]]]:
    """Seconds and values by file; with `everything`, what is otherwise read when a page asks for it too."""
    found = {}
    gc.collect()
    gc.freeze()
    for path in files:
        best, values = 1e9, {}
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            reader = OutputReader()
            reader.feed(path.read_bytes())
            results = reader.results()
            if everything:
                ask_for_everything(reader.series)
            best = min(best, time.perf_counter() - begin)
            values = {"energy": results.energy_total, "gap": results.gap_ev, "cycles": results.scf_cycles}
        found[str(path)] = (best, values)
    return found


def quicker(
    one: dict[str, tuple[float, dict[str, Any]]], other: dict[str, tuple[float, dict[str, Any]]]
) -> dict[str, tuple[float, dict[str, Any]]]:
    return {path: min(one[path], other[path], key=lambda timed: timed[0]) for path in one}


def ask_for_everything(series: Series) -> None:
    """Criteria and geometries of all points, displacements of all modes."""
    for point in series.points:
        assert point.criteria is not None
    for frame in series.frames:
        frame.atoms()
    series.vibrations()


def long_output(files: list[Path]) -> None:
    """A hundred megabytes, in pieces of a megabyte: throughput, and what memory grew by."""
    data = max((path.read_bytes() for path in files), key=len)
    reader, fed = OutputReader(), 0
    for _ in range(5_000_000 // len(data)):
        reader.feed(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    while fed < 100_000_000:
        reader.feed(data)
        fed += len(data)
    seconds = time.perf_counter() - begin
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    begin = time.perf_counter()
    lines = sum(block.count(b"\n") for block in (data for _ in range(fed // len(data))))
    limit = time.perf_counter() - begin
    rate = fed / 1e6 / seconds
    print(f"one output of {fed / 1e6:.0f} MB: {seconds:.1f} s, {rate:.0f} MB/s, memory grew by {grown / 1024:.1f} MiB")
    print(f"  counting its {lines} line ends alone takes {limit:.2f} s: {seconds / limit:.0f} × that")


def differ(name: str, key: str, own: Any, other: Any) -> bool:
    if other is None or own is None:
        return False
    try:
        return abs(float(own) - float(other)) > (2e-7 * max(1.0, abs(float(own))) if key == "energy" else 5e-4)
    except (TypeError, ValueError):
        return False


def main() -> None:
    folder = Path(sys.argv[1])
    files = sorted(path for path in folder.glob("*/*.out"))
    own, whole = ours(files), ours(files, everything=True)
    table = []
    for name, program, script in (
        ("pycrystal", "pycrystal", PYCRYSTAL),
        ("CRYSTALClear", "crystalclear", CRYSTALCLEAR),
    ):
        try:
            found = theirs(name, program, script, files)
        except NotInstalled as error:
            raise SystemExit(str(error)) from error
        # Again after the others: a machine that was busy for a moment must not decide.
        own = quicker(own, ours(files))
        whole = quicker(whole, ours(files, everything=True))
        read = [path for path in own if path in found and "energy" in found[path][1]]
        mine, all_of_it, other = (sum(one[path][0] for path in read) for one in (own, whole, found))
        ratios = sorted(found[path][0] / own[path][0] for path in read)
        print(
            f"{name}: {len(read)} of {len(files)} files read, {other:.2f} s; ours {mine:.3f} s for the same: "
            f"{other / mine:.1f} × faster (median of files {ratios[len(ratios) // 2]:.1f} ×, least {ratios[0]:.1f} ×); "
            f"{other / all_of_it:.1f} × with what is read only when a page asks for it"
        )
        for path in own:
            for key in ("energy", "gap", "cycles"):
                other_value = found.get(path, (0, {}))[1].get(key)
                if differ(name, key, own[path][1][key], other_value):
                    table.append((Path(path).parent.name, key, own[path][1][key], name, other_value))
    long_output(files)
    print(f"\n{len(table)} disagreements")
    for case, key, mine, name, other in table:
        print(f"{case:28s} {key:7s} {mine!s:>20s} {name:13s} {other!s:>22s}  {REASONS[name, key]}")


if __name__ == "__main__":
    main()
