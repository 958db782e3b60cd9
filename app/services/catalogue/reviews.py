"""Whose a template is, what it can do, and whether a maintainer has looked through it.

A template of the group is written by a member in the browser. It can do little (see `abilities`), but it decides what a colleague's
job computes. Its page and the composer therefore say whose it is; a maintainer may mark one revision as reviewed, and the mark
falls off with any change, since another text is another revision.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.crystal.files import is_deck
from app.db.repositories import reviews, users
from app.db.tables import TemplateReview
from app.domain.people.permissions import Actor, can, require
from app.errors import Conflict
from app.library.template_files import Template
from app.services.catalogue.templates import refresh
from app.services.context import Context

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """Who wrote a template and who reviewed it. `author` is empty for one of the installation, which its operator answers for."""

    author: str = ""
    reviewer: str = ""
    at: datetime | None = None
    may_review: bool = False

    @property
    def is_unreviewed(self) -> bool:
        """A member wrote this revision, and no maintainer has reviewed it."""
        return bool(self.author) and not self.reviewer


def abilities(template: Template) -> list[str]:
    """What a job of this template does, in words."""
    decks = [file.name for file in template.spec.files if is_deck(file.name)]
    beside = [file.name for file in template.spec.files if not is_deck(file.name)]
    said = [f"runs {'crystal' if name.endswith('.d12') else 'properties'} with its deck {name}" for name in decks]
    if beside:
        said.append(f"writes {', '.join(beside)} next to it")
    if template.spec.needs:
        said.append(
            f"puts files of your choice next to it, as {', '.join(need.staged_as for need in template.spec.needs)}"
        )
    return said


async def standings(context: Context, actor: Actor, templates: Sequence[Template]) -> dict[str, Standing]:
    """By template id."""
    require(actor, "template.read")
    async with context.database.read() as session:
        known, names = await reviews.all_reviews(session), await users.names(session)
    return {template.spec.id: _standing(context, actor, template, known, names) for template in templates}


async def standing(context: Context, actor: Actor, template: Template) -> Standing:
    """Who wrote and who reviewed one template."""
    return (await standings(context, actor, [template]))[template.spec.id]


def _standing(
    context: Context,
    actor: Actor,
    template: Template,
    known: dict[tuple[str, str], TemplateReview],
    names: dict[int, str],
) -> Standing:
    if context.templates.is_fixed(template.spec.id):
        return Standing()
    row = known.get((template.spec.id, template.revision))
    may_review = can(actor, "template.review")
    if row is None:
        return Standing(template.origin, may_review=may_review)
    return Standing(template.origin, names.get(row.reviewer_id, "?"), row.created_at, may_review)


async def mark(context: Context, actor: Actor, template_id: str, revision: str, *, reviewed: bool) -> Template:
    """Mark a revision as reviewed, or take the mark away.

    Args:
        revision: the one that was read.

    Raises:
        NotAllowed: the actor is no maintainer. NotFound: no such template. Conflict: it was changed since it was read, or is one
            of the installation.
    """
    require(actor, "template.review")
    await refresh(context)
    template = context.templates.get(template_id)
    if context.templates.is_fixed(template_id):
        raise Conflict(f"{template_id} is a built-in template.", hint="Only templates that members wrote are reviewed.")
    if template.revision != revision:
        raise Conflict(
            f"{template_id} has changed: its revision is {template.revision[:12]}, you read {revision[:12]}.",
            hint="Read the newest version, then mark that one.",
        )
    async with context.database.write() as session:
        row = await reviews.review(session, template_id, revision)
        if reviewed and row is None:
            session.add(TemplateReview(template_id=template_id, revision=revision, reviewer_id=actor.user_id))
        elif not reviewed and row is not None:
            await session.delete(row)
    log.info(
        "%s %s template %s, revision %s", actor.name, "reviewed" if reviewed else "unmarked", template_id, revision[:12]
    )
    return template
