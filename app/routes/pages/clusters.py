"""The clusters page: what there is, whether it works, keys and fingerprints."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.domain.people.permissions import require
from app.errors import CrystalDeckError, FieldError, InvalidInput
from app.routes.deps import ActorDep, ContextDep
from app.routes.rendering import page
from app.services.clusters import changes as cluster_changes
from app.services.clusters import checks, host_trust, member_keys
from app.services.clusters import registry as clusters
from app.services.jobs import queue
from app.services.people.streams import newest_event

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=2000)]


@router.get("/clusters")
async def show_clusters(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """The list of clusters."""
    since = await newest_event(context)
    views = await clusters.all_of(context, actor)
    kinds = cluster_changes.offered_types()
    return page(request, "clusters/list.html", views=views, kinds=kinds, since=since, error=None, form={})


@router.post("/clusters")
async def add_cluster(request: Request, context: ContextDep, actor: ActorDep) -> Response:
    """Add a cluster; what is wrong is shown beside the form."""
    async with request.form(max_fields=40) as form:
        values = {key: value.strip() for key, value in form.items() if isinstance(value, str)}
    name = values.pop("name", "")
    try:
        await cluster_changes.add(context, actor, name, values, remote_only=True)
    except CrystalDeckError as error:
        return page(
            request, "clusters/list.html", status=error.status, views=await clusters.all_of(context, actor), since=0,
            kinds=cluster_changes.offered_types(), error=error, form={**values, "name": name},
        )  # fmt: skip
    return RedirectResponse(f"/clusters/{name}", status_code=303)


@router.get("/clusters/{name}")
async def show_cluster(request: Request, context: ContextDep, actor: ActorDep, name: str, part: str = "") -> Response:
    """One cluster: settings, keys, its last check."""
    since = await newest_event(context)
    view = await clusters.get(context, actor, name)
    file = "clusters/state.html" if part == "state" else "clusters/page.html"
    return page(request, file, view=view, since=since)


@router.get("/clusters/{name}/edit")
async def edit_form(request: Request, context: ContextDep, actor: ActorDep, name: str) -> Response:
    """Its settings as a form, or the reason why they are not changed here."""
    require(actor, "cluster.change")
    return await _editor(request, context, actor, name)


@router.post("/clusters/{name}/edit")
async def edit_cluster(request: Request, context: ContextDep, actor: ActorDep, name: str) -> Response:
    """Change the settings of a cluster; what is wrong is shown beside the form."""
    require(actor, "cluster.change")
    async with request.form(max_fields=60) as form:
        values = {key: value.strip() for key, value in form.items() if isinstance(value, str)}
    try:
        await cluster_changes.edit(context, actor, name, values, remote_only=True)
    except CrystalDeckError as error:
        return await _editor(request, context, actor, name, error, values)
    return RedirectResponse(f"/clusters/{name}", status_code=303)


async def _editor(
    request: Request, context: ContextDep, actor: ActorDep, name: str, error: CrystalDeckError | None = None,
    typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    view = await clusters.get(context, actor, name)
    wrong = {one.field: one.reason for one in error.fields} if error else {}
    return page(
        request, "clusters/edit.html", view=view, fields=cluster_changes.form_fields(view.settings, typed or {}), error=error,
        wrong=wrong, fixed=cluster_changes.why_fixed(context, view.cluster.name, view.settings),
        status=error.status if error else 200,
    )  # fmt: skip


@router.post("/clusters/{name}/remove")
async def remove(context: ContextDep, actor: ActorDep, name: str, confirm: Text = "") -> Response:
    """Its jobs stay. Whoever removes it types its name, since members' keys for it are thrown away."""
    require(actor, "cluster.change")
    if confirm.strip() != name:
        raise InvalidInput(
            f"{name} was not removed: its name was not entered.", hint="Type the cluster's name beside the button.",
            fields=[FieldError("confirm", "must be the cluster's name", confirm[:40])],
        )  # fmt: skip
    await cluster_changes.remove(context, actor, name)
    return RedirectResponse("/clusters", status_code=303)


@router.post("/clusters/{name}/test")
async def test_cluster(context: ContextDep, actor: ActorDep, name: str) -> Response:
    """Check the connection and the batch system in the background."""
    await checks.test_in_background(context, actor, name)
    return RedirectResponse(f"/clusters/{name}", status_code=303)


@router.post("/clusters/{name}/pause")
async def pause_cluster(context: ContextDep, actor: ActorDep, name: str, reason: Text = "") -> Response:
    """Submit nothing more to a cluster; running jobs continue."""
    await queue.pause(context, actor, name, reason)
    return RedirectResponse(f"/clusters/{name}", status_code=303)


@router.post("/clusters/{name}/resume")
async def resume_cluster(context: ContextDep, actor: ActorDep, name: str) -> Response:
    """Submit again."""
    await queue.resume(context, actor, name)
    return RedirectResponse(f"/clusters/{name}", status_code=303)


@router.post("/clusters/{name}/trust")
async def trust_host_key(context: ContextDep, actor: ActorDep, name: str, fingerprint: Text) -> Response:
    """Trust the host key that the cluster shows."""
    await host_trust.trust_key(context, actor, name, fingerprint)
    return RedirectResponse(f"/clusters/{name}", status_code=303)


@router.post("/clusters/{name}/forget-key")
async def forget_host_key(context: ContextDep, actor: ActorDep, name: str) -> Response:
    """Trust the host key no longer."""
    await host_trust.forget_key(context, actor, name)
    return RedirectResponse(f"/clusters/{name}", status_code=303)


@router.post("/clusters/{name}/key")
async def make_key(context: ContextDep, actor: ActorDep, name: str, username: Text = "") -> Response:
    """Make a key pair for the user."""
    await member_keys.make_key(context, actor, name, username)
    return RedirectResponse(f"/clusters/{name}", status_code=303)


@router.post("/clusters/{name}/key/remove")
async def remove_keys(context: ContextDep, actor: ActorDep, name: str) -> Response:
    """Throw the user's private keys for the cluster away."""
    await member_keys.remove_keys(context, actor, name)
    return RedirectResponse(f"/clusters/{name}", status_code=303)
