"""For supervisors: is the process alive, and can it serve?"""

from __future__ import annotations

from fastapi import APIRouter

from app.errors import CrystalDeckError
from app.routes.deps import ContextDep

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(context: ContextDep) -> dict[str, str]:
    """The database answers too; 503 where it does not."""
    try:
        await context.database.ping()
    except Exception as error:
        problem = CrystalDeckError(
            f"The database does not answer: {type(error).__name__}.", hint="See the server's log."
        )
        problem.status, problem.title = 503, "Not ready"
        raise problem from error
    return {"status": "ready"}
