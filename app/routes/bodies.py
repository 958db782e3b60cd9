"""Bodies of requests: who sends one is known before it is read, and none is larger than its route takes.

FastAPI reads and parses a body before it runs any dependency, so a stranger could make the service parse megabytes of JSON.
Here the sender is asked for first; the length that a request announces is compared before a byte is taken, and what arrives is
counted, since it may be more, or announce nothing. JSON is looked through before it is parsed: how many values, how deep.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.crystal.structures.importers import MAX_BYTES
from app.errors import CrystalDeckError, LimitReached, TooLarge
from app.library.pasted_tables import MAX_TABLE
from app.routes.deps import get_actor
from app.routes.problems import BodyRefused, answer
from app.services.context import Context
from app.services.jobs.attachments import MAX_UPLOAD

KB, MB = 1 << 10, 1 << 20
PUBLIC = 16 * KB
"""Of who is not logged in yet: name, password, an invitation."""
JSON = 1 * MB
FORM = 2 * MB
"""A form may carry two decks, and what it wrote of them before."""
MANY = 2 * MB
"""A list of up to a thousand jobs or rows."""
SEVERAL = 16 * MB
"""Several structure files at a time."""
OF_ONE = 48 * MB
"""That one user may have on the way at a time."""
MAX_VALUES = 150_000
"""Values in one JSON document."""
MAX_DEPTH = 30
"""Objects and lists in each other."""
MAX_FIELDS = 5000
"""Fields of a form that comes without files."""
ROUTES: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern), limit)
    for pattern, limit in (
        (r"/(?:login|logout|setup/[^/]*)", PUBLIC),
        (r"/api/v1/(?:jobs|batches|runs)", MANY),
        (r"/api/v1/files", MAX_UPLOAD + 64 * KB),
        (r"/api/v1/structures", MAX_BYTES + 64 * KB),
        (r"(?:/api/v1)?/batches/[^/]+/structures", SEVERAL),
        (r"/workflows/[^/]+/each", SEVERAL),
        (r"/batches/[^/]+/table", 2 * MAX_TABLE + FORM),
        (r"/(?:new|workflows)/[^/]+/structure", MAX_BYTES + FORM),
        (r"/new/[^/]+/attach/[^/]+", MAX_UPLOAD + FORM),
        (r"/api/.*", JSON),
        (r".*", FORM),
    )
)
"""The first pattern that fits the whole path decides."""
_STRANGERS = re.compile(r"/(?:login|logout|setup/[^/]*)")
"""Routes that who is not logged in may send something to."""
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def limit_of(path: str) -> int:
    """Bytes that a request to this path may carry."""
    return next(limit for pattern, limit in ROUTES if pattern.fullmatch(path))


@dataclass
class _Sender:
    """Who sends, and how much of it counts as being on the way."""

    user: int
    counted: int = 0


class Bodies:
    """Pure ASGI: what passes the limits is handed on as it comes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._underway: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: refuse a body that is too large, or more of one user than may be in progress."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        limit = limit_of(scope["path"])
        sender = None
        try:
            _refuse_length(request.headers, limit)
            if not _STRANGERS.fullmatch(scope["path"]):
                context: Context = scope["app"].state.context
                sender = _Sender((await get_actor(request, context)).user_id)
            whole = await self._whole(request, receive, limit, sender)
        except BodyRefused as refused:
            await (await answer(request, refused.error))(scope, receive, send)
        except CrystalDeckError as error:
            await (await answer(request, error))(scope, receive, send)
        else:
            await self._app(scope, whole or self._counted(receive, limit, sender), send)
        finally:
            if sender is not None:
                self._underway[sender.user] -= sender.counted
                if self._underway[sender.user] <= 0:
                    del self._underway[sender.user]

    async def _whole(self, request: Request, receive: Receive, limit: int, sender: _Sender | None) -> Receive | None:
        """Anything but files: read here, looked through, and handed on in one piece; None: to be handed on as it comes."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            return None
        counted = self._counted(receive, limit, sender)
        parts: list[bytes] = []
        while True:
            message = await counted()
            if message["type"] != "http.request":
                return counted
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        body = b"".join(parts)
        if kind == "application/x-www-form-urlencoded":
            _refuse_fields(body)
        else:
            refuse_json(body)
        return _replayed(body, receive)

    def _counted(self, receive: Receive, limit: int, sender: _Sender | None) -> Receive:
        """What arrives, counted; too much of it raises BodyRefused."""
        total = 0

        async def counting() -> Message:
            nonlocal total
            message = await receive()
            length = len(message.get("body", b"")) if message["type"] == "http.request" else 0
            total += length
            if total > limit:
                raise BodyRefused(_too_large(total, limit))
            if sender is not None:
                sender.counted += length
                self._underway[sender.user] += length
                if self._underway[sender.user] > OF_ONE:
                    raise BodyRefused(_too_much_at_once())
            return message

        return counting


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() not in ("", "0")


def _refuse_length(headers: Headers, limit: int) -> None:
    told = headers.get("content-length", "").strip()
    if told.isdigit() and len(told) < 20 and int(told) <= limit:
        return
    if told:
        raise _too_large(int(told) if told.isdigit() and len(told) < 20 else 0, limit)


def _refuse_fields(body: bytes) -> None:
    count = body.count(b"&") + 1
    if count > MAX_FIELDS:
        raise TooLarge(f"The form has {count} fields; at most {MAX_FIELDS} are allowed.", hint="Send less at a time.")


def refuse_json(body: bytes) -> None:
    """Look through JSON before it is parsed; what is not JSON is left to the parser.

    Raises:
        TooLarge: names the limit.
    """
    opened = body.count(b"[") + body.count(b"{")
    if opened <= MAX_DEPTH and opened + body.count(b",") + body.count(b":") <= MAX_VALUES:
        # Whatever of it stands in texts: it cannot be too much.
        return
    plain = _TEXT.sub(b"", body)
    values = plain.count(b",") + plain.count(b":") + plain.count(b"[") + plain.count(b"{")
    if values > MAX_VALUES:
        raise TooLarge(
            f"The JSON document has about {values} values; at most {MAX_VALUES} are allowed.",
            hint="Send less at a time.",
        )
    brackets = plain.translate(None, _NOT_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        shorter = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if shorter == brackets:
            # Brackets that do not close: no JSON, and it is not for here to say where.
            return
        brackets = shorter
    if brackets:
        raise TooLarge(
            f"Lists and objects of the JSON document are nested more than {MAX_DEPTH} levels deep (the limit).",
            hint="Send a flatter document.",
        )


def _replayed(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _too_large(length: int, limit: int) -> TooLarge:
    told = f"{length} bytes" if length else "of no readable length"
    return TooLarge(
        f"The request is too large: {told}; here at most {limit} bytes ({limit / MB:.3g} MB) are allowed.",
        hint="Send less at a time, or attach a file of an earlier job instead of sending it again.",
    )


def _too_much_at_once() -> LimitReached:
    return LimitReached(
        f"More than {OF_ONE // MB} MB of your uploads are in progress (the limit).", hint="Send one after another."
    )
