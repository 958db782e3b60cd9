"""On every request: whether it is meant for this service, whether another site sent it, and the headers of the answer.

A page that made its own name point to this server (DNS rebinding) would be of the same origin for a browser; its requests still
carry that name in `Host`, so only the service's own names are answered.

Cross-site requests are refused without tokens, by the algorithm of Filippo Valsorda that Go's CrossOriginProtection and
Datasette use: safe methods pass; a bearer token without cookie passes; else `Sec-Fetch-Site` must be same-origin or none;
where the browser sends none, `Origin` must match the host; where neither is there, the client is not a browser.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import CrystalDeckError, NotAllowed, UnknownHost
from app.routes.problems import CHALLENGE, problem_response
from app.settings import host_name

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
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

    def __init__(self, app: ASGIApp, hosts: frozenset[str], hsts: bool) -> None:
        self._app = app
        self._hosts = hosts
        self._headers = HEADERS | ({"strict-transport-security": "max-age=31536000"} if hsts else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: refuse foreign hosts and sites, and add the security headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if message["status"] == 401:
                    headers.setdefault("www-authenticate", CHALLENGE)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        error = self._refusal(scope["method"], Headers(scope=scope))
        await (problem_response(error) if error else self._app)(scope, receive, guarded)

    def _refusal(self, method: str, headers: Headers) -> CrystalDeckError | None:
        host = headers.get("host", "")
        if host_name(host) not in self._hosts:
            return UnknownHost(
                f"{host[:100]!r} is not a name of this service.",
                hint="Use the address of the service. An admin sets it as base_url, and additional names as allowed_hosts.",
            )
        if is_cross_site(method, headers):
            return NotAllowed(
                "This request came from another site and was refused.", hint="Open CrystalDeck itself and try again."
            )
        return None
