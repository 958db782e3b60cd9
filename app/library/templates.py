"""The template library: built-in and configured folders, what the group made in the browser, and its basis sets.

A template that cannot be read is listed with its error; it never hides another. The library holds what templates say of
themselves; decks are made of them in worker processes (`renderer`, `drafting`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.crystal.decks.annotations import Line
from app.crystal.decks.facts import Supplies
from app.crystal.decks.model import Finding
from app.domain.templates.fields import Choice, FieldSpec
from app.domain.templates.metadata import TemplateSpec, refuse
from app.errors import ConfigurationError, FieldError, NotFound
from app.library.drafting import Drafted, Recipe, Wanted, draft
from app.library.template_files import BUILT_IN, SHARED, Template, read_folder, template_of


@dataclass(frozen=True)
class Broken:
    """A template that cannot be used, and why."""

    id: str
    origin: str
    reason: str


@dataclass(frozen=True)
class OwnBasis:
    """A basis set of the group: its text, and what was found in it. `fault`: it cannot be used."""

    text: str
    numbers: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True)
class Rendering:
    """A template with what one set of answers makes of it: typed values, decks by name, errors.

    Decks are empty where fields are wrong. `findings` is what the deck checker says of each deck; a deck with an error in it
    is shown and not submitted.
    """

    template: Template
    drafted: Drafted

    @property
    def values(self) -> dict[str, Any]:
        """The validated values of all fields."""
        return self.drafted.values

    @property
    def decks(self) -> dict[str, str]:
        """Texts of the decks, by file name."""
        return self.drafted.decks

    @property
    def errors(self) -> list[FieldError]:
        """What is wrong with the values, field by field."""
        return self.drafted.errors

    @property
    def message(self) -> str:
        """Why no deck could be written; empty: there is one."""
        return self.drafted.message

    @property
    def findings(self) -> dict[str, list[Finding]]:
        """What the deck checker says, by file name."""
        return self.drafted.findings

    @property
    def faults(self) -> list[FieldError]:
        """The errors that the checker found, by deck."""
        return [
            FieldError(name, f"line {finding.line}: {finding}")
            for name, findings in self.findings.items()
            for finding in findings
            if finding.severity == "error"
        ]

    @property
    def title(self) -> str:
        """The title that was asked for, or the first line of the first deck."""
        first = next(iter(self.decks.values()), "").partition("\n")[0].strip()
        return str(self.values.get("title") or first or self.template.spec.id)

    def lines(self, name: str) -> list[Line]:
        """One of the decks, line by line, with meanings and findings.

        Raises:
            KeyError: no look at it was asked for. An empty deck on a page would be taken for the deck.
        """
        return self.drafted.lines[name]

    def required(self) -> Rendering:
        """The rendering itself, or the error that a strict caller gets."""
        if self.drafted.fault is not None:
            raise self.drafted.fault
        if self.faults:
            raise refuse(self.template.spec.id, self.faults)
        return self


@dataclass
class Saved:
    """What the group saved, read: templates or what is wrong with them, and basis sets by name."""

    templates: dict[str, Template | Broken] = field(default_factory=dict)
    basis: dict[str, OwnBasis] = field(default_factory=dict)


class TemplateLibrary:
    """All templates; a later folder overrides an earlier one, and both win over the browser's."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._fixed: dict[str, Template] = {}
        self._fixed_broken: list[Broken] = []
        for folder in (BUILT_IN, *folders):
            origin = "built-in" if folder == BUILT_IN else "folder"
            for path in sorted(folder.glob("*/template.toml")):
                self._load(path.parent, folder, origin)
        self.broken: list[Broken] = list(self._fixed_broken)
        self.saved = Saved()
        self.stamp: tuple[int, int] | None = None
        """What of the database is in here; see `library.refresh`."""
        self._templates = dict(self._fixed)

    def _load(self, path: Path, folder: Path, origin: str) -> None:
        shared = folder / SHARED if (folder / SHARED).is_dir() else BUILT_IN / SHARED
        try:
            template = template_of(read_folder(path), shared=shared, origin=origin)
        except (OSError, UnicodeDecodeError) as error:
            self._fixed_broken.append(Broken(path.name, str(path), f"{error}."))
        except ConfigurationError as error:
            self._fixed_broken.append(Broken(path.name, str(path), error.message))
        else:
            self._fixed[template.spec.id] = template

    def adopt(self, stamp: tuple[int, int], saved: Saved) -> None:
        """Take over what the group made."""
        broken = list(self._fixed_broken)
        broken += [entry for entry in saved.templates.values() if isinstance(entry, Broken)]
        broken += [Broken(name, "basis set", entry.fault) for name, entry in saved.basis.items() if entry.fault]
        own = {key: entry for key, entry in saved.templates.items() if isinstance(entry, Template)}
        self.saved, self.broken = saved, broken
        lists = {"basis_library": [Choice(value=name) for name in self.basis_names]}
        merged = {**own, **self._fixed}
        self._templates = {
            key: replace(template, spec=template.spec.with_choices(lists)) for key, template in merged.items()
        }
        self.stamp = stamp

    @property
    def basis_names(self) -> tuple[str, ...]:
        """Basis sets of the group that can be used."""
        return tuple(name for name, basis in self.saved.basis.items() if not basis.fault)

    def all(self) -> list[Template]:
        """All templates that can be used: built-in ones, those of further folders, and the group's."""
        return list(self._templates.values())

    def is_fixed(self, template_id: str) -> bool:
        """Does it come from a folder, so that it cannot be changed in the browser?"""
        return template_id in self._fixed

    def get(self, template_id: str) -> Template:
        """The template of this id. Raises NotFound: there is none; ConfigurationError: it cannot be read."""
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

    def recipe(self, template: Template) -> Recipe:
        """What a worker process needs to make this template."""
        return Recipe(template.revision, dict(template.texts), template.shared, self.basis_names)

    def render(self, template_id: str, raw: dict[str, Any], supplies: Supplies | None = None) -> Rendering:
        """Decks for these answers, or InvalidInput that names every wrong field.

        It works in this very process: for the command line and for tools. The service has `context.renderer`.
        """
        return self.try_render(template_id, raw, supplies).required()

    def try_render(self, template_id: str, raw: dict[str, Any], supplies: Supplies | None = None) -> Rendering:
        """Like `render`, but wrong answers come back as errors beside the values that were right."""
        return self.try_template(self.get(template_id), raw, supplies)

    def try_template(self, template: Template, raw: dict[str, Any], supplies: Supplies | None = None) -> Rendering:
        """`try_render` of a template that need not be in the library."""
        basis = {name: entry.text for name, entry in self.saved.basis.items()}
        return Rendering(template, draft(self.recipe(template), raw, supplies or Supplies(), basis, Wanted(look=True)))


def bare(spec: TemplateSpec) -> Template:
    """A template that only has a form."""
    return Template(spec, "", {})


def form_values(fields: Iterable[FieldSpec], example: Mapping[str, Any]) -> dict[str, str]:
    """Texts that fill a fresh form: the defaults, with `example` over them."""
    return {field.key: field.as_text(example.get(field.key, field.default)) for field in fields}
