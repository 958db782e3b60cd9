"""No request makes unbounded work, and none of it in the service's own process: limits are told by name."""

from __future__ import annotations

import ast
import asyncio
import functools
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.crystal.decks.checker import MAX_FINDINGS, check_deck
from app.crystal.decks.facts import Supplies
from app.crystal.decks.reading import MAX_DECK, MAX_LINES
from app.crystal.language import LANGUAGE
from app.crystal.structures.bulk import MAX_ATOMS
from app.domain.bounds import MAX_ENTRIES, MAX_TEXT, MAX_WORK
from app.domain.differences import MOST_LINES, difference, step_by_step
from app.domain.people.permissions import Role
from app.domain.sweeps import MAX_AXIS, read_axis
from app.domain.templates.conditions import MAX_LENGTH, MAX_NESTING, ConditionError, ConditionTooLarge, condition
from app.domain.templates.fields import FieldSpec
from app.domain.templates.metadata import MAX_FIELDS
from app.domain.workflows.checks import MAX_EXPANDED, MAX_LINKS
from app.errors import InvalidInput, WorkStopped
from app.library import drafting, evaluating
from app.library import renderer as library_renderer
from app.library.drafting import MAX_SHOWN, Recipe, Wanted, draft
from app.library.evaluating import MAX_OUTCOME
from app.library.pasted_tables import MAX_ROWS, read_table
from app.library.template_files import BUILT_IN, SHARED, Template, build, template_of
from app.library.templates import TemplateLibrary
from tests.support.app import make_client, running, settings_for
from tests.support.service import mgo
from tests.support.waiting import until_answer

ROOT = Path(__file__).resolve().parents[3]
HEAD = 'id = "evil"\ntitle = "e"\ndescription = "e"\nfiles = [{ name = "evil.d12", role = "d12" }]\n'


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    async with running(settings_for(tmp_path)) as app:
        yield app


