"""For supervisors: is the process alive, and can it serve?"""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import text

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
        async with context.database.read() as session:
            await session.exec(text("SELECT 1"))  # type: ignore[call-overload]
    except Exception as error:
        problem = CrystalDeckError(
            f"The database does not answer: {type(error).__name__}.", hint="See the server's log."
        )
        problem.status, problem.title = 503, "Not ready"
        raise problem from error
    return {"status": "ready"}
