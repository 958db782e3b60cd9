"""Who may do what: one table, one function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from app.errors import NotAllowed, NotAuthenticated


class Role(StrEnum):
    """What a user may do in the group; each role includes those before it."""

    VIEWER = "viewer"
    MEMBER = "member"
    MAINTAINER = "maintainer"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for the role that may do least."""
        return list(Role).index(self)


class Scope(StrEnum):
    """What an API token may do; a browser session has all of them. A ladder: each includes those before it."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    CLUSTERS_WRITE = "clusters:write"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 for the scope that lets do least."""
        return list(Scope).index(self)


SCOPE_WORDS: dict[Scope, str] = {
    Scope.JOBS_READ: "view jobs, results, files, templates, workflows and clusters, and follow their changes",
    Scope.JOBS_WRITE: "create, change and cancel jobs, batches and runs; write templates, basis sets and workflows; "
    "create keys and test clusters",
    Scope.CLUSTERS_WRITE: "add, change, pause and remove clusters, and trust their host keys",
    Scope.ADMIN: "everything that its owner may do, including managing accounts",
}
"""What each scope lets a token do, beyond what those before it do; never more than the role of its owner."""


@dataclass(frozen=True)
class Actor:
    """A logged-in user: id, name, role, and the scopes of their session or token."""

    user_id: int
    name: str
    role: Role
    scopes: frozenset[Scope] = frozenset(Scope)

    def has(self, scope: Scope) -> bool:
        """True where one of the actor's scopes is this one, or includes it."""
        return any(held.rank >= scope.rank for held in self.scopes)


@dataclass(frozen=True)
class Rule:
    """Least role, scope needed, and whether the object must be one's own (maintainers are exempt)."""

    role: Role
    scope: Scope
    own: bool = False


Action = Literal[
    "job.read",
    "job.create",
    "job.change",
    "template.read",
    "template.create",
    "template.change",
    "template.review",
    "cluster.read",
    "cluster.use",
    "cluster.change",
    "user.change",
    "account.own",
]
"""What a user may do to an object; an action that is not here does not pass mypy."""

RULES: dict[Action, Rule] = {
    "job.read": Rule(Role.VIEWER, Scope.JOBS_READ),
    "job.create": Rule(Role.MEMBER, Scope.JOBS_WRITE),
    "job.change": Rule(Role.MEMBER, Scope.JOBS_WRITE, own=True),
    "template.read": Rule(Role.VIEWER, Scope.JOBS_READ),
    "template.create": Rule(Role.MEMBER, Scope.JOBS_WRITE),
    "template.change": Rule(Role.MEMBER, Scope.JOBS_WRITE, own=True),
    "template.review": Rule(Role.MAINTAINER, Scope.JOBS_WRITE),
    "cluster.read": Rule(Role.VIEWER, Scope.JOBS_READ),
    "cluster.use": Rule(Role.MEMBER, Scope.JOBS_WRITE),
    "cluster.change": Rule(Role.MAINTAINER, Scope.CLUSTERS_WRITE),
    "user.change": Rule(Role.ADMIN, Scope.ADMIN),
    "account.own": Rule(Role.VIEWER, Scope.ADMIN),
}

_WORDS: dict[str, str] = {
    "job.read": "viewing jobs",
    "job.create": "creating jobs",
    "job.change": "changing jobs",
    "template.read": "viewing templates",
    "template.create": "creating templates",
    "template.change": "changing templates",
    "template.review": "reviewing templates",
    "cluster.read": "viewing clusters",
    "cluster.use": "using clusters",
    "cluster.change": "changing clusters",
    "user.change": "managing accounts",
    "account.own": "changing this account",
}
"""What each action does, after "your role does not allow"."""


def can(actor: Actor | None, action: Action, owner_id: int | None = None) -> bool:
    """True if `actor` may do `action` on an object of `owner_id` (None: an object without owner)."""
    if actor is None:
        return False
    rule = RULES[action]
    if actor.role.rank < rule.role.rank or not actor.has(rule.scope):
        return False
    return not rule.own or owner_id in (None, actor.user_id) or actor.role.rank >= Role.MAINTAINER.rank


def require(actor: Actor | None, action: Action, owner_id: int | None = None) -> Actor:
    """Return the actor if `can`, else raise NotAuthenticated or NotAllowed with the reason."""
    if actor is None:
        raise NotAuthenticated("You are not logged in.", hint="Log in, or send a bearer token.")
    if not can(actor, action, owner_id):
        rule = RULES[action]
        if not actor.has(rule.scope):
            raise NotAllowed(
                f"The token of {actor.name} lacks the scope {rule.scope}.",
                hint=f"Create a token with this scope: crystaldeck token create --user {actor.name} --scope {rule.scope}",
            )
        others = rule.own and actor.role.rank >= rule.role.rank
        raise NotAllowed(
            f"Your role ({actor.role}) does not allow {_WORDS[action]}{' of other users' if others else ''}.",
            hint="Ask a maintainer of your group." if others else f"This needs the role {rule.role}: ask an admin.",
        )
    return actor
