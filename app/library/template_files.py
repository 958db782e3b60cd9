"""From `template.toml` and its Jinja files to a template: shared parts put in, presets merged, everything validated."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app import places
from app.crystal.decks.internal_basis import INTERNAL_SETS, MORE_SETS, coverage
from app.crystal.decks.rendering import DeckWriter
from app.crystal.files import template_fault
from app.domain.templates.conditions import condition
from app.domain.templates.fields import COMPOSITES, Choice
from app.domain.templates.metadata import TemplateSpec
from app.errors import ConfigurationError

BUILT_IN = places.INPUT_TEMPLATES
SHARED = "_shared"
METADATA = "template.toml"
_EXPRESSIONS = ("visible_when", "enabled_when", "default_from")


@dataclass(frozen=True)
class Template:
    """Metadata, a checksum over the metadata and all sources, and whose it is. Decks are written from it by `drafting`."""

    spec: TemplateSpec
    revision: str
    texts: Mapping[str, str]
    """`template.toml` and the Jinja files, as they were written."""
    origin: str = "built-in"
    """built-in, folder, or the name of the person who made it."""
    shared: Path = BUILT_IN / SHARED
    """Where the shared parts lie that it names."""


def checksum(spec: TemplateSpec, sources: Mapping[str, str]) -> str:
    """The revision: over the metadata and all sources."""
    digest = hashlib.sha256(spec.model_dump_json().encode())
    for name in sorted(sources):
        digest.update(f"\0{name}\0{sources[name]}".encode())
    return digest.hexdigest()


def internal_sets() -> tuple[Choice, ...]:
    """CRYSTAL's own library, each set with the elements that it covers."""
    preferred = ("POB-TZVP-REV2", "POB-DZVP-REV2")
    names = [*preferred, *(name for name in (*INTERNAL_SETS, *MORE_SETS) if name not in preferred)]
    return tuple(Choice(value=name, label=f"{name} ({coverage(name)})") for name in names)


STATIC_LISTS = {"internal_basis_sets": internal_sets()}


@cache
def _shared_part(folder: Path, name: str) -> dict[str, Any]:
    return tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))


@cache
def _shared_sources(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.j2"))}


def read_folder(folder: Path) -> dict[str, str]:
    """The texts of a template folder."""
    paths = [folder / METADATA, *sorted(folder.glob("*.j2"))]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def build(
    texts: Mapping[str, str], *, shared: Path = BUILT_IN / SHARED, compiled: bool = True
) -> tuple[TemplateSpec, DeckWriter, str]:
    """Metadata, what writes the decks, and the revision of the template that these texts make.

    Args:
        compiled: look at once whether the files are Jinja's.

    Raises:
        ConfigurationError: what is wrong with which file.
    """
    try:
        metadata = _complete(tomllib.loads(texts[METADATA]), shared)
        spec = TemplateSpec.model_validate(metadata)
        if wrong := template_fault(spec):
            raise ValueError(wrong)
        sources = {**_shared_sources(shared), **{name: text for name, text in texts.items() if name != METADATA}}
        missing = [file.source for file in spec.files if file.source not in sources]
        if missing:
            raise ValueError(f"the file {missing[0]} is missing")
        writer = DeckWriter(spec, sources)
        if compiled:
            writer.compile()
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'template'}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()[:5]
        )
        raise _broken(texts, reasons) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise _broken(texts, f"{METADATA} is not valid ({error})") from error
    except RecursionError as error:
        raise _broken(texts, f"{METADATA} is nested too deeply") from error
    except (OSError, ValueError) as error:
        raise _broken(texts, str(error)) from error
    return spec, writer, checksum(spec, sources)


def template_of(texts: Mapping[str, str], *, shared: Path = BUILT_IN / SHARED, origin: str = "built-in") -> Template:
    """The template that these texts make, looked through and compiled in this very process.

    Only for texts of the installation: Jinja computes constants while it compiles, and `'x' * 10**10` is one.

    Raises:
        ConfigurationError: what is wrong with which file.
    """
    spec, _, revision = build(texts, shared=shared)
    return Template(spec, revision, dict(texts), origin, shared)


def _broken(texts: Mapping[str, str], reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The template cannot be read: {reason}.", hint="Correct it; other templates are not affected."
    )


