"""Headers and the cross-site check on every request.

Cross-site requests are refused without tokens, by the algorithm of Filippo Valsorda that Go's CrossOriginProtection and
Datasette use: safe methods pass; a bearer token without cookie passes; else `Sec-Fetch-Site` must be same-origin or none;
where the browser sends none, `Origin` must match the host; where neither is there, the client is no browser.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import NotAllowed
from app.routes.problems import problem_response

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
SAFE = {"GET", "HEAD", "OPTIONS"}


def is_cross_site(method: str, headers: Headers) -> bool:
    """True where another site's page made the browser send this request."""
    if method in SAFE or ("authorization" in headers and "cookie" not in headers):
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != headers.get("host", "")


class Security:
    """Pure ASGI: streams pass through untouched."""

    def __init__(self, app: ASGIApp, hsts: bool) -> None:
        self._app = app
        self._extra = {"strict-transport-security": "max-age=31536000"} if hsts else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**HEADERS, **self._extra}.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        if is_cross_site(scope["method"], Headers(scope=scope)):
            error = NotAllowed(
                "This request came from another site and was refused.", hint="Open CrystalDeck itself and repeat it."
            )
            await problem_response(error)(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)
