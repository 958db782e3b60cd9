"""The template library: reads template folders once, renders decks from raw answers."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.crystal.annotations import Line, annotate
from app.crystal.checker import check_deck
from app.crystal.deck import Finding
from app.crystal.decks import DeckWriter
from app.domain.fields import FieldSpec
from app.domain.templates import TemplateSpec, refuse
from app.errors import ConfigurationError, CrystalDeckError, FieldError, InvalidInput, NotFound

BUILT_IN = Path(__file__).resolve().parents[2] / "input_templates"
SHARED = "_shared"


@dataclass(frozen=True)
class Template:
    """Metadata, what writes its decks, and a checksum over the metadata and all sources."""

    spec: TemplateSpec
    writer: DeckWriter
    revision: str


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
    """All templates of the built-in and the configured folders; a later folder overrides an earlier one."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._templates: dict[str, Template] = {}
        for folder in (BUILT_IN, *folders):
            for path in sorted(folder.glob("*/template.toml")):
                template = load_template(path.parent)
                self._templates[template.spec.id] = template

    def all(self) -> list[Template]:
        return list(self._templates.values())

    def get(self, template_id: str) -> Template:
        try:
            return self._templates[template_id]
        except KeyError:
            raise NotFound(
                f"There is no template {template_id[:80]!r}.",
                hint=f"Known templates: {', '.join(self._templates)}.",
            ) from None

    def render(self, template_id: str, raw: dict[str, Any]) -> Rendering:
        """Decks for these answers, or InvalidInput that names every wrong field."""
        template = self.get(template_id)
        values = template.spec.require(raw)
        rendering = _checked(template, values)
        if rendering.faults:
            raise refuse(template_id, rendering.faults)
        return rendering

    def try_render(self, template_id: str, raw: dict[str, Any]) -> Rendering:
        """Like `render`, but wrong answers come back as errors beside the values that were right."""
        template = self.get(template_id)
        values, errors = template.spec.read(raw)
        if errors:
            return Rendering(template, values, {}, errors)
        try:
            return _checked(template, values)
        except InvalidInput as error:
            return Rendering(template, values, {}, error.fields, error.message)
        except CrystalDeckError as error:
            return Rendering(template, values, {}, [], error.sentence)


def _merged(presets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts of one preset, from shared and own metadata, put together."""
    merged: dict[str, dict[str, Any]] = {}
    for part in presets:
        known = merged.setdefault(part.get("id", ""), {"values": {}})
        known |= {**part, "values": {**known["values"], **part.get("values", {})}}
    return list(merged.values())


def _checked(template: Template, values: dict[str, Any]) -> Rendering:
    decks = template.writer.write(values)
    # Beside the decks lies only what the steps before leave: crystal leaves its wave function for properties.
    files = {"d12": (), "d3": ("fort.9",) if any(name.endswith(".d12") for name in decks) else ()}
    roles = {name: name.rpartition(".")[2] for name in decks}
    findings = {name: check_deck(text, roles[name], files[roles[name]]) for name, text in decks.items()}
    return Rendering(template, values, decks, [], findings=findings)


def load_template(folder: Path) -> Template:
    """Read one template folder and the shared parts that it names.

    Raises:
        ConfigurationError: a file is missing or its metadata are wrong.
    """
    try:
        metadata = tomllib.loads((folder / "template.toml").read_text(encoding="utf-8"))
        shared = folder.parent / SHARED
        before = [tomllib.loads((shared / f"{name}.toml").read_text()) for name in metadata.pop("before", [])]
        after = [tomllib.loads((shared / f"{name}.toml").read_text()) for name in metadata.pop("after", [])]
        for key in ("fields", "checks"):
            parts = [*before, metadata, *after]
            metadata[key] = [item for part in parts for item in part.get(key, [])]
        # What the template itself says of a preset comes last and wins.
        metadata["presets"] = _merged(
            [item for part in (*before, *after, metadata) for item in part.get("presets", [])]
        )
        spec = TemplateSpec.model_validate(metadata)
        sources = {path.name: path.read_text(encoding="utf-8") for path in shared.glob("*.j2")}
        sources |= {file.source: (folder / file.source).read_text(encoding="utf-8") for file in spec.files}
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError(
            f"The template in {folder} cannot be loaded: {error}.", hint="Correct or remove the folder."
        ) from error
    digest = hashlib.sha256(spec.model_dump_json().encode())
    for name in sorted(sources):
        digest.update(f"\0{name}\0{sources[name]}".encode())
    return Template(spec, DeckWriter(spec, sources), digest.hexdigest())


def form_values(fields: Iterable[FieldSpec], example: dict[str, Any]) -> dict[str, str]:
    """Texts that fill a fresh form: the defaults, with `example` over them."""
    return {field.key: field.as_text(example.get(field.key, field.default)) for field in fields}
