"""The editor of workflows: a form with one part for each step, read into a definition and written from one.

The page keeps nothing: what is in its fields is the workflow. So every button works without a script, and nothing is lost when
something in it is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import re2
import tomli_w

from app.domain.drawing.graphs import Drawing, draw
from app.domain.people.permissions import Actor, require
from app.domain.workflows.checks import Checked
from app.domain.workflows.definition import WorkflowSpec, as_written, read_workflow
from app.domain.workflows.wiring import drawn
from app.errors import CrystalDeckError
from app.library.evaluating import read_inputs
from app.services.context import Context
from app.services.workflows import library as workflow_library

_LINE = re2.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*?)\s*$")
_FILE = re.compile(r"(=\s*)([a-z][a-z0-9_]*):")
TEXTS = ("name", "title", "kind", "parameters", "files", "values", "over", "when", "cluster", "resources", "retries", "on_failure",
         "how", "backoff")  # fmt: skip
LISTS = ("after", "remedies")


@dataclass(frozen=True)
class StepForm:
    """One step as its fields hold it."""

    texts: dict[str, str]
    lists: dict[str, list[str]] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """The text of a field; empty where there is none."""
        return self.texts.get(key, "")

    def listed(self, key: str) -> list[str]:
        """The chosen entries of a field."""
        return self.lists.get(key, [])


@dataclass(frozen=True)
class EditorForm:
    """The whole form."""

    name: str = ""
    title: str = ""
    description: str = ""
    steps: tuple[StepForm, ...] = ()
    outputs: str = ""
    inputs: str = ""
    """As TOML: a list of fields."""
    parameters: str = ""
    version: int = 0


@dataclass(frozen=True)
class EditorSheet:
    """What the page shows beside the fields."""

    spec: WorkflowSpec | None
    checked: Checked | None
    drawing: Drawing | None
    error: CrystalDeckError | None
    text: str


# -- from a definition to the form -----------------------------------------------------------------------------------------


def form_of(spec: WorkflowSpec, version: int = 0) -> EditorForm:
    """The form that shows a workflow."""
    steps = []
    for step in spec.steps:
        kind = (
            f"template:{step.template}" if step.template else f"workflow:{step.workflow}" if step.workflow else "values"
        )
        over = (
            step.over
            if isinstance(step.over, str)
            else _lines(step.over)
            if isinstance(step.over, dict)
            else json.dumps(step.over)
        )
        texts = {
            "name": step.name,
            "title": step.title,
            "kind": kind,
            "parameters": _lines(step.parameters),
            "files": _lines(step.files),
            "values": _lines(step.values),
            "over": over,
            "how": step.how,
            "when": step.when,
            "cluster": step.cluster,
            "resources": _lines(step.resources),
            "retries": str(step.retries),
            "backoff": f"{step.backoff:g}",
            "on_failure": step.on_failure,
        }
        steps.append(StepForm(texts, {"after": list(step.after), "remedies": list(step.remedies)}))
    written = as_written(spec)
    outputs = "\n".join(
        " | ".join(
            [f"{output.name} = {output.value}", *([output.label, output.unit] if output.label or output.unit else [])]
        )
        for output in spec.outputs
    )
    inputs = tomli_w.dumps({"inputs": written["inputs"]}) if spec.inputs else ""
    return EditorForm(
        spec.name, spec.title, spec.description, tuple(steps), outputs, inputs, _lines(spec.parameters), version
    )


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{key} = {_word(value)}" for key, value in values.items())


def _word(value: Any) -> str:
    """A value as one writes it: texts plainly, unless they would be read as something else."""
    if isinstance(value, str) and "\n" not in value and isinstance(_value(value), str) and value == value.strip():
        return value
    return json.dumps(value, ensure_ascii=False)


# -- from the form to a definition -----------------------------------------------------------------------------------------


def form_from(texts: Mapping[str, list[str]]) -> EditorForm:
    """The form as a browser sent it; each name with all its values."""

    def one(key: str) -> str:
        return (texts.get(key) or [""])[0].replace("\r\n", "\n").strip()

    steps = []
    index = 0
    while f"s{index}_name" in texts:
        own = {key: one(f"s{index}_{key}") for key in TEXTS}
        steps.append(StepForm(own, {key: texts.get(f"s{index}_{key}", []) for key in LISTS}))
        index += 1
    # A step that was given another name keeps its place in the others' lists.
    renamed = {old: own.text("name") for place, own in enumerate(steps) if (old := one(f"s{place}_was"))}
    steps = [_renamed(own, renamed) for own in steps]
    version = one("version")
    return EditorForm(
        one("name"),
        one("title"),
        one("description"),
        tuple(steps),
        one("outputs"),
        one("inputs"),
        one("parameters"),
        int(version) if version.isdigit() else 0,
    )


def _renamed(form: StepForm, names: Mapping[str, str]) -> StepForm:
    after = [names.get(name, name) for name in form.listed("after")]
    files = _FILE.sub(lambda match: f"{match.group(1)}{names.get(match.group(2), match.group(2))}:", form.text("files"))
    return StepForm({**form.texts, "files": files}, {**form.lists, "after": after})


async def defined(context: Context, actor: Actor, form: EditorForm) -> dict[str, Any]:
    """The workflow that the form describes, not yet checked. The inputs, which are TOML, are read by a worker process."""
    definition = definition_of(replace(form, inputs=""))
    if form.inputs:
        definition["inputs"] = await context.workers.run(actor.user_id, read_inputs, form.inputs)
    return definition


def definition_of(form: EditorForm) -> dict[str, Any]:
    """The same, in this very process."""
    definition: dict[str, Any] = {"name": form.name, "steps": [_step(step) for step in form.steps]}
    definition |= {key: value for key in ("title", "description") if (value := getattr(form, key))}
    if form.parameters:
        definition["parameters"] = read_lines(form.parameters)
    if form.outputs:
        definition["outputs"] = [_output(line) for line in form.outputs.splitlines() if line.strip()]
    if form.inputs:
        definition["inputs"] = read_inputs(form.inputs)
    return definition


def _step(form: StepForm) -> dict[str, Any]:
    kind, _, target = form.text("kind").partition(":")
    step: dict[str, Any] = {"name": form.text("name")}
    if kind == "values":
        step["values"] = {key: str(value) for key, value in read_lines(form.text("values")).items()}
    else:
        step[kind or "template"] = target
        for key in ("parameters", "files", "resources"):
            if lines := form.text(key):
                step[key] = read_lines(lines)
        if step.get("files"):
            step["files"] = {key: str(value) for key, value in step["files"].items()}
        if over := form.text("over"):
            step["over"] = _over(over)
    step |= {key: text for key in ("title", "when", "cluster") if (text := form.text(key))}
    lists = LISTS if kind != "values" else ("after",)
    step |= {key: named for key in lists if (named := form.listed(key))}
    for key, plain in (("on_failure", "skip"), ("how", "grid")):
        if (value := form.text(key)) and value != plain:
            step[key] = value
    for key in ("retries", "backoff"):
        if value := form.text(key):
            step[key] = _value(value)
    return step


def _over(text: str) -> Any:
    """Rows as JSON, axes as lines `key = values`, or an expression."""
    if text.startswith("["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    lines = [line for line in text.splitlines() if line.strip()]
    if "{{" not in text and all(_LINE.match(line) for line in lines):
        return {match.group(1): match.group(2) for line in lines if (match := _LINE.match(line))}
    return text


def read_lines(text: str) -> dict[str, Any]:
    """`key = value` in each line; a line without a sign of equality is kept as a key, so that the check names it."""
    values: dict[str, Any] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        match = _LINE.match(line)
        if match:
            values[match.group(1)] = _value(match.group(2))
        else:
            values[line.strip()] = ""
    return values


def _value(text: str) -> Any:
    """Numbers, true, false, lists and quoted texts as JSON has them; anything else is a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _output(line: str) -> dict[str, str]:
    value, *more = [part.strip() for part in line.split(" | ")]
    name, _, expression = value.partition("=")
    return {"name": name.strip(), "value": expression.strip(), **dict(zip(("label", "unit"), more, strict=False))}