def _complete(metadata: dict[str, Any], shared: Path) -> dict[str, Any]:
    """Metadata with shared parts and composite types put in, choices filled, presets merged."""
    before = [_part(entry, shared) for entry in metadata.pop("before", [])]
    after = [_part(entry, shared) for entry in metadata.pop("after", [])]
    parts = [*before, metadata, *after]
    expanded = [field for part in parts for given in part.get("fields", []) for field in _expanded(given, shared)]
    fields: dict[str, dict[str, Any]] = {}
    for field in expanded:
        # A template may word a shared field anew: the same key again changes what it names.
        key = field.get("key", "")
        fields[key] = {**fields[key], **field} if key in fields else field
    shared_keys = {field["key"] for part in (*before, *after) for field in part["fields"]}
    metadata["fields"] = [
        _with_choices(_loosened(field, fields.keys()) if key in shared_keys else field) for key, field in fields.items()
    ]
    _check_names(metadata["fields"], shared)
    known = {field.get("key") for field in metadata["fields"]}
    metadata["checks"] = [check for part in parts for check in part.get("checks", [])]
    # What the template itself says of a preset comes last and wins; a shared preset's values for other fields fall away.
    presets = _merged([item for part in (*before, *after, metadata) for item in part.get("presets", [])])
    own = {item.get("id"): item.get("values", {}) for item in metadata.get("presets", [])}
    for preset in presets:
        named = own.get(preset.get("id"), {})
        preset["values"] = {key: value for key, value in preset["values"].items() if key in known or key in named}
    metadata["presets"] = presets
    return metadata


def _part(entry: Any, folder: Path) -> dict[str, Any]:
    """A shared part by its name, or by `part` with a condition or kinds that narrow it."""
    reference: dict[str, Any] = {"part": entry} if isinstance(entry, str) else dict(entry)
    name = str(reference.pop("part", ""))
    if not name.isidentifier() or not (folder / f"{name}.toml").is_file():
        raise ValueError(f"there is no shared part {name!r}")
    part = dict(_shared_part(folder, name))
    when, kinds = str(reference.pop("when", "")), reference.pop("kinds", None)
    if reference:
        raise ValueError(f"a shared part takes the keys part, when and kinds, not {', '.join(reference)}")
    part["fields"] = [_narrowed(field, when) for field in _of_kinds(part.get("fields", []), kinds)]
    keys = {field["key"] for field in part["fields"]}
    part["checks"] = [check for check in part.get("checks", []) if check.get("field") in keys]
    return part


def _expanded(field: dict[str, Any], shared: Path) -> list[dict[str, Any]]:
    """The fields that a composite type stands for, or the field itself."""
    if field.get("type") not in COMPOSITES:
        return [field]
    more = {key: value for key, value in field.items() if key in ("when", "kinds")}
    part = _part({"part": field["type"], **more}, shared)
    fields: list[dict[str, Any]] = part["fields"]
    return fields


def _of_kinds(fields: list[dict[str, Any]], kinds: list[str] | None) -> list[dict[str, Any]]:
    """The fields of these kinds of structure; without the loader's own key `only`."""
    kept = []
    for field in fields:
        only = field.get("only")
        if kinds is not None and only is not None and not set(only) & set(kinds):
            continue
        own = {key: value for key, value in field.items() if key != "only"}
        if kinds is not None and own["key"] == "system":
            own["choices"] = [choice for choice in own["choices"] if choice["value"] in kinds]
            own["default"] = kinds[0]
        kept.append(own)
    return kept


def _narrowed(field: dict[str, Any], when: str) -> dict[str, Any]:
    if not when:
        return field
    own = field.get("visible_when")
    return {**field, "visible_when": f"({when}) and ({own})" if own else when}


def _loosened(field: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """A shared field without the conditions that name only fields which this template does not have."""
    kept = dict(field)
    for key in _EXPRESSIONS:
        names = condition(kept[key]).names if kept.get(key) else frozenset()
        if names and not names & set(known):
            del kept[key]
    return kept


def _check_names(fields: Iterable[dict[str, Any]], shared: Path) -> None:
    """Expressions name fields that stand before; those of shared parts that a template leaves out count as known."""
    seen = {field["key"] for part in sorted(shared.glob("*.toml")) for field in _fields_of(shared, part.stem)}
    for field in fields:
        for key in _EXPRESSIONS:
            if unknown := condition(field.get(key) or "1").names - seen:
                raise ValueError(
                    f"field {field.get('key')}: {key} names {sorted(unknown)}, which no field before it has"
                )
        seen.add(field.get("key", ""))


def _fields_of(shared: Path, name: str) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = _shared_part(shared, name).get("fields", [])
    return fields


def _with_choices(field: dict[str, Any]) -> dict[str, Any]:
    listed = STATIC_LISTS.get(field.get("choices_from", ""))
    return field if listed is None else {**field, "choices": [choice.model_dump() for choice in listed]}


def _merged(presets: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parts of one preset, from shared and own metadata, put together."""
    merged: dict[str, dict[str, Any]] = {}
    for part in presets:
        known = merged.setdefault(part.get("id", ""), {"values": {}})
        known |= {**part, "values": {**known["values"], **part.get("values", {})}}
    return list(merged.values())
