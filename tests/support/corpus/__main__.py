"""Write the corpus: every file of the cases, in place of what was there."""

from tests.support.corpus import CORPUS
from tests.support.corpus.cases import written

if __name__ == "__main__":
    for name, text in written():
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
