"""Errors as answers: RFC 9457 documents on JSON routes, the same words in a page."""

from __future__ import annotations

import logging
from typing import TypeVar
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.errors import CrystalDeckError, FieldError, InvalidInput, NotAuthenticated, NotFound
from app.routes.rendering import render_error

CHALLENGE = 'Bearer realm="CrystalDeck"'
"""For 401, which has to name a scheme (RFC 9110); browsers open no window of their own for this one."""
TOLD = 20
"""Wrong places of one request that are told."""
log = logging.getLogger(__name__)
AnyResponse = TypeVar("AnyResponse", bound=Response)


class BodyRefused(HTTPException):
    """Raised where a body is read; neither FastAPI nor Starlette make another error of it."""

    def __init__(self, error: CrystalDeckError) -> None:
        super().__init__(error.status, error.message)
        self.error = error


def with_retry_after(response: AnyResponse, error: CrystalDeckError) -> AnyResponse:
    """Add how many seconds to wait, where the error tells."""
    if error.retry_after:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def problem_response(error: CrystalDeckError) -> JSONResponse:
    """An error as RFC 9457 JSON."""
    answer = JSONResponse(error.problem(), status_code=error.status, media_type="application/problem+json")
    return with_retry_after(answer, error)


def wants_json(request: Request) -> bool:
    """Does the sender expect JSON rather than a page?"""
    path = request.url.path
    return path.startswith("/api/") or path in ("/healthz", "/readyz", "/live")


async def answer(request: Request, error: CrystalDeckError) -> Response:
    """An error as JSON or as a page, whichever was asked for."""
    if wants_json(request):
        return problem_response(error)
    if isinstance(error, NotAuthenticated) and request.method == "GET" and "hx-request" not in request.headers:
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?{urlencode({'next': asked})}", status_code=303)
    return with_retry_after(render_error(request, error), error)


def install(app: FastAPI) -> None:
    """Register the handlers."""

    @app.exception_handler(CrystalDeckError)
    async def _own(request: Request, error: CrystalDeckError) -> Response:
        if error.status >= 500:
            log.warning("%s %s: %s", request.method, request.url.path, error.sentence)
        return await answer(request, error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        fields = [
            FieldError(".".join(str(part) for part in item["loc"][1:]), item["msg"], str(item.get("input", ""))[:80])
            for item in error.errors()[:TOLD]
        ]
        listed = "; ".join(f"{field.field or 'body'}: {field.reason}" for field in fields)
        return await answer(
            request, InvalidInput(f"Invalid request: {listed}.", hint="See /api/v1/openapi.json.", fields=fields)
        )

    @app.exception_handler(BodyRefused)
    async def _refused(request: Request, error: BodyRefused) -> Response:
        return await answer(request, error.error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return await answer(
                request, NotFound(f"There is nothing at {request.url.path[:200]}.", hint="Check the address.")
            )
        plain = CrystalDeckError(str(error.detail), hint="Check the method and the address.")
        plain.status, plain.title = error.status_code, str(error.detail)
        return await answer(request, plain)

    @app.exception_handler(ClientDisconnect)
    async def _gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=499)

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> Response:
        log.exception("unexpected error at %s %s", request.method, request.url.path, exc_info=error)
        return await answer(
            request,
            CrystalDeckError(
                "Internal error.",
                hint="Try again; if it persists, see the server's log.",
            ),
        )