@pytest.fixture
async def member(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with await make_client(app, "mallory", Role.MEMBER) as client:
        yield client


# -- decks -----------------------------------------------------------------------------------------------------------------


def deck(rows: int, row: str = "12 .1 .2 .3", group: int = 225) -> str:
    return f"t\nCRYSTAL\n0 0 0\n{group}\n400.\n{rows}\n" + f"{row}\n" * rows + "BASISSET\nSTO-3G\nSHRINK\n8 16\nEND\n"


async def test_a_deck_of_60_000_atoms_is_refused_by_its_lines(member: httpx.AsyncClient) -> None:
    answer = await member.post("/api/v1/decks/check", json={"text": deck(60_000)})
    assert answer.status_code == 422
    assert re.search(rf"60,0\d\d lines; a deck has at most {MAX_LINES:,}", answer.json()["detail"])
    [found] = check_deck(deck(60_000), "d12")
    assert found.severity == "error" and f"{MAX_LINES:,}" in found.message


def test_a_deck_of_few_long_lines_is_refused_by_its_characters() -> None:
    [found] = check_deck("t\n" + "x" * MAX_DECK, "d12")
    assert found.severity == "error" and f"at most {MAX_DECK:,}" in found.message


async def test_the_largest_deck_is_checked_and_its_atoms_are_limited(member: httpx.AsyncClient) -> None:
    answer = await member.post("/api/v1/decks/check", json={"text": deck(MAX_LINES - 20)})
    assert answer.status_code == 200
    assert any(str(MAX_ATOMS) in finding["message"] for finding in answer.json())


class Counter:
    """Counts the calls of a function."""

    def __init__(self, inner: Callable[..., Any]) -> None:
        self.inner, self.calls = inner, 0

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.calls += 1
        return self.inner(*args, **more)


def test_atoms_are_counted_while_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand atoms in group 227 would make 48,000 or more: it ends once they are too many."""
    from app.crystal.structures import bulk as structures

    rows = [{"element": "Si", "x": n / 997 % 1, "y": n / 991 % 1, "z": n / 983 % 1} for n in range(1000)]
    made = Counter(structures.np.tril)
    monkeypatch.setattr(structures.np, "tril", made)
    with pytest.raises(structures.StructureError, match=f"more than {MAX_ATOMS} atoms"):
        structures.read_bulk({"space_group": 227, "a": 90.0, "atoms": rows})
    assert made.calls < 100


@pytest.mark.parametrize(
    "text",
    [
        "t\nCRYSTAL\n" + "\n".join(f"WORD{n}" for n in range(19_000)), "t\nCRYSTAL\n0 0 0\n225\n" + "1" * 900_000 + "x\n",
        "t\nCRYSTAL\n0 0 0\n225\n4.2\n" + "10000*1 " * 100_000, "t\n" + "\t\n" * 19_000,
        "t\nCRYSTAL\n0 0 0\n225\n1E999\n1\n1 0 0 0\nEND\n",
        "t\nCRYSTAL\n0 0 0\n" + "9" * 5000 + "\n", deck(2000, "12 0 0 0"), deck(1990, "12 .1 .1 .1", 1),
        "t\nMOLECULE\n1\n19000\n" + "1 0 0 0\n" * 19_000 + "END\n", "BAND\nt\n18000 0 18000 1 2 1 0\n" + "G X\n" * 18_000 + "END\n",
        deck(2).replace("SHRINK", "\n".join(["FREQCALC"] * 18_000)), "\n" * 19_000, "#" * 900_000,
    ],
)  # fmt: skip
def test_no_deck_takes_the_checker_out_of_its_limits(text: str) -> None:
    """Each took from seconds to minutes, or raised; the timeout of the tests is all the time there is."""
    assert len(check_deck(text)) <= MAX_FINDINGS + 1


# -- templates -------------------------------------------------------------------------------------------------------------


def doubling(count: int, kind: str = "text", seed: str = '"' + "x" * 60 + '"', rule: str = "{0} + {0}") -> str:
    """Fields that are each made of two of the one before."""
    fields = "".join(
        f'[[fields]]\nkey = "f{n}"\ntype = "{kind}"\nlabel = "f"\n'
        + ("max_length = 1000000\n" if kind == "text" else "")
        + (f'default_from = "{rule.format(f"f{n - 1}")}"\n' if n else f"default = {seed}\n")
        for n in range(count)
    )
    return HEAD + fields + "[example]\n"


async def test_a_template_of_doubling_fields_is_stopped_by_its_size(member: httpx.AsyncClient) -> None:
    texts = {"template.toml": doubling(40), "evil.d12.j2": "t\n{{ f39 | length }}\nEND\n"}
    answer = await member.post("/api/v1/templates", json={"files": texts})
    assert answer.status_code == 422
    assert f"{MAX_TEXT:,}" in answer.json()["detail"], answer.text


def test_whole_numbers_do_not_grow_without_end() -> None:
    template = template_of(
        {"template.toml": doubling(40, "integer", "99999999", "{0} * {0}"), "evil.d12.j2": "t\nEND\n"}
    )
    values, errors = template.spec.read({})
    assert errors[0].field == "f2" and "18 digits" in errors[0].reason
    assert all(abs(value) < 10**18 for value in values.values())


def own(source: str) -> Template:
    """A template as a member's is held: its files were never compiled here, which would compute constants."""
    texts = {"template.toml": HEAD + "fields = []\n", "evil.d12.j2": source}
    spec, _, revision = build(texts, compiled=False)
    return Template(spec, revision, texts, "mallory")


async def test_templates_of_people_are_stopped(
    app: FastAPI, member: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = "{% for a in range(99999) %}"
    renderer = app.state.context.renderer
    for source, words in (
        (loop * 3 + "{% endfor %}" * 3, "was stopped: it took longer than"),
        ("{{ 'x' * 9000000000 }}", "memory"),
        ("t\n" + loop + "abcdefghijklmnopqrstuvwxyz{% endfor %}\nEND\n", "1,000,000"),
    ):
        template = own(source)
        with monkeypatch.context() as patch:
            # What matters is that there is an end, and that it says so; ten seconds of it prove no more.
            if "took longer" in words:
                patch.setattr(library_renderer, "SECONDS", 2.0)
            made = await renderer.try_template(1, template, {})
        assert words in made.message and made.decks == {}, made.message
        with pytest.raises(Exception, match=r"was stopped|would not read|cannot be rendered"):
            made.required()
    fine = own("t\nCRYSTAL\nEND\n")
    assert (await renderer.try_template(1, fine, {})).decks == {"evil.d12": "t\nCRYSTAL\nEND\n"}


async def test_metadata_are_read_elsewhere(
    app: FastAPI, member: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a trial nor a rendering builds a template in the service's own process."""

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("in the service's own process")

    for module, name in ((drafting, "build"), (drafting, "check_deck"), (drafting, "read_geometry")):
        monkeypatch.setattr(module, name, never)
    helium = "t\nMOLECULE\n1\n1\n2 0. 0. 0.\nBASISSET\nSTO-3G\nEND\n"
    texts = {"template.toml": HEAD + "fields = []\n[example]\n", "evil.d12.j2": helium}
    assert (await member.post("/api/v1/templates", json={"files": texts})).status_code == 201
    rendered = await member.post("/api/v1/templates/evil/render", json={})
    assert rendered.json()["decks"] == {"evil.d12": helium}
    made = await member.post("/api/v1/templates/scf/render", json={"parameters": mgo()})
    assert made.status_code == 200, made.text
    page = await member.get("/new/scf?example=true")
    assert page.status_code == 200 and "SHRINK" in page.text


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (
            HEAD + "".join(f'[[fields]]\nkey = "f{n}"\ntype = "boolean"\nlabel = "f"\n' for n in range(MAX_FIELDS + 1)),
            str(MAX_FIELDS),
        ),
        (HEAD + '[[fields]]\nkey = "f"\ntype = "text"\nlabel = "f"\nmax_length = 9000000\n', "1000000"),
        (HEAD + '[[fields]]\nkey = "f"\ntype = "boolean"\nlabel = "f"\nvisible_when = "' + "not " * 200 + '1"\n', str(MAX_LENGTH)),
        (HEAD + '[[fields]]\nkey = "f"\ntype = "boolean"\nlabel = "f"\nvisible_when = "' + "-" * 300 + '1"\n', str(MAX_NESTING)),
        (HEAD + "fields = " + "[" * 3000 + "]" * 3000, "too deeply|cannot be read"),
    ],
)  # fmt: skip
async def test_limits_of_metadata_are_named(member: httpx.AsyncClient, metadata: str, words: str) -> None:
    answer = await member.post(
        "/api/v1/templates", json={"files": {"template.toml": metadata, "evil.d12.j2": "t\nEND\n"}}
    )
    assert answer.status_code == 422
    assert any(word in answer.json()["detail"] for word in words.split("|")), answer.text


def test_a_page_shows_the_first_lines_of_a_deck_only() -> None:
    raw = TemplateLibrary().get("raw")
    recipe = Recipe(raw.revision, dict(raw.texts), BUILT_IN / SHARED)
    text = "t\nMOLECULE\n1\n1500\n" + "".join(f"1 {n}. 0. 0.\n" for n in range(1500)) + "BASISSET\nSTO-3G\nEND\n"
    made = draft(recipe, {"deck": text}, Supplies(), {}, Wanted(look=True))
    [(name, lines)] = made.lines.items()
    assert made.decks[name].count("\n") > 1500
    assert len(lines) == MAX_SHOWN + 1 and "more lines" in lines[-1].text


# -- expressions and workflows ---------------------------------------------------------------------------------------------


NESTED: list[Any] = ["x"]
for _ in range(30):
    NESTED = [NESTED, NESTED]


@pytest.mark.parametrize(
    ("source", "names", "words"),
    [
        ("a + a", {"a": "x" * 90_000}, f"{MAX_TEXT:,}"), ("[a, a]", {"a": [0] * 40_000}, f"{MAX_ENTRIES:,}"),
        ("a * a", {"a": 10**300}, "1024 bits"), ("a == b", {"a": NESTED, "b": list(NESTED)}, f"{MAX_ENTRIES:,}"),
        ("[a] == [a]", {"a": NESTED}, f"{MAX_ENTRIES:,}"), ("a", {"a": NESTED}, f"{MAX_ENTRIES:,}"),
        (" and ".join(["max(a)"] * 20), {"a": list(range(1, 40_000))}, f"{MAX_WORK:,} steps"),
    ],
)  # fmt: skip
def test_expressions_have_limits_that_they_name(source: str, names: dict[str, Any], words: str) -> None:
    with pytest.raises(ConditionTooLarge) as caught:
        condition(source).value(names)
    assert words in str(caught.value)
    with pytest.raises(ConditionTooLarge):
        # What is too large is not taken for false.
        condition(source).holds(names)


@pytest.mark.parametrize(
    "source", ["round(5, -1000000000)", "round(1.5, 10000000)", "+".join("a" * 200), "[" * 100 + "1" + "]" * 100]
)
def test_what_python_would_compute_for_ever_is_refused(source: str) -> None:
    with pytest.raises(ConditionError):
        condition(source).value({"a": 1})


def test_texts_with_expressions_are_limited_too() -> None:
    names = {"inputs": {"a": "x" * 90_000}}
    with pytest.raises(ConditionError, match=f"{MAX_TEXT:,}"):
        LANGUAGE.fill("{{ inputs.a }}{{ inputs.a }}", names)
    with pytest.raises(ConditionError, match="steps"):
        LANGUAGE.fill({str(n): "{{ inputs.a }}" for n in range(1000)}, names)
    assert LANGUAGE.fill("{{" * 9000, names) == "{{" * 9000
    with pytest.raises(ConditionError, match="at most 20000"):
        LANGUAGE.fill("{{ 1 }}" * 5000, names)


def here_only(inner: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the same name that fails in this process; another one finds the real one by its name."""

    @functools.wraps(inner)
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("in the service's own process")

    return never


def growing(steps: int) -> dict[str, Any]:
    """Values that are each ten of those before."""
    first = {"name": "s0", "values": {"v": "'" + "x" * 400 + "'"}}
    more = [
        {"name": f"s{n}", "values": {key: " + ".join([f"steps.s{n - 1}.values.v"] * 10) for key in "vabc"}}
        for n in range(1, steps)
    ]
    return {"name": "growing", "steps": [first, *more]}


async def test_values_of_a_workflow_do_not_grow_without_end(
    app: FastAPI, member: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its steps wrote 300 MB. Now the one that is too large fails by the limit's name, evaluated in another process."""

    for name in ("begin", "outputs", "fill"):
        monkeypatch.setattr(evaluating, name, here_only(getattr(evaluating, name)))
    answer = await member.post("/api/v1/runs", json={"definition": growing(12), "cluster": "here"})
    assert answer.status_code == 201, answer.text
    path = f"/api/v1/runs/{answer.json()['id']}"
    run = await until_answer(member, path, lambda run: run["state"] in ("failed", "completed"), 120)
    assert run["state"] == "failed"
    reasons = [step["message"] for step in run["steps"] if step["state"] == "failed"]
    assert any(f"{MAX_TEXT:,}" in reason or f"{MAX_OUTCOME:,}" in reason for reason in reasons), reasons
    assert len(str(run)) < 12 * MAX_OUTCOME


async def test_workflows_in_workflows_are_counted(member: httpx.AsyncClient) -> None:
    """Five levels of eighteen would be two million steps."""
    for level in range(6):
        kind = {"values": {"v": "1"}} if not level else {"workflow": f"level{level - 1}"}
        steps = [{"name": f"s{n}", **kind} for n in range(18)]
        answer = await member.post("/api/v1/workflows", json={"definition": {"name": f"level{level}", "steps": steps}})
        if answer.status_code != 201:
            break
    assert (level, answer.status_code) == (2, 422)
    assert str(MAX_EXPANDED) in answer.json()["detail"]


async def test_links_between_steps_are_counted(member: httpx.AsyncClient) -> None:
    steps = [{"name": f"s{n}", "template": "scf", "after": [f"s{m}" for m in range(n)]} for n in range(100)]
    definition = {"name": "web", "steps": steps}
    answer = await member.post("/api/v1/workflows/check", json=definition)
    assert answer.status_code == 200
    assert str(MAX_LINKS) in answer.json()["problems"][0]["reason"]
    refused = await member.post("/api/v1/workflows", json={"definition": definition})
    assert refused.status_code == 422 and str(MAX_LINKS) in refused.json()["detail"]


async def test_a_definition_is_limited_in_size(member: httpx.AsyncClient) -> None:
    steps = [{"name": f"s{n}", "template": "scf", "parameters": {"title": "x" * 5000}} for n in range(100)]
    for path, body in (
        ("/api/v1/workflows/check", {"name": "wide", "steps": steps}),
        ("/api/v1/runs", {"definition": {"name": "wide", "steps": steps}, "cluster": "here"}),
    ):
        answer = await member.post(path, json=body)
        assert answer.status_code == 422 and "200,000" in answer.json()["detail"]


# -- tables, sweeps, differences -------------------------------------------------------------------------------------------


def test_tables_and_axes_name_their_limits() -> None:
    spec = TemplateLibrary().get("scf").spec
    with pytest.raises(InvalidInput, match=f"more than {MAX_ROWS} rows"):
        read_table(spec, "a\n" + "1\n" * (MAX_ROWS + 1), (), ())
    with pytest.raises(InvalidInput, match="columns"):
        read_table(spec, ",".join("a" * 1000) + "\n1\n", (), ())
    field = FieldSpec(key="a", type="number", label="a")
    with pytest.raises(ValueError, match=str(MAX_AXIS)):
        read_axis(field, "1" * (MAX_AXIS + 1))
    with pytest.raises(ValueError):
        read_axis(field, "1" * 19_000 + " .. x")


def test_a_difference_is_cut() -> None:
    told = difference({"a": "\n".join(map(str, range(5000)))}, {"a": "\n".join(map(str, range(5000, 10_000)))})
    assert told.count("\n") == MOST_LINES and "more lines" in told
    assert step_by_step([]) == []
    assert [step.splitlines()[-1] for step in step_by_step([{"a": "x\ny"}, {"a": "x"}])] == ["+y", "+x"]


# -- the pool itself -------------------------------------------------------------------------------------------------------


def pid() -> int:
    return os.getpid()


async def test_fifty_previews_of_one_user_are_refused_by_name_and_delay_nobody(
    app: FastAPI, member: httpx.AsyncClient
) -> None:
    context = app.state.context
    other = await make_client(app, "bob", Role.MEMBER)
    body = {"parameters": mgo()}
    many = [asyncio.create_task(member.post("/api/v1/templates/scf/render", json=body)) for _ in range(60)]
    answer = await other.post("/api/v1/templates/scf/render", json=body)
    assert answer.status_code == 200
    answers = await asyncio.gather(*many)
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert f"the limit is {context.workers.waiting}" in refused.json()["detail"]
    with pytest.raises(WorkStopped):
        await context.workers.run(1, os._exit, 1)
    assert await context.workers.run(1, pid) != os.getpid()


FORBIDDEN = {
    "check_deck", "read_deck", "annotate", "write_deck", "read_structure", "from_results", "read_geometry", "crystal_of",
    "view_of", "read_basis_set", "read_basis", "draft", "read_metadata", "check_workflow", "difference", "step_by_step",
    "read_table", "same_basis", "basis_name", "form_of", "read_cube", "picture_of", "overlay", "read_dos", "draw_chart",
    "read_maps", "read_transport", "draw_analyses", "maps_as_json", "map_as_csv", "transport_as_json", "transport_columns",
    "examine",
}  # fmt: skip
"""What only worker processes may call."""
IN_PROCESSES = {"drafting.py", "evaluating.py", "workflow_fields.py", "tables.py", "template_files.py", "templates.py",
                "spectral.py", "cube_pictures.py"}  # fmt: skip


def test_the_services_call_nothing_heavy_themselves() -> None:
    """Functions that work on decks, structures and templates are handed to `workers.run`, never called."""
    for folder in ("services", "routes", "background"):
        for path in (ROOT / "app" / folder).rglob("*.py"):
            if path.name in IN_PROCESSES:
                continue
            for function in ast.walk(ast.parse(path.read_text())):
                if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or function.name.startswith(
                    "_of_results"
                ):
                    continue
                if path.name == "structures.py" and function.name == "_read":
                    continue
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                        assert node.func.id not in FORBIDDEN, (path.name, function.name, node.func.id)
