"""Actions on the jobs that somebody ticked, or on all that match a filter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from app.domain.jobs import JobFilter
from app.routes.deps import ActorDep, ContextDep
from app.routes.filters import SelectionDep, filter_query
from app.routes.rendering import page
from app.routes.strict import known_fields, number_of
from app.services.jobs import actions, setbacks
from app.services.jobs.selections import Selection, chosen
from app.services.people.streams import newest_event

router = APIRouter(include_in_schema=False)


@router.post("/jobs/actions")
async def act(request: Request, context: ContextDep, actor: ActorDep, wanted: SelectionDep) -> Response:
    """One action on the ticked jobs, or on all that match; asks first where it cannot be undone, or takes many."""
    asked, query = await _asked(request, wanted), filter_query(request)
    if asked.action in VIEWS:
        return RedirectResponse(VIEWS[asked.action] + asked.query(query), status_code=303)
    if not asked.confirmed:
        found = await actions.to_confirm(context, actor, asked.action, asked.selection, asked.value)
        if found is not None:
            return page(
                request, "confirm.html", found=found, asked=asked, query=query, words=actions.ACTIONS[asked.action]
            )
    batch = await actions.begin(context, actor, asked.action, asked.selection, asked.value)
    await actions.advance(context, batch.id)
    return RedirectResponse(f"/actions/{batch.id}?{query}", status_code=303)


VALUES = {"priority": "priority", "start": "start", "move": "move", "tag": "tag", "untag": "tag"}
"""The control whose value an action takes."""
VIEWS = {"compare": "/jobs/compare?", "download": "/jobs/download.zip?"}
"""What is not done to the ticked jobs, but looked at."""
FIELDS = ("id", "action", "all", "confirmed", "expect", *VALUES.values())


@dataclass(frozen=True)
class Asked:
    """What the form above the list of jobs asks for."""

    action: str
    selection: Selection
    value: str
    confirmed: bool

    @property
    def control(self) -> str:
        """Name of the control that holds the action's value; empty: the action takes none."""
        return VALUES.get(self.action, "")

    def query(self, filtered: str) -> str:
        """The selection as a query string."""
        if self.selection.matching is None:
            return urlencode([("id", one) for one in self.selection.ids])
        return f"{filtered}{'&' if filtered else ''}all=true"


async def _asked(request: Request, wanted: JobFilter) -> Asked:
    async with request.form(max_fields=11_000) as form:
        ids = tuple(str(value) for value in form.getlist("id"))
        rest = FormData([(key, value) for key, value in form.multi_items() if key != "id"])
    known_fields(rest, FIELDS)
    texts = {key: value for key, value in rest.items() if isinstance(value, str)}
    action, everything, expect = texts.get("action", ""), bool(texts.get("all")), number_of(texts.get("expect"))
    # What is ticked counts, whatever list it was ticked in: the filter is only where to go back to.
    selection = chosen(() if everything else ids, everything, wanted if everything else JobFilter())
    selection = replace(selection, expect=expect)
    return Asked(
        action, selection, texts.get(VALUES.get(action, ""), ""), bool(texts.get("confirmed")) and expect is not None
    )


@router.get("/actions/{batch_id}")
async def action_page(
    request: Request, context: ContextDep, actor: ActorDep, batch_id: str, _back_to: SelectionDep
) -> Response:
    """What an action did to each job, and how far it has come."""
    since = await newest_event(context)
    batch = await actions.get(context, actor, batch_id)
    return page(
        request, "jobs/outcomes.html", part="jobs/outcomes_progress.html", batch=batch, since=since,
        aside=setbacks.is_set_aside(batch),
        counts=await actions.progress(context, actor, batch_id), query=filter_query(request),
        results=await actions.outcomes(context, actor, batch_id) if not batch.busy else [],
    )  # fmt: skip


@router.post("/actions/{batch_id}/retry")
async def retry_action(context: ContextDep, actor: ActorDep, batch_id: str) -> Response:
    """Go on with an action that was set aside after several failures."""
    await setbacks.take_up(context, actor, batch_id)
    return RedirectResponse(f"/actions/{batch_id}", status_code=303)
