"""Random valid decks of all templates, and what the checker calls wrong in them: nothing, or the checker or a template errs.

Run as a module for more than a test has time for: `python -m tests.crystal.decks.random_decks 5000`.
"""

from __future__ import annotations

import random
import sys
from typing import Any

from app.domain.templates.fields import FieldSpec
from app.library.templates import TemplateLibrary

LIBRARY = TemplateLibrary()

CRYSTALS: list[dict[str, Any]] = [
    {"space_group": 225, "a": 4.21, "atoms": [["Mg", 0, 0, 0], ["O", 0.5, 0.5, 0.5]]},
    {"space_group": 227, "a": 5.43, "atoms": [["Si", 0.125, 0.125, 0.125]]},
    {"space_group": 136, "a": 4.594, "c": 2.959, "atoms": [["Ti", 0, 0, 0], ["O", 0.305, 0.305, 0]]},
    {"space_group": 167, "a": 4.76, "c": 12.99, "atoms": [["Al", 0, 0, 0.352], ["O", 0.306, 0, 0.25]]},
    {"space_group": 194, "a": 2.46, "c": 6.7, "atoms": [["C", 0, 0, 0.25], ["C", 1 / 3, 2 / 3, 0.25]]},
    {"space_group": 62, "a": 7.6, "b": 8.5, "c": 4.8, "atoms": [["Mg", 0.1, 0.25, 0.2], ["O", 0.4, 0.25, 0.7]]},
    {"space_group": 14, "a": 5.1, "b": 5.2, "c": 5.3, "beta": 99.2, "atoms": [["Zr", 0.27, 0.04, 0.2], ["O", 0.07, 0.33, 0.34]]},
    {"space_group": 1, "a": 4, "b": 5, "c": 6, "alpha": 80, "beta": 95, "gamma": 100, "atoms": [["He", 0.1, 0.2, 0.3]]},
    {"space_group": 229, "a": 2.87, "atoms": [["Fe", 0, 0, 0]]},
]  # fmt: skip
STRUCTURES: list[dict[str, Any]] = [
    *({"system": "crystal", **crystal} for crystal in CRYSTALS),
    {"system": "slab", "layer_group": 77, "a": 2.46, "atoms": [["C", 1 / 3, 2 / 3, 0]]},
    {"system": "slab", "layer_group": 1, "a": 3.0, "b": 4.0, "gamma": 95, "atoms": [["Mg", 0, 0, 1.0], ["O", 0.5, 0.5, -1]]},
    {"system": "slab", "layer_group": 55, "a": 4.2, "atoms": [["Mg", 0, 0, 0], ["O", 0.5, 0.5, 0]]},
    {"system": "polymer", "rod_group": 1, "a": 4.0, "atoms": [["Si", 0, 0, 0], ["O", 0.5, 1.2, 0]]},
    {"system": "molecule", "point_group": 1, "atoms": [["O", 0, 0, 0], ["H", 0, 0.76, 0.59], ["H", 0, -0.76, 0.59]]},
]  # fmt: skip
SUPERCELLS = {
    "supercell": ["2 1 1", "2 2", "2", "1 1 0 0 1 0 0 0 2"], "phonon_supercell": ["2 2 2", "2 2", "2"],
    "slab_supercell": ["2 2", "1 1 -1 1"],
}  # fmt: skip


def anything(field: FieldSpec, chance: random.Random) -> Any:
    """A valid answer."""
    if field.type == "boolean":
        return chance.random() < 0.5
    if field.choices_from == "basis_library":
        return None
    if field.type == "choice":
        return chance.choice(field.choices).value
    if field.type == "multichoice":
        return [choice.value for choice in field.choices if chance.random() < 0.5] or [field.choices[0].value]
    if field.type == "kmesh":
        factors = [chance.randint(1, 24) for _ in range(3)]
        return factors if chance.random() < 0.3 else factors[0]
    if field.type == "file":
        return f"job:abcdefgh/{field.accept[0]}" if field.required or chance.random() < 0.2 else None
    if field.key in SUPERCELLS:
        return chance.choice(SUPERCELLS[field.key])
    if field.type == "integer":
        low = field.min or 1
        high = max(low, min(field.max or 50, 200))
        return chance.randint(int(low), int(high))
    if field.type == "number":
        low, high = field.min if field.min is not None else -1.0, field.max if field.max is not None else 1.0
        return round(chance.uniform(low, high), 6)
    return field.default


def random_answers(template_id: str, chance: random.Random) -> dict[str, Any]:
    spec = LIBRARY.get(template_id).spec
    fixed = {
        "space_group",
        "rhombohedral",
        "origin",
        "a",
        "b",
        "c",
        "alpha",
        "beta",
        "gamma",
        "atoms",
        "title",
        "basis_kind",
        "system",
        "layer_group",
        "rod_group",
        "point_group",
        "path_kind",
        "projection",
        "charge_note",
    }
    answers = {f.key: anything(f, chance) for f in spec.fields if f.key not in fixed and chance.random() < 0.7}
    answers = {key: value for key, value in answers.items() if value is not None}
    kinds = {choice.value for field in spec.fields if field.key == "system" for choice in field.choices}
    fitting = [crystal for crystal in STRUCTURES if crystal["system"] in kinds]
    return {**answers, **chance.choice(fitting), "title": "a random deck"}


def objections(count: int, seed: int) -> list[tuple[str, str, str]]:
    """Template, error and deck, where the checker finds an error among so many decks that the templates accept."""
    chance = random.Random(seed)
    made, refused = 0, 0
    wrong: list[tuple[str, str, str]] = []
    names = [template.spec.id for template in LIBRARY.all() if template.spec.id != "raw"]
    while made < count:
        template_id = chance.choice(names)
        rendering = LIBRARY.try_render(template_id, random_answers(template_id, chance))
        refused += not rendering.decks
        assert refused < 20 * count, rendering.errors
        for name, findings in rendering.findings.items():
            made += 1
            # Any whole number may be typed there, also one that does not fit the electrons.
            faults = [f for f in findings if f.severity == "error" and f.keyword != "SPINLOCK"]
            wrong += [(template_id, f"line {fault.line}: {fault}", rendering.decks[name]) for fault in faults]
    return wrong


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    found = objections(number, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for template, fault, deck in found[:5]:
        print(template, fault, deck, sep="\n")
    print(f"{number} decks, {len(found)} errors")
