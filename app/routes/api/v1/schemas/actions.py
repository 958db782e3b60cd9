"""Shapes of REST requests and answers about actions on many jobs, and about pauses."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class QueueAction(BaseModel):
    """One action on many jobs: those of `ids`, or with `all` true every job that the query's filter lets through.

    `expect` is how many jobs there should be: where there are more or fewer, nothing is done. `all` needs it where the query
    holds no filter. With `dry_run` nothing is done either: the answer is the number of jobs and what would become of the first.
    """

    model_config = ConfigDict(extra="forbid")

    action: str
    ids: list[str] = Field(default_factory=list, max_length=10_000)
    all: bool = False
    value: str = Field("", max_length=200)
    expect: int | None = Field(None, ge=0)
    dry_run: bool = False


class ActionResult(BaseModel):
    """What an action did to one job, or why it did nothing."""

    id: str
    name: str
    done: bool
    reason: str


class ActionPreview(BaseModel):
    """Of a dry run: how many jobs it would be tried on; in `sample` the first of them, `done` where they could take part."""

    dry_run: Literal[True] = True
    action: str
    count: int
    sample: list[ActionResult]


class PauseRequest(BaseModel):
    """The cluster to pause or resume (empty: all), and a reason for its users."""

    model_config = ConfigDict(extra="forbid")

    cluster: str = ""
    reason: str = ""
