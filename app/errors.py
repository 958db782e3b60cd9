"""Every error that a user may see, in one tree.

CrystalDeckError
├── UnknownHost             400  the request names a host that is not this service
├── InvalidInput            422  a field, a parameter or a setting has an invalid value
│   └── WorkStopped         422  the computation needs more time, memory or space than allowed
├── NotAuthenticated        401  the user is not logged in
├── NotAllowed              403  the user is logged in, but may not do this
├── NotFound                404
├── Conflict                409  the object is in a state that does not permit the action
│   ├── HostKeyUnknown      409  a user must confirm the fingerprint first
│   ├── HostKeyChanged      409  the machine shows another key than the trusted one
│   ├── QuotaExceeded       409  the user's files take up as much space as one user may have
│   └── ClusterBroken       409  the stored settings of a cluster cannot be used
├── TooManyAttempts         429  too many wrong passwords
├── LimitReached            429  the user has reached a limit, at a time or per hour
├── TooLarge                413  the body of a request is larger than its route accepts
├── ConfigurationError      500  the service's own settings are invalid
└── ClusterError            502  a cluster failed to do its part
    ├── Unreachable         502  no connection
    ├── LoginRefused        502  the connection works, but the key is not accepted
    ├── CircuitOpen         502  we stopped trying on purpose, to avoid a ban
    └── RemoteFailure       502  a command ran and failed

Each says what happened, to which object, why, and what to do next (`hint`). The same object renders as
an HTML message and as an RFC 9457 problem document, so a page and a notebook read the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field: its name, the value given, the reason and the next step."""

    field: str
    reason: str
    value: str = ""
    choices: tuple[str, ...] = ()
    """Values that would do, where these are known."""

    def as_dict(self) -> dict[str, Any]:
        """The error as an entry of a problem document."""
        document: dict[str, Any] = {"field": self.field, "reason": self.reason, "value": self.value}
        return document | ({"choices": list(self.choices)} if self.choices else {})


class CrystalDeckError(Exception):
    """Base of the tree. `code` is stable and documented; `message` and `hint` are shown to users."""

    code = "error"
    status = 500
    title = "Something went wrong"

    def __init__(
        self, message: str, *, hint: str = "", fields: list[FieldError] | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.retry_after = retry_after
        """Seconds after which the same request may succeed; 0: that is not a matter of time."""
        self.fields = fields or []

    def problem(self) -> dict[str, Any]:
        """This error as an RFC 9457 problem document."""
        document: dict[str, Any] = {
            "type": f"urn:crystaldeck:error:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.message,
            "code": self.code,
        }
        if self.hint:
            document["hint"] = self.hint
        if self.fields:
            document["errors"] = [field.as_dict() for field in self.fields]
        return document

    @property
    def sentence(self) -> str:
        """Message and hint in one line, for logs and the command line."""
        return f"{self.message} {self.hint}".strip()


class UnknownHost(CrystalDeckError):
    """A request names a host that is not this service: a page elsewhere may have made the browser come here."""

    code, status, title = "unknown-host", 400, "Unknown host"


class InvalidInput(CrystalDeckError):
    """A field, a parameter or a setting has an invalid value; `fields` names each."""

    code, status, title = "invalid-input", 422, "Invalid input"


class WorkStopped(InvalidInput):
    """A computation was stopped since it needs more time, memory or space than allowed."""

    code, title = "work-stopped", "A limit was reached"


class NotAuthenticated(CrystalDeckError):
    """The request has neither a session nor a valid token."""

    code, status, title = "not-authenticated", 401, "Please log in"


class NotAllowed(CrystalDeckError):
    """The user may not do this: role, scope or ownership."""

    code, status, title = "not-allowed", 403, "Not permitted"


class NotFound(CrystalDeckError):
    """The named object does not exist."""

    code, status, title = "not-found", 404, "Not found"


class Conflict(CrystalDeckError):
    """The object is in a state that does not permit the action."""

    code, status, title = "conflict", 409, "Not possible in this state"


class HostKeyUnknown(Conflict):
    """A cluster showed a host key that nobody has confirmed yet."""

    code, title = "host-key-unknown", "Host key not yet confirmed"


class HostKeyChanged(Conflict):
    """A cluster shows another host key than the trusted one."""

    code, title = "host-key-changed", "Host key changed"


class QuotaExceeded(Conflict):
    """The user's files take up as much space as one user may have."""

    code, title = "quota-exceeded", "Quota exceeded"


class ClusterBroken(Conflict):
    """The stored settings of a cluster cannot be used."""

    code, title = "cluster-broken", "The cluster's settings cannot be used"


class TooManyAttempts(CrystalDeckError):
    """Too many wrong passwords for a name or from an address."""

    code, status, title = "too-many-attempts", 429, "Too many attempts"


class LimitReached(CrystalDeckError):
    """The user has reached a limit, at a time or per hour."""

    code, status, title = "limit-reached", 429, "Limit reached"


class TooLarge(CrystalDeckError):
    """The body of a request is larger than its route accepts."""

    code, status, title = "too-large", 413, "Too large"


class ConfigurationError(CrystalDeckError):
    """The service's own settings, or a template's files, are invalid."""

    code, status, title = "configuration", 500, "Invalid configuration"


class ClusterError(CrystalDeckError):
    """A cluster failed to do its part; base of the errors below."""

    code, status, title = "cluster", 502, "Cluster error"


class Unreachable(ClusterError):
    """No connection to the cluster."""

    code, title = "unreachable", "Cluster unreachable"
    whole_machine = False
    """True: the whole machine is unreachable, whatever the key."""


class LoginRefused(ClusterError):
    """The cluster answers, but refuses the login."""

    code, title = "login-refused", "Login refused"


class CircuitOpen(ClusterError):
    """Logins are suspended after failed ones, so that the centre does not ban this server."""

    code, title = "circuit-open", "Logins suspended"


class RemoteFailure(ClusterError):
    """A command ran on the cluster and failed."""

    code, title = "remote-failure", "Remote command failed"
