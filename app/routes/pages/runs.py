"""Runs of workflows: one run with its graph, table, timeline and results, and what people do to it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.errors import CrystalDeckError
from app.routes.deps import ActorDep, ContextDep
from app.routes.rendering import is_fragment, page
from app.routes.strict import known_fields, number_of
from app.services.people.streams import newest_event
from app.services.workflows import actions as workflow_actions
from app.services.workflows import editor as workflow_editor
from app.services.workflows import results as workflow_results
from app.services.workflows import views as workflow_views

router = APIRouter(include_in_schema=False)
PAGE = 100


@router.get("/runs/{run_id}")
async def show_run(request: Request, context: ContextDep, actor: ActorDep, run_id: str) -> Response:
    """One run of a workflow."""
    return await _show(request, context, actor, run_id, part="workflows/run_state.html")


async def _show(request: Request, context: ContextDep, actor: ActorDep, run_id: str, **options: Any) -> Response:
    since = 0 if is_fragment(request) else await newest_event(context)
    view = await workflow_views.view(context, actor, run_id)
    figures = await workflow_results.figures(context, actor, view)
    return page(
        request,
        "workflows/run.html",
        view=view,
        run=view.run,
        figures=figures,
        since=since,
        **{"error": None, **options},
    )


@router.get("/runs/{run_id}/steps/{step}")
async def one_step(
    request: Request, context: ContextDep, actor: ActorDep, run_id: str, step: str, offset: int = 0
) -> Response:
    """One step: its jobs, the values that it took, and what it had before."""
    since = 0 if is_fragment(request) else await newest_event(context)
    view = await workflow_views.view(context, actor, run_id)
    first = max(0, offset)
    own = view.step(step)
    return page(
        request, "workflows/step.html", part="workflows/step_state.html", view=view, run=view.run, own=own,
        shown=own.tasks[first : first + PAGE], offset=first, size=PAGE, since=since,
    )  # fmt: skip


@router.post("/runs/{run_id}/steps/{step}/decision")
async def decide(request: Request, context: ContextDep, actor: ActorDep, run_id: str, step: str) -> Response:
    """What a person decides for a step that asks; parameters that differ stand one a line."""
    async with request.form(max_fields=20) as form:
        known_fields(form, ["choice", "parameters", "resources"])
        texts = {key: value for key, value in form.items() if isinstance(value, str)}
    changes = {
        kind: workflow_editor.read_lines(texts.get(kind, "").replace("\r\n", "\n"))
        for kind in ("parameters", "resources")
    }
    doing = workflow_actions.decide(context, actor, run_id, step, texts.get("choice", ""), changes)
    return await _answer(request, context, actor, run_id, doing)


@router.post("/runs/{run_id}/rerun")
async def rerun(request: Request, context: ContextDep, actor: ActorDep, run_id: str) -> Response:
    """A new run like this one: from a step on, or with other parameters."""
    async with request.form(max_fields=20) as form:
        known_fields(form, ["step", "parameters", "only"])
        texts = {key: value for key, value in form.items() if isinstance(value, str)}
    step = texts.get("step", "")
    changed = workflow_editor.read_lines(texts.get("parameters", "").replace("\r\n", "\n"))
    only = texts.get("only", "")
    try:
        made = await workflow_actions.rerun(
            context, actor, run_id, step=step, parameters={} if only else changed, steps={only: changed} if only else {}
        )
    except CrystalDeckError as error:
        return await _show(request, context, actor, run_id, error=error, status=error.status)
    return RedirectResponse(f"/runs/{made.id}", status_code=303)


@router.post("/runs/{run_id}/{action}")
async def act(request: Request, context: ContextDep, actor: ActorDep, run_id: str, action: str) -> Response:
    """Pause, resume or cancel; to cancel asks first, with the number of jobs that it would end."""
    if action == "cancel":
        return await _cancel(request, context, actor, run_id)
    known = {"pause": workflow_actions.pause, "resume": workflow_actions.resume}
    if action not in known:
        return Response(status_code=404)
    return await _answer(request, context, actor, run_id, known[action](context, actor, run_id))


async def _cancel(request: Request, context: ContextDep, actor: ActorDep, run_id: str) -> Response:
    async with request.form(max_fields=20) as form:
        known_fields(form, ["expect"])
        expect = number_of(form.get("expect"))
    if expect is None:
        try:
            count, names = await workflow_actions.would_cancel(context, actor, run_id)
        except CrystalDeckError as error:
            return await _show(request, context, actor, run_id, error=error, status=error.status)
        view = await workflow_views.view(context, actor, run_id)
        return page(request, "workflows/confirm_run.html", run=view.run, count=count, names=names)
    return await _answer(request, context, actor, run_id, workflow_actions.cancel(context, actor, run_id, expect))


async def _answer(request: Request, context: ContextDep, actor: ActorDep, run_id: str, doing: Any) -> Response:
    """Back to the run, or its page with the reason why not."""
    try:
        await doing
    except CrystalDeckError as error:
        return await _show(request, context, actor, run_id, error=error, status=error.status)
    return RedirectResponse(f"/runs/{run_id}", status_code=303)
