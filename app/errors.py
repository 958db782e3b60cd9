"""Every error that a person may see, in one tree.

CrystalDeckError
├── UnknownHost             400  the request names a host that is not this service
├── InvalidInput            422  a field, a parameter or a setting has a wrong value
│   └── WorkStopped         422  what was asked for takes more time, memory or room than it may
├── NotAuthenticated        401  nobody is logged in
├── NotAllowed              403  somebody is, but may not do this
├── NotFound                404
├── Conflict                409  the object is in a state that does not permit the action
│   ├── HostKeyUnknown      409  a person must confirm the fingerprint first
│   ├── HostKeyChanged      409  the machine shows another key than the trusted one
│   ├── QuotaExceeded       409  somebody keeps as much here as one person may
│   └── ClusterBroken       409  the stored settings of a cluster cannot be used
├── TooManyAttempts         429  wrong passwords
├── LimitReached            429  as much as one person may have at a time, or in an hour
├── TooLarge                413  a request's body is larger than its route takes
├── ConfigurationError      500  the service's own settings are wrong
└── ClusterError            502  another machine failed us
    ├── Unreachable         502  no connection
    ├── LoginRefused        502  the connection stands, the key is not accepted
    ├── CircuitOpen         502  we stopped trying on purpose
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

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "reason": self.reason, "value": self.value}


class CrystalDeckError(Exception):
    """Base of the tree. `code` is stable and documented; `message` and `hint` are for people."""

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
    code, status, title = "unknown-host", 400, "Unknown host"


class InvalidInput(CrystalDeckError):
    code, status, title = "invalid-input", 422, "The input has errors"


class WorkStopped(InvalidInput):
    code, title = "work-stopped", "A limit was reached"


class NotAuthenticated(CrystalDeckError):
    code, status, title = "not-authenticated", 401, "Please log in"


class NotAllowed(CrystalDeckError):
    code, status, title = "not-allowed", 403, "Not permitted"


class NotFound(CrystalDeckError):
    code, status, title = "not-found", 404, "Not found"


class Conflict(CrystalDeckError):
    code, status, title = "conflict", 409, "Not possible in this state"


class HostKeyUnknown(Conflict):
    code, title = "host-key-unknown", "Host key not yet confirmed"


class HostKeyChanged(Conflict):
    code, title = "host-key-changed", "Host key changed"


class QuotaExceeded(Conflict):
    code, title = "quota-exceeded", "Quota exceeded"


class ClusterBroken(Conflict):
    code, title = "cluster-broken", "The cluster's settings cannot be used"


class TooManyAttempts(CrystalDeckError):
    code, status, title = "too-many-attempts", 429, "Too many attempts"


class LimitReached(CrystalDeckError):
    code, status, title = "limit-reached", 429, "Limit reached"


class TooLarge(CrystalDeckError):
    code, status, title = "too-large", 413, "Too large"


class ConfigurationError(CrystalDeckError):
    code, status, title = "configuration", 500, "Wrong configuration"


class ClusterError(CrystalDeckError):
    code, status, title = "cluster", 502, "The cluster did not answer as it should"


class Unreachable(ClusterError):
    code, title = "unreachable", "Cluster unreachable"
    whole_machine = False
    """True: nobody gets there, whatever the key."""


class LoginRefused(ClusterError):
    code, title = "login-refused", "Login refused"


class CircuitOpen(ClusterError):
    code, title = "circuit-open", "Logins suspended"


class RemoteFailure(ClusterError):
    code, title = "remote-failure", "Remote command failed"
