"""The template library: built-in and configured folders, what the group made in the browser, and its basis sets.

A template that cannot be read is listed with its error; it never hides another. Templates from the browser are rendered in
a process of their own with limits of time, memory and output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.crystal.annotations import Line, annotate
from app.crystal.basis_library import BasisError, BasisSet, read_basis_set
from app.crystal.checker import check_deck
from app.crystal.deck import Finding
from app.crystal.decks import written_roles
from app.crystal.facts import Supplies
from app.domain.fields import Choice, FieldSpec
from app.domain.templates import refuse
from app.errors import ConfigurationError, CrystalDeckError, FieldError, InvalidInput, NotFound
from app.services.template_files import BUILT_IN, SHARED, Template, build, read_folder
from app.services.worker import Worker, WorkerDied

RENDER_SECONDS = 5


@dataclass(frozen=True)
class Broken:
    """A template that cannot be used, and why."""

    id: str
    origin: str
    reason: str


@dataclass(frozen=True)
class Rendering:
    """A template with one set of answers: typed values, decks by name, errors. Decks are empty where fields are wrong.

    `findings` is what the deck checker says of each deck; a deck with an error in it is shown and not submitted.
    """

    template: Template
    values: dict[str, Any]
    decks: dict[str, str]
    errors: list[FieldError]
    message: str = ""
    findings: dict[str, list[Finding]] = field(default_factory=dict)

    @property
    def faults(self) -> list[FieldError]:
        """The errors that the checker found, by deck."""
        return [
            FieldError(name, f"line {finding.line}: {finding}")
            for name, found in self.findings.items()
            for finding in found
            if finding.severity == "error"
        ]

    @property
    def title(self) -> str:
        """The title that was asked for, or the first line of the first deck."""
        first = next(iter(self.decks.values()), "").split("\n", 1)[0].strip()
        return str(self.values.get("title") or first or self.template.spec.id)

    def lines(self, name: str) -> list[Line]:
        """One of the decks, line by line, with meanings and findings."""
        return annotate(self.decks[name], name.rpartition(".")[2], self.findings.get(name, []))


class TemplateLibrary:
    """All templates; a later folder overrides an earlier one, and both win over the browser's."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._fixed: dict[str, Template] = {}
        self._fixed_broken: list[Broken] = []
        for folder in (BUILT_IN, *folders):
            origin = "built-in" if folder == BUILT_IN else "folder"
            for path in sorted(folder.glob("*/template.toml")):
                self._load(path.parent, folder, origin)
        self._own: dict[str, Template] = {}
        self.broken: list[Broken] = list(self._fixed_broken)
        self.basis_sets: dict[str, BasisSet] = {}
        self.stamp: tuple[int, int] | None = None
        """What of the database is in here; see `library.refresh`."""
        self._worker = Worker(RENDER_SECONDS, (__name__,))
        self._templates = dict(self._fixed)

    def _load(self, path: Path, folder: Path, origin: str) -> None:
        shared = folder / SHARED
        try:
            template = build(read_folder(path), shared=shared if shared.is_dir() else BUILT_IN / SHARED, origin=origin)
        except (OSError, UnicodeDecodeError) as error:
            self._fixed_broken.append(Broken(path.name, str(path), f"{error}."))
        except ConfigurationError as error:
            self._fixed_broken.append(Broken(path.name, str(path), error.message))
        else:
            self._fixed[template.spec.id] = template

    def adopt(
        self, stamp: tuple[int, int], made: Mapping[str, tuple[Mapping[str, str], str]], basis: Mapping[str, str]
    ) -> None:
        """Take over what the group made: texts and author by template id, texts of basis sets by name."""
        own, broken = {}, list(self._fixed_broken)
        for template_id, (texts, author) in made.items():
            try:
                own[template_id] = build(texts, origin=author, trusted=False)
            except ConfigurationError as error:
                broken.append(Broken(template_id, author, error.message))
        sets = {}
        for name, text in basis.items():
            try:
                sets[name] = read_basis_set(text)
            except BasisError as error:
                broken.append(Broken(name, "basis set", str(error)))
        self._own, self.broken, self.basis_sets = own, broken, sets
        lists = {"basis_library": [Choice(value=name) for name in sets]}
        merged = {**own, **self._fixed}
        self._templates = {
            key: replace(template, spec=template.spec.with_choices(lists)) for key, template in merged.items()
        }
        self.stamp = stamp

    def all(self) -> list[Template]:
        return list(self._templates.values())

    def is_fixed(self, template_id: str) -> bool:
        """Does it come from a folder, so that nobody can change it in the browser?"""
        return template_id in self._fixed

    def get(self, template_id: str) -> Template:
        try:
            return self._templates[template_id]
        except KeyError:
            broken = next((entry for entry in self.broken if entry.id == template_id), None)
            if broken is not None:
                raise NotFound(f"The template {template_id} is broken: {broken.reason}", hint="Correct it.") from None
            raise NotFound(
                f"There is no template {template_id[:80]!r}.",
                hint=f"Known templates: {', '.join(self._templates)}.",
            ) from None

    def render(self, template_id: str, raw: dict[str, Any], supplies: Supplies | None = None) -> Rendering:
        """Decks for these answers, or InvalidInput that names every wrong field."""
        template = self.get(template_id)
        values = template.spec.require(raw)
        rendering = self._checked(template, values, supplies)
        if rendering.faults:
            raise refuse(template_id, rendering.faults)
        return rendering

    def try_render(self, template_id: str, raw: dict[str, Any], supplies: Supplies | None = None) -> Rendering:
        """Like `render`, but wrong answers come back as errors beside the values that were right."""
        return self.try_template(self.get(template_id), raw, supplies)

    def try_template(self, template: Template, raw: dict[str, Any], supplies: Supplies | None = None) -> Rendering:
        """`try_render` of a template that need not be in the library."""
        values, errors = template.spec.read(raw)
        if errors:
            return Rendering(template, values, {}, errors)
        try:
            return self._checked(template, values, supplies)
        except InvalidInput as error:
            return Rendering(template, values, {}, error.fields, error.message)
        except CrystalDeckError as error:
            return Rendering(template, values, {}, [], error.sentence)

    def _checked(self, template: Template, values: dict[str, Any], supplies: Supplies | None) -> Rendering:
        given = replace(supplies or Supplies(), basis_sets=self.basis_sets)
        decks = self._write(template, values, given)
        findings = check_decks(decks, staged_names(template, values))
        return Rendering(template, values, decks, [], findings=findings)

    def _write(self, template: Template, values: dict[str, Any], supplies: Supplies) -> dict[str, str]:
        if template.trusted:
            return template.writer.write(values, supplies)
        try:
            kind, answer = self._worker.call(_write_apart, dict(template.texts), template.revision, values, supplies)
        except WorkerDied as error:
            raise ConfigurationError(
                f"The template {template.spec.id} was stopped: {error}.", hint="Does it loop without end?"
            ) from error
        match kind:
            case "decks":
                decks: dict[str, str] = answer
                return decks
            case "invalid":
                raise refuse(template.spec.id, [FieldError(*parts) for parts in answer])
        raise ConfigurationError(str(answer), hint="Correct the template.")

    def prepare(self) -> None:
        """Somebody looks at templates and may soon open the editor: start the other process."""
        self._worker.prepare()

    def close(self) -> None:
        self._worker.close()


