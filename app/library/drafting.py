"""What the worker processes do with templates: read their metadata, render decks, check them, and lay out what a page shows.

Everything that a member wrote (templates, answers, decks) is worked on here and never in the service's own process. What
comes back is plain data of limited size.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.crystal.decks.annotations import Line, annotate
from app.crystal.decks.basis_sets import BasisSet, read_basis_set
from app.crystal.decks.checker import check_deck
from app.crystal.decks.contents import crystal_of
from app.crystal.decks.facts import Supplies
from app.crystal.decks.model import Finding
from app.crystal.decks.reading import read_deck
from app.crystal.decks.rendering import DeckWriter, written_roles
from app.crystal.structures.bulk import StructureError
from app.crystal.structures.fort34 import write_fort34
from app.crystal.structures.geometries import Geometry, Structure, read_geometry
from app.crystal.structures.views import view_of
from app.domain.bounds import together
from app.domain.templates.fields import Choice, FieldSpec
from app.domain.templates.metadata import TemplateSpec, refuse
from app.errors import CrystalDeckError, FieldError, InvalidInput
from app.library.template_files import build

MAX_SHOWN = 1000
"""Lines of one deck that a page shows; the deck itself is never cut."""
MOST_BUILT = 64
"""Templates that a process keeps compiled."""


@dataclass(frozen=True)
class Recipe:
    """All that a process needs to make a template: its texts, where the shared parts lie, names for `basis_library`."""

    revision: str
    texts: Mapping[str, str]
    shared: Path
    basis_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What is asked for beside decks and findings."""

    look: bool = False
    """Lines with their meanings, the picture of the structure."""
    states: Mapping[str, str] | None = None
    """Texts of the form's fields: which of them are shown, and which locked?"""
    fort34: bool = False
    """The structure as a later step would find it."""


@dataclass(frozen=True)
class Drafted:
    """One set of answers: typed values, decks by name, errors. Decks are empty where fields are wrong.

    `fault` is what a strict caller raises, `message` what a form shows where no field is to blame.
    """

    values: dict[str, Any]
    decks: dict[str, str] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)
    message: str = ""
    fault: CrystalDeckError | None = None
    findings: dict[str, list[Finding]] = field(default_factory=dict)
    atoms: int = 0
    """In the cell that is computed; 0: the answers hold no structure."""
    lines: dict[str, list[Line]] = field(default_factory=dict)
    view: dict[str, Any] | None = None
    fort34: str = ""
    visible: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()


class MissingBasis(Exception):
    """A template names a set of the library that did not come with the question."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Shelf(Mapping[str, BasisSet]):
    """The group's basis sets by name: those that came along are read when they are asked for."""

    def __init__(self, names: Iterable[str], texts: Mapping[str, str]) -> None:
        self._names = list(names)
        self._texts = texts

    def __getitem__(self, name: str) -> BasisSet:
        if name not in self._texts:
            raise MissingBasis(name) if name in self._names else KeyError(name)
        return read_basis_set(self._texts[name])

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def draft(recipe: Recipe, raw: dict[str, Any], supplies: Supplies, basis: Mapping[str, str], wanted: Wanted) -> Drafted:
    """Read the answers, write the decks, check them.

    Raises:
        MissingBasis
    """
    spec, writer = _built(recipe)
    shown = Drafted({})
    if wanted.states is not None:
        visible, disabled = field_states(spec.fields, wanted.states)
        shown = Drafted({}, visible=visible, disabled=disabled)
    values, errors = spec.read(raw)
    if errors:
        return replace(shown, values=values, errors=errors, fault=refuse(spec.id, errors))
    supplies = replace(supplies, basis_sets=_Shelf(recipe.basis_names, basis))
    try:
        decks = writer.write(values, supplies)
    except InvalidInput as error:
        return replace(shown, values=values, errors=error.fields, message=error.message, fault=error)
    except CrystalDeckError as error:
        return replace(shown, values=values, message=error.sentence, fault=error)
    findings = check_decks(decks, staged_names(spec, values))
    return _with_structure(replace(shown, values=values, decks=decks, findings=findings), supplies, wanted)


def _built(recipe: Recipe) -> tuple[TemplateSpec, DeckWriter]:
    key = (recipe.revision, recipe.basis_names)
    if key not in _KEPT:
        spec, writer, _ = build(recipe.texts, shared=recipe.shared, compiled=False)
        lists = {"basis_library": [Choice(value=name) for name in recipe.basis_names]}
        _KEPT[key] = spec.with_choices(lists), writer
        while len(_KEPT) > MOST_BUILT:
            _KEPT.popitem(last=False)
    _KEPT.move_to_end(key)
    return _KEPT[key]


