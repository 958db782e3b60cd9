"""The service as an object: every method is one request of its REST interface."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx
from crystaldeck.workflows import Workflow

ENDED = ("completed", "failed", "cancelled")


class Failed(Exception):
    """The service refused a request; `fields` names what is wrong where it says so."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{problem.get('detail', problem)} {problem.get('hint', '')}".strip())
        self.fields = list(problem.get("errors", []))


class Server:
    """A CrystalDeck service, by its address and a token of yours (`crystaldeck token create`)."""

    def __init__(self, url: str, token: str, timeout: float = 30.0) -> None:
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=timeout
        )

    def request(self, method: str, path: str, **options: Any) -> Any:
        """One request below /api/v1.

        Raises:
            Failed: the service said no, and why.
        """
        answer = self._client.request(method, path, **options)
        if answer.is_error:
            kind = answer.headers.get("content-type", "")
            raise Failed(answer.json() if "json" in kind else {"detail": answer.text[:500]})
        return answer.json() if answer.content else None

    def check(self, workflow: Workflow) -> dict[str, Any]:
        """What a workflow means, and everything that is wrong with it."""
        found: dict[str, Any] = self.request("POST", "/workflows/check", json=workflow.definition())
        return found

    def submit(
        self, workflow: Workflow | str, cluster: str, parameters: Mapping[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        """Start a workflow, or one of the library by its name; answers the run.

        Args:
            options: `inputs`, `resources`, `name`, `priority`, `reuse`, `steps`.
        """
        what = {"workflow": workflow} if isinstance(workflow, str) else {"definition": workflow.definition()}
        body = {**what, "cluster": cluster, "parameters": dict(parameters or {}), **options}
        found: dict[str, Any] = self.request("POST", "/runs", json=body)
        return found

    def run(self, run_id: str) -> dict[str, Any]:
        """A run as it stands."""
        found: dict[str, Any] = self.request("GET", f"/runs/{run_id}")
        return found

    def wait(self, run_id: str, seconds: float = 86400.0, every: float = 2.0) -> dict[str, Any]:
        """A run when it has ended.

        Raises:
            TimeoutError
        """
        end = time.monotonic() + seconds
        while (found := self.run(run_id))["state"] not in ENDED:
            if time.monotonic() > end:
                raise TimeoutError(f"run {run_id} is still {found['state']}")
            time.sleep(every)
        return found

    def close(self) -> None:
        self._client.close()
