"""The part of the corpus that is computed: lithium hydride by the preview engine, from decks of the project's own templates.

    python -m tests.support.corpus.preview

computes it anew, in some minutes. Times and the last digits differ from run to run, so it is not compared byte by byte.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from app.library.templates import TemplateLibrary
from tests.support.corpus import CORPUS
from tests.support.service import lih

STEPS = (
    ("preview-lih", "scf", {}, ()),
    ("preview-lih", "bands", {"points": 24}, ("BAND.DAT", "fort.25")),
    ("preview-lih", "dos", {"newk": 4, "newk_gilat": 4}, ("DOSS.DAT",)),
    ("preview-lih-opt", "optimization", {"toldee": 7, "max_points": 8}, ("fort.34",)),
)
"""Case, template, parameters beside those of the quickest crystal, and the files that are kept beside decks and outputs."""


_ENGINE = """
import pathlib, sys
from app.preview.cli import run
sys.exit(run(sys.argv[1], sys.stdin.read(), pathlib.Path.cwd()))
"""


def compute(target: Path, wanted: Iterable[str] = ()) -> None:
    """Compute the cases into `target`; `wanted` names some of them, else all are."""
    names = set(wanted) or {case for case, *_ in STEPS}
    with tempfile.TemporaryDirectory() as scratch:
        for case, template, parameters, kept in STEPS:
            if case not in names:
                continue
            folder = Path(scratch, case)
            folder.mkdir(exist_ok=True)
            (target / case).mkdir(parents=True, exist_ok=True)
            for name, deck in TemplateLibrary().render(template, lih() | parameters).decks.items():
                # The wave function of the first step serves the others.
                if name.endswith(".d12") and (folder / "fort.9").exists():
                    continue
                output = _run("crystal" if name.endswith(".d12") else "properties", deck, folder)
                (target / case / name).write_text(deck, encoding="utf-8")
                (target / case / f"{Path(name).stem}.{'out' if name.endswith('.d12') else 'outp'}").write_text(
                    output, encoding="utf-8"
                )
            for name in kept:
                if (folder / name).exists():
                    (target / case / name).write_bytes((folder / name).read_bytes())


def _run(program: str, deck: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ENGINE, program],
        cwd=folder,
        input=deck,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


if __name__ == "__main__":
    compute(CORPUS, sys.argv[1:])
