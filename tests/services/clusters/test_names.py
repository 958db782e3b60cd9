"""A cluster that is not there is told in the same words wherever somebody names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.errors import CrystalDeckError, InvalidInput, NotFound
from app.services.clusters import changes, checks, host_trust, member_keys, registry
from app.services.jobs import queue
from app.services.jobs.creation import JobRequest, create_jobs
from tests.support.app import make_actor
from tests.support.service import mgo

MESSAGE, HINT = "There is no cluster 'nowhere'.", "Known clusters: here."


async def test_every_way_to_name_a_cluster_says_the_same(start: Callable[..., Any]) -> None:
    async with start() as app:
        context = app.state.context
        ada = await make_actor(context)
        for way in (
            registry.get(context, ada, "nowhere"), checks.test_cluster(context, ada, "nowhere"),
            checks.test_in_background(context, ada, "nowhere"), host_trust.trust_key(context, ada, "nowhere", "x"),
            host_trust.forget_key(context, ada, "nowhere"), member_keys.make_key(context, ada, "nowhere", "ada"),
            member_keys.remove_keys(context, ada, "nowhere"), changes.edit(context, ada, "nowhere", {}),
            changes.remove(context, ada, "nowhere"), queue.pause(context, ada, "nowhere"),
            queue.resume(context, ada, "nowhere"),
        ):  # fmt: skip
            with pytest.raises(NotFound) as told:
                await way
            assert (told.value.message, told.value.hint) == (MESSAGE, HINT)
        with pytest.raises(InvalidInput) as refused:
            await create_jobs(context, ada, [JobRequest("scf", mgo(), "nowhere", {}, "x")])
        assert (refused.value.message, refused.value.hint) == (MESSAGE, HINT)
        assert [field.field for field in refused.value.fields] == ["cluster"]


@pytest.mark.parametrize("name", ["", "Here", "here\0", "a" * 5000, "x'; DROP TABLE clusters; --", "../here"])
async def test_what_cannot_be_a_name_is_not_there(start: Callable[..., Any], name: str) -> None:
    async with start() as app:
        ada = await make_actor(app.state.context)
        with pytest.raises(CrystalDeckError) as told:
            await registry.get(app.state.context, ada, name)
        assert isinstance(told.value, NotFound) and len(told.value.message) < 120
