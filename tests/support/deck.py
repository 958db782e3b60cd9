"""The service in this process, and what a notebook asks of it."""

from __future__ import annotations

from typing import Any

import httpx
from fastapi import FastAPI

from app.services.context import Context


class Deck:
    def __init__(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        self.app, self.client = app, client

    @property
    def context(self) -> Context:
        found: Context = self.app.state.context
        return found

    async def post(self, path: str, status: int = 201, /, **body: Any) -> dict[str, Any]:
        answer = await self.client.post(f"/api/v1{path}", json=body)
        assert answer.status_code == status, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str, status: int = 200, /, **query: Any) -> Any:
        """What the path answers: JSON, or text where it is none."""
        answer = await self.client.get(f"/api/v1{path}", params=query)
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    async def page(self, path: str) -> str:
        """A page, as somebody sees it who is logged in, with each run of white space as one space."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return " ".join(answer.text.split())
