"""The project's own outputs in CRYSTAL's notation: written by this package from invented numbers, stored in `tests/corpus`.

    python -m tests.support.corpus

writes them anew; a test compares what is stored with what is written. tests/corpus/README.md tells what each shows.
"""

from pathlib import Path

CORPUS = Path(__file__).resolve().parents[2] / "corpus"