_KEPT: OrderedDict[tuple[str, tuple[str, ...]], tuple[TemplateSpec, DeckWriter]] = OrderedDict()


def _with_structure(drafted: Drafted, supplies: Supplies, wanted: Wanted) -> Drafted:
    """What follows from the structure: atoms, picture, the file of a later step; and the decks line by line."""
    geometry = _geometry(drafted.values, supplies)
    structure = geometry.structure if geometry is not None else None
    atoms = sum(structure.multiplicities) * geometry.copies if geometry is not None and structure is not None else 0
    fort34 = ""
    if wanted.fort34 and structure is not None:
        fort34 = write_fort34(*structure.primitive, structure.dimension, structure.symmetry)
    if not wanted.look:
        return replace(drafted, atoms=atoms, fort34=fort34)
    roles = written_roles(drafted.decks)
    lines = {
        name: shown_lines(drafted.decks[name], role, drafted.findings.get(name, [])) for name, role in roles.items()
    }
    return replace(drafted, atoms=atoms, fort34=fort34, lines=lines, view=_view(drafted, structure))


def _geometry(values: Mapping[str, Any], supplies: Supplies) -> Geometry | None:
    if "system" not in values:
        return None
    try:
        return read_geometry(values, supplies.files)
    except (StructureError, KeyError):
        return None


def _view(drafted: Drafted, structure: Structure | None) -> dict[str, Any] | None:
    """What a picture of the structure needs; None where there is no structure yet."""
    try:
        if structure is None and "system" not in drafted.values:
            deck = next((text for name, text in drafted.decks.items() if name.endswith(".d12")), "")
            structure = crystal_of(read_deck(deck, "d12"))
        return view_of(structure) if structure is not None else None
    except StructureError:
        return None


def shown_lines(text: str, role: str, findings: Sequence[Finding]) -> list[Line]:
    """The first lines of a deck as a page shows them, and how many there are beside them."""
    lines = annotate(text, role, findings)
    rest = len(lines) - MAX_SHOWN
    if rest <= 0:
        return lines
    return [*lines[:MAX_SHOWN], Line(MAX_SHOWN + 1, f"… and {rest} more lines, which are not shown here", part="rest")]


def staged_names(spec: TemplateSpec, values: Mapping[str, Any]) -> list[str]:
    """Names under which the programs will find the files that these answers attach."""
    return [need.staged_as for need in spec.needs if values.get(need.key)]


def check_decks(decks: Mapping[str, str], staged: Iterable[str]) -> dict[str, list[Finding]]:
    """What the checker says of each deck, given the files that will lie beside it."""
    beside = {*staged, *(name for name in decks if name not in written_roles(decks))}
    findings = {}
    for name, role in written_roles(decks).items():
        # crystal leaves its wave function for properties.
        left = {"fort.9"} if role == "d3" and "d12" in written_roles(decks).values() else set()
        findings[name] = check_deck(decks[name], role, beside | left)
    return findings


def field_states(fields: Sequence[FieldSpec], texts: Mapping[str, str]) -> tuple[frozenset[str], frozenset[str]]:
    """Fields that these texts show, and those of them that they lock, whether or not all are right yet."""
    values: dict[str, Any] = {}
    disabled = set()
    with together():
        for spec in fields:
            try:
                if not spec.visible(values):
                    continue
                if not spec.enabled(values):
                    disabled.add(spec.key)
                text = texts.get(spec.key) or spec.starting_value(values)
                values[spec.key] = spec.read(text if text is not None else "")
            except ValueError:
                values[spec.key] = None
    return frozenset(values), frozenset(disabled)


# -- what the group saved --------------------------------------------------------------------------------------------------


def read_metadata(texts: Mapping[str, str]) -> tuple[TemplateSpec, str]:
    """Metadata and revision of a template that a user saved or is writing.

    Raises:
        ConfigurationError: what is wrong with which file.
    """
    spec, _, revision = build(texts, compiled=False)
    return spec, revision


def read_set(text: str) -> tuple[frozenset[int], tuple[str, ...]]:
    """The elements of a basis set, and what was filled in.

    Raises:
        BasisError: names the line and the reason.
    """
    known = read_basis_set(text)
    return known.numbers, known.notes
