"""`crystaldeck-preview crystal|properties`: reads a deck on standard input, prints as CRYSTAL would, works in this folder."""

from __future__ import annotations

import sys
from pathlib import Path

from app.preview import report
from app.preview.refusal import Refusal

USAGE = "usage: crystaldeck-preview crystal|properties < INPUT"


def main() -> None:
    """Entry point of `crystaldeck-preview`: the deck on standard input, the output on standard output."""
    if len(sys.argv) != 2 or sys.argv[1] not in ("crystal", "properties"):
        print(USAGE, file=sys.stderr)
        sys.exit(2)
    sys.exit(run(sys.argv[1], sys.stdin.read(), Path.cwd()))


def run(program: str, deck: str, folder: Path) -> int:
    """0: the calculation ended; 1: refused, with an ERROR line in the output."""
    try:
        import pyscf
    except ImportError:
        report.banner("PYSCF IS NOT INSTALLED")
        report.refused("PYSCF IS NOT INSTALLED: pip install 'crystaldeck[preview]'")
        return 1
    from app.preview.properties import run_properties
    from app.preview.scf import run_crystal

    report.banner(f"PYSCF {pyscf.__version__}")
    try:
        if program == "crystal":
            run_crystal(deck, folder)
        else:
            run_properties(deck, folder)
    except Refusal as refusal:
        report.refused(str(refusal))
        return 1
    return 0
