"""Tables of people: accounts, logins, tokens, one-time links."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from app.db.tables.clock import now
from app.db.tables.keys import stored_id


class User(SQLModel, table=True):
    """An account: name, role, and the hash of its password."""

    __tablename__ = "users"

    id: int = stored_id()
    name: str = Field(unique=True, index=True)
    password_hash: str = ""
    role: str = "member"
    active: bool = True
    created_at: datetime = Field(default_factory=now)


class Session(SQLModel, table=True):
    """A browser login. Only a digest of its token is kept."""

    __tablename__ = "sessions"

    id: int = stored_id()
    token_hash: str = Field(unique=True, index=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    created_at: datetime = Field(default_factory=now)
    last_seen_at: datetime = Field(default_factory=now)
    """When a person last opened a page with it, to the minute."""
    expires_at: datetime
    user_agent: str = ""


class ApiToken(SQLModel, table=True):
    """A bearer token of a notebook or script. Only a digest is kept."""

    __tablename__ = "api_tokens"

    id: int = stored_id()
    token_hash: str = Field(unique=True, index=True)
    user_id: int = Field(foreign_key="users.id", index=True)
    scopes: str
    created_at: datetime = Field(default_factory=now)
    last_used_at: datetime | None = None


class OneTimeLink(SQLModel, table=True):
    """A link that makes one account: the set-up link of the first admin, or an invitation."""

    __tablename__ = "one_time_links"

    id: int = stored_id()
    token_hash: str = Field(unique=True, index=True)
    role: str
    expires_at: datetime
    used_at: datetime | None = None
