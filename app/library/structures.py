"""Structures for the composer and for notebooks: from files, and from the collection of textbook crystals.

Files are read in worker processes: the libraries that read them are written in C and meet whatever people upload.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from app.crystal.structures.bulk import StructureError
from app.crystal.structures.importers import Imported, from_results, read_structure
from app.errors import FieldError, InvalidInput, NotFound, WorkStopped
from app.library.template_files import BUILT_IN, SHARED
from app.workers.pool import Workers

SECONDS = 20.0
"""That one file may take."""


@dataclass(frozen=True)
class TextbookCrystal:
    """A crystal of the built-in collection: values of the fields of a bulk template, and its shortest bond in Å."""

    key: str
    label: str
    parameters: dict[str, Any]
    bond: float


@cache
def textbook() -> dict[str, TextbookCrystal]:
    """The collection, by key."""
    text = (BUILT_IN / SHARED / "crystals.toml").read_text(encoding="utf-8")
    crystals = {}
    for key, values in tomllib.loads(text)["crystals"].items():
        parameters = {"system": "crystal"} | {
            name: value for name, value in values.items() if name not in ("label", "bond")
        }
        crystals[key] = TextbookCrystal(key, values["label"], {"title": key, **parameters}, values["bond"])
    return crystals


def textbook_crystal(key: str) -> TextbookCrystal:
    """The textbook crystal of this key; raises NotFound."""
    try:
        return textbook()[key]
    except KeyError:
        raise NotFound(f"There is no textbook crystal {key[:40]!r}.", hint=f"Known: {', '.join(textbook())}.") from None


class StructureReader:
    """Reads files in worker processes."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    async def read(
        self,
        user: int,
        data: bytes,
        name: str,
        tolerance: float,
        kind: str = "",
        *,
        symmetry: bool = True,
        block: str = "",
        variant: str = "",
        unseen: bool = False,
        patient: bool = False,
    ) -> Imported:
        """The structure in a file; `kind`, `symmetry`, `block` and `variant` as `importers.read_structure` takes them.

        Args:
            user: for whom; users take turns. unseen: nobody reads the notes, so a file that leaves a doubt is refused.
            patient: work of the background.

        Raises:
            InvalidInput: names the field (`file` or `tolerance`) and the reason.
        """
        try:
            read = await self._workers.run(
                user, _read, data, name, tolerance, kind, symmetry, block, variant, seconds=SECONDS, patient=patient
            )
        except StructureError as error:
            raise _refusal(error) from error
        except WorkStopped as error:
            reason = f"could not be read: {error.message[0].lower()}{error.message[1:].rstrip('.')}"
            raise _refusal(StructureError("file", reason, _TOO_MUCH)) from error
        if unseen and read.doubts:
            raise _refusal(
                StructureError("file", f"leaves a doubt: {'; '.join(read.doubts)}", _LOOK_FIRST, read.blocks)
            )
        return read

    async def of_results(
        self, user: int, results: Mapping[str, Any], name: str, tolerance: float, kind: str, *, symmetry: bool
    ) -> Imported:
        """The last geometry of a job; arguments as for `read`.

        Raises:
            StructureError: there is none, or it cannot be.
        """
        geometry = {key: results.get(key) for key in ("geometry", "dimensionality")}
        return await self._workers.run(user, _of_results, geometry, name, tolerance, kind, symmetry, seconds=SECONDS)


_LOOK_FIRST = "Import it on the form of a new job, where it is read with this remark, or correct the file."
_TOO_MUCH = "The file may be right: try it in another format, or with fewer atoms."
_HINT = "Compare the file with its source, or convert it to another format."


def _refusal(error: StructureError) -> InvalidInput:
    fields = [FieldError(f"structure.{error.field}", str(error))]
    if len(error.blocks) > 1:
        fields.append(FieldError("structure.block", "names the structure of the file", choices=error.blocks))
    if error.variants:
        fields.append(FieldError("structure.variant", "names an ordered variant", choices=error.variants))
    hint = "" if error.field == "tolerance" else error.remedy or _HINT
    return InvalidInput(
        f"The structure's {error.field} {error}.", hint=f"{hint} The form is unchanged.".strip(), fields=fields
    )


def _read(data: bytes, name: str, tolerance: float, kind: str, symmetry: bool, block: str, variant: str) -> Imported:
    return read_structure(data, name, tolerance, kind=kind, symmetry=symmetry, block=block, variant=variant)


def _of_results(results: Mapping[str, Any], name: str, tolerance: float, kind: str, symmetry: bool) -> Imported:
    return from_results(results, name, tolerance, kind=kind, symmetry=symmetry)
