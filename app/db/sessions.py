"""Sessions of the database: those that read, and those that also write.

A session that writes may be given where reading suffices, never the other way round: mypy refuses a function that writes a
session of `Database.read`. They hold SQLModel's session rather than being one, so that reading offers nothing that writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, TypeVarTuple, overload

from sqlalchemy.engine.cursor import CursorResult
from sqlalchemy.engine.result import ScalarResult, TupleResult
from sqlalchemy.ext.asyncio import AsyncSessionTransaction
from sqlalchemy.sql.dml import UpdateBase
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select, SelectOfScalar

Row = TypeVar("Row", bound=SQLModel)
Value = TypeVar("Value")
Values = TypeVarTuple("Values")


class ReadSession:
    """A consistent view of the database."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, table: type[Row], key: Any) -> Row | None:
        """The row with this primary key; None: there is none."""
        return await self._session.get(table, key)

    @overload
    async def exec(self, statement: Select[*Values]) -> TupleResult[tuple[*Values]]: ...

    @overload
    async def exec(self, statement: SelectOfScalar[Value]) -> ScalarResult[Value]: ...

    async def exec(self, statement: Any) -> Any:
        """Run a SELECT."""
        return await self._session.exec(statement)


class WriteSession(ReadSession):
    """A unit of work: what is added and changed here is kept when its block ends without error, or not at all."""

    def __init__(self, session: AsyncSession) -> None:
        super().__init__(session)
        self.has_news = False
        """Whether events were written: once they are kept, those who tell open pages of them are woken."""
        self.has_work = False
        """Whether there is something to do that should not wait for the next tick: a job to submit, a run to go on with."""

    @overload
    async def exec(self, statement: Select[*Values]) -> TupleResult[tuple[*Values]]: ...

    @overload
    async def exec(self, statement: SelectOfScalar[Value]) -> ScalarResult[Value]: ...

    @overload
    async def exec(
        self,
        statement: UpdateBase,
        *,
        params: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        execution_options: Mapping[str, Any] | None = None,
    ) -> CursorResult[Any]: ...

    async def exec(self, statement: Any, *, params: Any = None, execution_options: Any = None) -> Any:
        """Run a SELECT, or a statement that writes; `params` holds the values of each row."""
        return await self._session.exec(statement, params=params, execution_options=execution_options or {})

    def add(self, row: SQLModel) -> None:
        """Let a new or changed row be written."""
        self._session.add(row)

    def add_all(self, rows: Sequence[SQLModel]) -> None:
        """Let new or changed rows be written."""
        self._session.add_all(rows)

    async def merge(self, row: Row) -> Row:
        """Let the row of another session be written as it is."""
        return await self._session.merge(row)

    async def delete(self, row: SQLModel) -> None:
        """Let a row be removed."""
        await self._session.delete(row)

    async def flush(self) -> None:
        """Write now what was added, so that ids are there and statements see it."""
        await self._session.flush()

    async def refresh(self, row: SQLModel) -> None:
        """Read a row again."""
        await self._session.refresh(row)

    def forget(self, row: SQLModel) -> None:
        """Let a row no longer belong to this session."""
        self._session.expunge(row)

    def begin_nested(self) -> AsyncSessionTransaction:
        """A part that can be undone alone: see `savepoints`."""
        return self._session.begin_nested()

    def rows(self) -> dict[Any, SQLModel]:
        """The rows that belong to this session, by their identity."""
        identity = self._session.identity_map
        return {key: identity[key] for key in list(identity.keys())}

    def __contains__(self, row: object) -> bool:
        """Whether a row was read or added here."""
        return row in self._session