# -- what the buttons do ---------------------------------------------------------------------------------------------------


def act(form: EditorForm, action: str) -> EditorForm:
    """Add, remove or move a step: `add:template:scf`, `remove:2`, `up:2`, `down:1`."""
    verb, _, target = action.partition(":")
    if verb == "add" and target:
        return replace(form, steps=(*form.steps, _new_step(form, target)))
    if not target.isdigit() or int(target) >= len(form.steps):
        return form
    place = int(target)
    steps = list(form.steps)
    if verb == "remove":
        gone = steps.pop(place).text("name")
        steps = [
            replace(step, lists={**step.lists, "after": [name for name in step.listed("after") if name != gone]})
            for step in steps
        ]
    elif verb in ("up", "down"):
        other = place - 1 if verb == "up" else place + 1
        if 0 <= other < len(steps):
            steps[place], steps[other] = steps[other], steps[place]
    return replace(form, steps=tuple(steps))


def _new_step(form: EditorForm, kind: str) -> StepForm:
    """A new step after the last one, with a unique name."""
    base = re.sub(r"[^a-z0-9_]", "_", kind.rpartition(":")[2].lower()) or "step"
    names = {step.text("name") for step in form.steps}
    name = next(f"{base}{end}" for end in ("", *(f"_{n}" for n in range(2, 200))) if f"{base}{end}" not in names)
    after = [form.steps[-1].text("name")] if form.steps else []
    return StepForm(
        {"name": name, "kind": kind, "retries": "2", "backoff": "30", "on_failure": "skip", "how": "grid"},
        {"after": after},
    )


async def sheet(context: Context, actor: Actor, form: EditorForm) -> EditorSheet:
    """The graph that the form makes, and everything that is wrong with it."""
    require(actor, "template.create")
    if not form.steps:
        return EditorSheet(None, None, None, None, "")
    try:
        spec = read_workflow({**await defined(context, actor, form), "name": form.name or "workflow"})
    except CrystalDeckError as error:
        return EditorSheet(None, None, None, error, "")
    checked = await workflow_library.check_for(context, actor, spec)
    drawing = draw(drawn(checked.before, checked.wired)) if checked.wired else None
    return EditorSheet(spec, checked, drawing, None, workflow_library.write_text(spec))
