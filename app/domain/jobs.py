"""Which jobs a list shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class JobFilter:
    """What a list of jobs is restricted to; empty means all."""

    states: tuple[str, ...] = ()
    owner: str = ""
    cluster: str = ""
    template: str = ""
    text: str = ""
    id: str = ""
    batch: str = ""
    tag: str = ""
    archived: bool = False
    """Those in the archive, or those that are not in it."""
    grouped: bool = False
    """One line for all jobs of a batch."""
    before: tuple[datetime, str] | None = None
    limit: int = 50

    @property
    def narrows(self) -> bool:
        """False where it lets all jobs through that are not in the archive."""
        return any(
            (
                self.states,
                self.owner,
                self.cluster,
                self.template,
                self.text,
                self.id,
                self.batch,
                self.tag,
                self.archived,
            )
        )
