"""What routes need of a request: the services' context, and who is asking."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from app.domain.people.permissions import Action, Actor, require
from app.errors import NotAuthenticated
from app.services.context import Context
from app.services.people import accounts, sessions
from app.services.people import streams as live


def get_context(request: Request) -> Context:
    """The services' context, which the composition root put on the application."""
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(get_context)]


def cookie_name(context: Context, purpose: str = "") -> str:
    """`__Host-` binds a cookie to this host, to https and to `/`; browsers accept the prefix over https only."""
    return ("__Host-" if context.settings.secure_cookies else "") + "crystaldeck" + (f"-{purpose}" if purpose else "")


def is_by_person(request: Request) -> bool:
    """Did somebody open a page or press something? What a page fetches anew by itself keeps no session alive."""
    return request.method != "GET" or ("hx-request" not in request.headers and request.url.path != "/live")


async def get_actor(request: Request, context: ContextDep) -> Actor:
    """The bearer of the token, else of the session cookie.

    Raises:
        NotAuthenticated: neither, or not valid.
    """
    known: Actor | None = getattr(request.state, "actor", None)
    if known is not None:
        # The sender of a body was asked for before it was read.
        return known
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme:
        actor = await accounts.token_actor(context, token.strip()) if scheme.lower() == "bearer" else None
        problem = "The bearer token is not valid."
    else:
        cookie = request.cookies.get(cookie_name(context), "")
        actor = await sessions.actor_of(context, cookie, by_person=is_by_person(request)) if cookie else None
        problem = "You are not logged in, or your session has ended."
    if actor is None:
        raise NotAuthenticated(problem, hint="Log in, or send 'Authorization: Bearer …' with a valid token.")
    request.state.actor = actor
    return actor


ActorDep = Annotated[Actor, Depends(get_actor)]


def allowed(action: Action) -> Callable[[Actor], Awaitable[Actor]]:
    """A dependency that lets only those pass who may do `action`.

    For streams: once their first byte has left, nobody can be told no any more.
    """

    async def check(actor: ActorDep) -> Actor:
        return require(actor, action)

    return check


async def hold_stream(context: ContextDep, actor: ActorDep) -> AsyncIterator[None]:
    """For routes that stream: one of the user's streams, until the last byte has left or the other side is gone."""
    with live.held_stream(context, actor):
        yield