_built: dict[str, Template] = {}


def _write_apart(
    texts: dict[str, str], revision: str, values: dict[str, Any], supplies: Supplies
) -> tuple[str, dict[str, str] | list[tuple[str, str, str]] | str]:
    """In the other process: decks, wrong fields, or the fault, in a form that travels."""
    if revision not in _built:
        _built.clear()
        _built[revision] = build(texts, trusted=False)
    try:
        return "decks", _built[revision].writer.write(values, supplies)
    except InvalidInput as error:
        return "invalid", [(entry.field, entry.reason, entry.value) for entry in error.fields]
    except CrystalDeckError as error:
        return "fault", error.message


def staged_names(template: Template, values: dict[str, Any]) -> list[str]:
    """Names under which the programs will find the files that these answers attach."""
    return [spec.staged_as for spec in template.spec.needs if values.get(spec.key)]


def check_decks(decks: dict[str, str], staged: Iterable[str]) -> dict[str, list[Finding]]:
    """What the checker says of each deck, given the files that will lie beside it."""
    beside = {*staged, *(name for name in decks if name not in written_roles(decks))}
    found = {}
    for name, role in written_roles(decks).items():
        # crystal leaves its wave function for properties.
        left = {"fort.9"} if role == "d3" and "d12" in written_roles(decks).values() else set()
        found[name] = check_deck(decks[name], role, beside | left)
    return found


def form_values(fields: Iterable[FieldSpec], example: dict[str, Any]) -> dict[str, str]:
    """Texts that fill a fresh form: the defaults, with `example` over them."""
    return {field.key: field.as_text(example.get(field.key, field.default)) for field in fields}
