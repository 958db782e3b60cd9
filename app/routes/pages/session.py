"""Logging in and out, and the set-up link."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from app.domain.addresses import is_local_path
from app.errors import CrystalDeckError
from app.routes.deps import ContextDep, cookie_name
from app.routes.rendering import page
from app.services import accounts
from app.services.context import Context

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=300)]


def _enter(context: Context, token: str, target: str) -> Response:
    """Go on to `target`, a path of this service, with the session's cookie."""
    response = RedirectResponse(target if is_local_path(target) else "/jobs", status_code=303)
    response.set_cookie(
        cookie_name(context), token, max_age=context.settings.session_hours * 3600, path="/",
        httponly=True, samesite="lax", secure=context.settings.secure_cookies,
    )  # fmt: skip
    return response


@router.get("/login")
async def login_form(request: Request, next: str = "/jobs") -> Response:
    return page(request, "login.html", next=next, error=None, name="")


@router.post("/login")
async def login(request: Request, context: ContextDep, name: Text, password: Text, next: Text = "/jobs") -> Response:
    address = request.client.host if request.client else ""
    try:
        token = await accounts.log_in(context, name, password, address, request.headers.get("user-agent", ""))
    except CrystalDeckError as error:
        return page(request, "login.html", status=error.status, next=next, error=error, name=name)
    return _enter(context, token, next)


@router.post("/logout")
async def logout(request: Request, context: ContextDep) -> Response:
    name = cookie_name(context)
    await accounts.log_out(context, request.cookies.get(name, ""))
    response = RedirectResponse("/login", status_code=303)
    response.delete_cookie(name, path="/", secure=context.settings.secure_cookies, httponly=True, samesite="lax")
    return response


@router.get("/setup/{token}")
async def setup_form(request: Request, context: ContextDep, token: str) -> Response:
    role = await accounts.check_link(context, token)
    return page(request, "setup.html", role=role, error=None, name="", minimum=accounts.MIN_PASSWORD)


@router.post("/setup/{token}")
async def setup(request: Request, context: ContextDep, token: str, name: Text, password: Text) -> Response:
    role = await accounts.check_link(context, token)
    try:
        session = await accounts.use_link(context, token, name, password)
    except CrystalDeckError as error:
        return page(
            request, "setup.html", status=error.status, role=role, error=error, name=name, minimum=accounts.MIN_PASSWORD
        )
    return _enter(context, session, "/jobs")
