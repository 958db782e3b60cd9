"""The settings of the service itself, read from the environment and from `config.toml`."""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import ConfigurationError, FieldError
from app.settings.clusters import ClusterSettings
from app.settings.limits import LimitSettings

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)


_NEVER_PASSED = re.compile(
    r"CRYSTALDECK_.*|SSH_AUTH_SOCK|SSH_AGENT_PID|LD_PRELOAD|LD_AUDIT|BASH_ENV|ENV", re.IGNORECASE
)


def may_pass(name: str) -> bool:
    """May an operator let this variable of the service's environment reach jobs on this server?"""
    return _VARIABLE.fullmatch(name) is not None and _NEVER_PASSED.fullmatch(name) is None


LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?", re.IGNORECASE)


class Settings(BaseSettings):
    """Settings of the service. Each name is also an environment variable `CRYSTALDECK_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="CRYSTALDECK_", extra="forbid", env_nested_delimiter="__")

    data: Path = Field(
        default_factory=lambda: Path.home() / ".local/share/crystaldeck",
        description="Folder for the database, files and secrets; on a local disk.",
    )
    database_url: str = Field("", description="postgresql://… ; empty: SQLite inside the data folder.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    base_url: str = Field("", description="Public address, e.g. https://deck.example.org; decides cookie flags.")
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Additional host names under which browsers reach the service, besides base_url and loopback.",
    )
    trusted_proxies: list[str] = Field(
        default_factory=list,
        description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are trusted.",
    )
    master_key: SecretStr = Field(
        SecretStr(""),
        description="Master keys for stored secrets, newest first, separated by commas; empty: master_key_file.",
    )
    master_key_file: Path = Field(
        # Worked out with the settings: once the service runs, its environment no longer says where config.toml lies.
        default_factory=lambda: config_path().parent / "master.key",
        description="File of the master keys, one per line, newest first; empty: master.key beside config.toml.",
    )
    template_dirs: list[Path] = Field(default_factory=list, description="Additional folders of input templates.")
    poll_interval: float = Field(10.0, gt=0, description="Seconds between polls of an idle cluster.")
    lost_after_hours: float = Field(
        24.0,
        ge=0,
        description="Hours after which a job ends as lost that neither queue nor accounting knows; 0: never.",
    )
    poll_interval_busy: float = Field(2.0, gt=0, description="Seconds between polls while jobs are ending.")
    dispatch_interval: float = Field(1.0, gt=0, description="Seconds between checks of the queue.")
    command_timeout: float = Field(60.0, gt=0, description="Seconds that a remote command may take.")
    worker_processes: int = Field(
        0, ge=0, le=64, description="Processes for decks, structures and templates; 0: one per core, 2 to 8."
    )
    worker_memory_mb: int = Field(2048, ge=512, description="Memory limit of one worker process, in MiB.")
    worker_seconds: float = Field(20.0, gt=0, description="Seconds that one task may take in a worker process.")
    worker_waiting: int = Field(20, ge=1, description="Tasks of one user that may wait for a worker process.")
    session_hours: int = Field(24 * 14, ge=1, description="Hours after which a login expires.")
    session_idle_hours: float = Field(72.0, gt=0, description="Hours of inactivity after which a login expires.")
    allow_insecure: bool = Field(
        False, description="Permit plain HTTP on an address that other machines reach (behind a proxy, say)."
    )
    pass_environment: list[str] = Field(
        default_factory=list,
        description="Additional variables of the service's environment that jobs on this server receive.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Verbosity.")
    limits: LimitSettings = Field(
        default_factory=lambda: LimitSettings.model_validate({}),
        description="Limits per user, address and connection; see the limits.",
    )
    clusters: dict[str, ClusterSettings] = Field(
        default_factory=dict, description="Clusters by name; see the cluster keys."
    )

    @field_validator("pass_environment")
    @classmethod
    def _no_secrets(cls, value: list[str]) -> list[str]:
        for name in value:
            if not may_pass(name):
                raise ValueError(f"{name[:40]!r} is not a variable that may be passed to jobs")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        """A name or a slip of the pen must not silently trust nobody, or `*` everybody."""
        for item in value:
            ipaddress.ip_network(item)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: list[str]) -> list[str]:
        for item in value:
            if host_name(item) != item.lower() or not item:
                raise ValueError(f"{item!r} is not a host name; use names without scheme, port or '*'")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what the file gave as keyword arguments."""
        return env_settings, init_settings

    @property
    def database(self) -> str:
        """The SQLAlchemy URL with an async driver."""
        if not self.database_url:
            return f"sqlite+aiosqlite:///{self.data / 'crystaldeck.sqlite3'}"
        scheme, _, rest = self.database_url.partition("://")
        drivers = {"postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg", "sqlite": "sqlite+aiosqlite"}
        return f"{drivers.get(scheme, scheme)}://{rest}"

    @property
    def workers(self) -> int:
        """How many worker processes there are."""
        return self.worker_processes or max(2, min(8, os.cpu_count() or 2))

    @property
    def public_url(self) -> str:
        """Where a browser finds the service."""
        if self.base_url:
            return self.base_url.rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if host.count(':') > 1 and host[0] != '[' else host}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """Names that a request's `Host` may hold: another one is that of a page which made a browser come here."""
        own = host_name(urlsplit(self.public_url).netloc)
        return frozenset({own, *(name.lower() for name in self.allowed_hosts), *LOOPBACK_NAMES})

    @property
    def key_file(self) -> Path:
        """Where the master keys lie; outside of the data folder, so that a copy of that one gives no secret away."""
        return self.master_key_file.expanduser()

    @property
    def secure_cookies(self) -> bool:
        """True where cookies are sent over HTTPS alone."""
        return self.public_url.startswith("https://")

    def refuse_unsafe(self) -> None:
        """Raise ConfigurationError where a setting would expose the lab."""
        try:
            loopback = ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            loopback = self.host == "localhost"
        if not loopback and not self.secure_cookies and not self.allow_insecure:
            raise ConfigurationError(
                f"CRYSTALDECK_HOST={self.host} is reachable from other machines, but base_url is not https.",
                hint="Put a TLS proxy in front and set CRYSTALDECK_BASE_URL=https://…, or set "
                "CRYSTALDECK_ALLOW_INSECURE=true if you accept that passwords are sent in clear text.",
            )


def host_name(text: str) -> str:
    """The name in a `Host` header, small and without port and brackets; empty where it is none."""
    match = _HOST.fullmatch(text)
    return (match[1] or match[2]).lower() if match else ""


def config_path() -> Path:
    """The configuration file in use; it need not exist."""
    return Path(os.environ.get("CRYSTALDECK_CONFIG") or Path.home() / ".config/crystaldeck/config.toml")


def load_settings() -> Settings:
    """Read the file, then the environment.

    Raises:
        ConfigurationError: unreadable file, unknown key or value out of range; names each.
    """
    path = config_path()
    values: dict[str, object] = {}
    if path.exists():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ConfigurationError(
                f"The configuration file {path} cannot be read: {error}.", hint="Correct it, then start again."
            ) from error
    try:
        return Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        fields = [
            FieldError(".".join(map(str, item["loc"])), item["msg"], str(item.get("input", ""))[:80])
            for item in error.errors()
        ]
        listed = "; ".join(f"{field.field}: {field.reason} (got {field.value})" for field in fields)
        raise ConfigurationError(
            f"The settings are invalid: {listed}.",
            hint=f"Correct {path} or the CRYSTALDECK_* variables; docs/user/configuration.md lists all.",
            fields=fields,
        ) from error
