"""The template library as people browse it: shelves by category, search, one template with its history and an example."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.people.permissions import Actor, can, require
from app.errors import NotFound
from app.library.template_files import METADATA, Template
from app.library.templates import Broken, Rendering
from app.services.catalogue import reviews
from app.services.catalogue.reviews import Standing
from app.services.catalogue.templates import Version, history, refresh, texts_of
from app.services.context import Context


@dataclass(frozen=True)
class Shelves:
    """What was found: templates by category, the tags and categories there are, and what is broken."""

    categories: dict[str, list[Template]]
    all_categories: list[str]
    tags: list[str]
    broken: list[Broken]
    standings: dict[str, Standing]

    @property
    def count(self) -> int:
        """Number of templates on all shelves."""
        return sum(len(templates) for templates in self.categories.values())


@dataclass(frozen=True)
class Shelf:
    """One template: what it is, what its example renders, who changed it when."""

    template: Template
    example: Rendering
    versions: list[Version]
    may_change: bool
    own: bool
    standing: Standing
    abilities: list[str]


async def search(context: Context, actor: Actor, words: str = "", category: str = "", tag: str = "") -> Shelves:
    """Templates that hold all the words in their title, description, tags, fields or keywords."""
    require(actor, "template.read")
    await refresh(context)
    every = context.templates.all()
    wanted = words.lower().split()
    shelves: dict[str, list[Template]] = {}
    for template in every:
        spec = template.spec
        if (category and spec.category != category) or (tag and tag not in spec.tags):
            continue
        text = _words(template)
        if all(word in text for word in wanted):
            shelves.setdefault(spec.category, []).append(template)
    shelves = dict(sorted(shelves.items(), key=lambda shelf: _place(shelf[0])))
    tags = sorted({name for template in every for name in template.spec.tags})
    categories = sorted({template.spec.category for template in every})
    standings = await reviews.standings(context, actor, every)
    return Shelves(shelves, categories, tags, context.templates.broken, standings)


_ORDER = ("Energy and geometry", "Electronic structure", "Vibrations", "Response", "Surfaces and molecules")


def _place(category: str) -> tuple[int, str]:
    """Built-in categories first, in the order in which people meet them."""
    return (_ORDER.index(category) if category in _ORDER else len(_ORDER), category)


def _words(template: Template) -> str:
    spec = template.spec
    fields = " ".join(f"{field.label} {field.keyword}" for field in spec.fields)
    return " ".join((spec.id, spec.title, spec.description, spec.author, *spec.tags, fields)).lower()


async def one(context: Context, actor: Actor, template_id: str) -> Shelf:
    """One template.

    Raises:
        NotFound: no such template, or a broken one.
    """
    require(actor, "template.read")
    await refresh(context)
    template = context.templates.get(template_id)
    example = await context.renderer.try_template(actor.user_id, template, dict(template.spec.example))
    own = not context.templates.is_fixed(template_id)
    versions = await history(context, actor, template_id) if own else []
    standing = await reviews.standing(context, actor, template)
    may_change = own and can(actor, "template.create")
    return Shelf(template, example, versions, may_change, own, standing, reviews.abilities(template))


async def beginning(context: Context, actor: Actor, like: str) -> dict[str, str]:
    """Texts for the editor: a copy of another template under a new name, or a small working one."""
    require(actor, "template.create")
    await refresh(context)
    if not like:
        return dict(STARTER)
    try:
        texts, _ = await texts_of(context, actor, like)
    except NotFound:
        return dict(STARTER)
    mark, copy = f'id = "{like}"', f'id = "my_{like}"'
    return texts | {METADATA: texts[METADATA].replace(mark, copy, 1)}


STARTER = {
    METADATA: """\
id = "my_scf"
title = "My single point"
description = "Energy with the settings of our group."
category = "Ours"
tags = ["scf"]
before = ["structure"]
after = ["basis"]
files = [{ name = "my_scf.d12", role = "d12" }]
produces = [{ role = "wavefunction", name = "fort.9" }]

[[fields]]
key = "method"
type = "choice"
label = "Method"
group = "Method"
default = "PBE0"
choices = [{ value = "HF", label = "Hartree–Fock" }, { value = "PBE0" }, { value = "B3LYP" }]

[[fields]]
key = "shrink"
type = "integer"
label = "Shrinking factor"
keyword = "SHRINK"
group = "SCF"
default = 8
min = 1
max = 100

[example]
title = "MgO"
space_group = 225
a = 4.21
atoms = [["Mg", 0, 0, 0], ["O", 0.5, 0.5, 0.5]]
method = "HF"
basis_set = "STO-3G"
shrink = 4
""",
    "my_scf.d12.j2": """\
{% include "geometry.j2" %}
{% include "basis.j2" %}
{% if method != "HF" %}
DFT
{{ method }}
ENDDFT
{% endif %}
SHRINK
{{ shrink }} {{ 2 * shrink }}
TOLDEE
8
END
""",
}
