"""Logging in and out, and the set-up link."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.domain.people.addresses import is_local_path
from app.errors import CrystalDeckError
from app.routes.deps import ContextDep, cookie_name
from app.routes.problems import with_retry_after
from app.routes.rendering import page
from app.services.context import Context
from app.services.people import accounts, logins, sessions
from app.services.people.passwords import MIN_PASSWORD

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=300)]


def _set_cookie(response: Response, context: Context, purpose: str, token: str, seconds: int) -> None:
    response.set_cookie(
        cookie_name(context, purpose), token, max_age=seconds, path="/", httponly=True, samesite="lax",
        secure=context.settings.secure_cookies,
    )  # fmt: skip


def _enter(context: Context, entry: sessions.Entry, target: str) -> Response:
    """Go on to `target`, a path of this service, with the cookies of the session and of the device."""
    settings = context.settings
    response = RedirectResponse(target if is_local_path(target) else "/jobs", status_code=303)
    _set_cookie(response, context, "", entry.session, settings.session_hours * 3600)
    _set_cookie(response, context, "device", entry.device, settings.limits.device_days * 86400)
    return response


@router.get("/login")
async def show_login(request: Request, next: str = "/jobs") -> Response:
    """The form to log in with."""
    return page(request, "session/login.html", next=next, error=None, name="")


@router.post("/login")
async def log_in(request: Request, context: ContextDep, name: Text, password: Text, next: Text = "/jobs") -> Response:
    """Begin a session; a wrong name or password is shown beside the form."""
    attempt = logins.Attempt(
        name, password, request.client.host if request.client else "", request.headers.get("user-agent", ""),
        request.cookies.get(cookie_name(context, "device"), ""), request.cookies.get(cookie_name(context), ""),
    )  # fmt: skip
    try:
        entry = await logins.log_in(context, attempt)
    except CrystalDeckError as error:
        shown = page(request, "session/login.html", status=error.status, next=next, error=error, name=name)
        return with_retry_after(shown, error)
    return _enter(context, entry, next)


@router.post("/logout")
async def log_out(request: Request, context: ContextDep) -> Response:
    """End the session."""
    await sessions.end(context, request.cookies.get(cookie_name(context), ""))
    response = RedirectResponse("/login", status_code=303)
    _set_cookie(response, context, "", "", 0)
    # Not "cookies": that empties those of all hosts of the domain, and this device would not be known any more.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.get("/setup/{token}")
async def show_setup(request: Request, context: ContextDep, token: str) -> Response:
    """The form that a one-time link opens."""
    role = await accounts.check_link(context, token)
    return page(request, "session/setup.html", role=role, error=None, name="", minimum=MIN_PASSWORD)


@router.post("/setup/{token}")
async def create_account(request: Request, context: ContextDep, token: str, name: Text, password: Text) -> Response:
    """Create the account of a one-time link, and log in."""
    role = await accounts.check_link(context, token)
    try:
        entry = await accounts.use_link(context, token, name, password)
    except CrystalDeckError as error:
        return page(
            request, "session/setup.html", status=error.status, role=role, error=error, name=name, minimum=MIN_PASSWORD
        )
    return _enter(context, entry, "/jobs")
