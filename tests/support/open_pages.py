"""A page as a browser keeps it: what it asks for when the stream names an event, without the browser."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import NamedTuple

import httpx

FRAGMENT = {"hx-request": "true", "hx-request-type": "partial"}


class Part(NamedTuple):
    """An element that fetches itself anew, or a script's part that does."""

    path: str
    triggers: tuple[str, ...]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[Part] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "hx-get" in found and "hx-trigger" in found:
            triggers = tuple(one.strip().split(" ")[0] for one in found["hx-trigger"].split(","))
            self.parts.append(Part(found["hx-get"], triggers))
        if "data-curves" in found:
            # static/js/curves.js
            path = f"/api/v1/jobs/{found['data-job']}/convergence?scf=-1&since=0&points=0"
            self.parts.append(Part(path, ("load", "cd-progress", "cd-job")))


class OpenPage:
    """Open it, then tell it events; it answers with the texts that it got."""

    def __init__(self, client: httpx.AsyncClient, path: str) -> None:
        self._client = client
        self._path = path
        self.parts: list[Part] = []

    async def open(self) -> list[str]:
        answer = await self._client.get(self._path)
        assert answer.status_code == 200, answer.text
        self.parts = _parts(answer.text)
        return [answer.text, *await self.hear("load")]

    async def hear(self, event: str) -> list[str]:
        """All that the page fetches for one event, with what the answers themselves fetch."""
        texts = []
        for part in [part for part in self.parts if event in part.triggers]:
            answer = await self._client.get(part.path, headers=FRAGMENT)
            assert answer.status_code == 200, f"{part.path}: {answer.text}"
            texts.append(answer.text)
            for inner in _parts(answer.text):
                if "load" in inner.triggers:
                    texts.append((await self._client.get(inner.path, headers=FRAGMENT)).text)
        return texts


def _parts(text: str) -> list[Part]:
    reader = _Reader()
    reader.feed(text)
    return reader.parts
