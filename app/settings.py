"""Typed settings: environment variables `CRYSTALDECK_*` over `config.toml`; unsafe values are refused.

The file is `~/.config/crystaldeck/config.toml` unless `CRYSTALDECK_CONFIG` names another one. Nothing here
imports from the rest of the package.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.errors import ConfigurationError, FieldError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
_NEVER_PASSED = re.compile(
    r"CRYSTALDECK_.*|SSH_AUTH_SOCK|SSH_AGENT_PID|LD_PRELOAD|LD_AUDIT|BASH_ENV|ENV", re.IGNORECASE
)


def may_pass(name: str) -> bool:
    """May an operator let this variable of the service's environment reach jobs on this server?"""
    return _VARIABLE.fullmatch(name) is not None and _NEVER_PASSED.fullmatch(name) is None


RUNNER_TYPES: dict[str, str] = {
    "slurm": "SLURM over SSH",
    "ssh": "no scheduler, over SSH",
    "local": "this server",
}
"""Values of `runner_type`, with words for people. Batch systems that are added later register theirs."""
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?", re.IGNORECASE)


class ClusterSettings(BaseModel):
    """One `[clusters.<name>]` table: a machine that runs jobs."""

    model_config = ConfigDict(extra="forbid")

    runner_type: str = Field(
        "slurm", description="slurm: SLURM over SSH; ssh: no scheduler, over SSH; local: this server."
    )
    hostname: str = Field("", description="Name or address of the login node; empty only for local.")
    port: int = Field(22, ge=1, le=65535, description="Port of sshd.")
    username: str = Field("", description="Account on the cluster; empty: each user sets their own.")
    key_path: Path | None = Field(None, description="Private key of that account, readable by this service.")
    use_agent: bool = Field(False, description="Use the ssh-agent of the service's environment.")
    proxy_jump: str = Field("", description="Jump host as user@host:port; its host key is verified too.")
    host_key: str = Field("", description="Fingerprint (SHA256:…) of the host key to trust, if known beforehand.")
    proxy_host_key: str = Field("", description="Fingerprint of the jump host's key.")
    default_partition: str = Field("", description="Partition preselected in the form.")
    workdir: str = Field("crystaldeck", description="Folder for the jobs; relative to the account's home.")
    setup: str = Field("", description="Shell lines at the start of each job script (module loads).")
    launcher: str = Field("", description="MPI launcher; {ntasks} is replaced. Empty: srun on SLURM.")
    crystal: str = Field("crystal", description="Executable of the wave-function program.")
    properties: str = Field("properties", description="Executable of the properties program.")
    preflight: bool = Field(
        False, description="Run each deck with TESTPDIM first (seconds): what CRYSTAL refuses fails at once."
    )
    max_jobs: int = Field(
        0, ge=0, description="Jobs submitted and not ended at a time; 0: 500 (slurm), 1 (ssh, local)."
    )
    max_jobs_per_user: int = Field(0, ge=0, description="Of these, jobs of one user; 0: no separate limit.")
    submit_delay: float = Field(0.0, ge=0, le=3600, description="Seconds between two submissions.")
    submit_per_minute: int = Field(0, ge=0, description="Submissions per minute; 0: no limit.")
    fair_share: bool = Field(False, description="Within a priority, the user with the fewest jobs there goes next.")
    job_arrays: bool = Field(True, description="Submit the jobs of one batch to SLURM as a job array.")
    presets: dict[str, dict[str, str | int]] = Field(
        default_factory=dict,
        description="Named resources for the form, such as {small = {ntasks = 4, walltime = '02:00:00'}}.",
    )
    max_files: int = Field(5000, ge=1, le=100_000, description="Files fetched from one job's directory.")
    max_file_gb: float = Field(
        100.0, gt=0, description="Largest file that is fetched, in GiB; larger ones stay on the cluster."
    )
    max_job_gb: float = Field(200.0, gt=0, description="Most that is fetched for one job, in GiB.")
    run_as: str = Field(
        "",
        description="For runner_type local: the account on this server that runs the jobs; empty: the service's.",
    )
    cores: int = Field(0, ge=0, description="Cores of one node, the upper limit of the form; 0: unknown.")

    @field_validator(
        "hostname",
        "username",
        "proxy_jump",
        "host_key",
        "proxy_host_key",
        "default_partition",
        "workdir",
        "launcher",
        "crystal",
        "properties",
    )
    @classmethod
    def _one_line(cls, value: str) -> str:
        if any(not char.isprintable() for char in value) or value.startswith("-"):
            raise ValueError("must be one line of printable characters and must not start with '-'")
        return value.strip()

    @field_validator("runner_type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        if value not in RUNNER_TYPES:
            raise ValueError(f"must be one of {', '.join(RUNNER_TYPES)}")
        return value

    @field_validator("hostname")
    @classmethod
    def _host(cls, value: str) -> str:
        if value and not is_host_name(value):
            raise ValueError("must be a host name or address, without port or account")
        return value

    @field_validator("run_as")
    @classmethod
    def _run_as(cls, value: str) -> str:
        if value and not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value):
            raise ValueError("must be an account name: a-z, 0-9, '_' and '-'")
        return value

    @field_validator("username")
    @classmethod
    def _account(cls, value: str) -> str:
        if value and not _ACCOUNT.fullmatch(value):
            raise ValueError("must be an account name: letters, digits and . _ -")
        return value

    @field_validator("proxy_jump")
    @classmethod
    def _jump_host(cls, value: str) -> str:
        match = JUMP.fullmatch(value)
        if value and (match is None or not is_host_name(match[2] or match[3]) or not 1 <= int(match[4] or 22) <= 65535):
            raise ValueError("must be one jump host as user@host:port; user and port may be left out")
        return value

    @field_validator("host_key", "proxy_host_key")
    @classmethod
    def _fingerprint(cls, value: str) -> str:
        if value and not _FINGERPRINT.fullmatch(value):
            raise ValueError("must be a fingerprint as ssh-keygen -l shows it: SHA256: and 43 characters")
        return value

    @field_validator("default_partition")
    @classmethod
    def _partition(cls, value: str) -> str:
        if not _PARTITION.fullmatch(value):
            raise ValueError("must be the name of a partition: letters, digits and _ . , : + -")
        return value

    @field_validator("workdir")
    @classmethod
    def _folder(cls, value: str) -> str:
        if not _FOLDER.fullmatch(value) or ".." in value.split("/"):
            raise ValueError(
                "must be a path of letters, digits and _ . + @ = , - without '..'; a relative path is below the home directory"
            )
        return value

    @field_validator("launcher", "crystal", "properties")
    @classmethod
    def _words(cls, value: str, info: ValidationInfo) -> str:
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ValueError(f"must be a valid shell command: {str(error).lower()}") from None
        if not words and info.field_name != "launcher":
            raise ValueError("must name a program")
        known = {"ntasks"} if info.field_name == "launcher" else set()
        unknown = [name for name in re.findall(r"{([^{}]*)}", value) if name not in known]
        if unknown:
            raise ValueError(f"uses {{{unknown[0][:40]}}}, which is not replaced; only the launcher may use {{ntasks}}")
        return value

    @field_validator("setup")
    @classmethod
    def _lines(cls, value: str) -> str:
        value = value.replace("\r\n", "\n")
        if any(not char.isprintable() and char not in "\n\t" for char in value):
            raise ValueError("must be lines of printable characters")
        try:
            shlex.split(value, comments=True)
        except ValueError as error:
            raise ValueError(f"must be valid shell lines: {str(error).lower()}") from None
        return value

    @field_validator("presets")
    @classmethod
    def _named(cls, value: dict[str, dict[str, str | int]]) -> dict[str, dict[str, str | int]]:
        if wrong := [name for name in value if not _PRESET.fullmatch(name)]:
            raise ValueError(f"{wrong[0][:40]!r} cannot be the name of a preset: letters, digits, space and _ . -")
        return value


_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
JUMP = re.compile(r"(?:([A-Za-z0-9_][A-Za-z0-9_.+-]{0,63})@)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
_PARTITION = re.compile(r"[A-Za-z0-9_.,:+-]{0,64}")
_FOLDER = re.compile(r"[A-Za-z0-9_.+@=,/-]{1,300}")
_PRESET = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,39}")
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")


def is_host_name(text: str) -> bool:
    """True for a name of the DNS, and for an address of either kind."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= 253 and _NAME.fullmatch(text) is not None
    return True


class LimitSettings(BaseModel):
    """The `[limits]` table: what one person, one address or one connection may ask for."""

    model_config = ConfigDict(extra="forbid")

    login_tries: int = Field(5, ge=1, description="Wrong passwords for one name from one address before delays begin.")
    login_tries_device: int = Field(
        10, ge=1, description="The same from a device on which this name has logged in before."
    )
    login_tries_wide: int = Field(
        20, ge=1, description="The same for one name from all unknown devices, and for one address with all names."
    )
    login_delay: float = Field(
        900.0, gt=0, description="Longest delay in seconds; delays start at one second and double."
    )
    login_delay_name: float = Field(60.0, gt=0, description="Longest delay for one name from all unknown devices.")
    login_forget_minutes: float = Field(10.0, gt=0, description="Minutes after which one wrong password is forgotten.")
    device_days: int = Field(180, ge=1, description="Days for which a device is remembered after a login.")
    streams_per_user: int = Field(10, ge=1, description="Live streams that one user may hold open in one process.")
    uploads_per_hour: int = Field(2000, ge=1, description="Files that one user may upload in an hour.")
    upload_mb_per_hour: int = Field(2000, ge=1, description="Megabytes that one user may upload in an hour.")
    disk_gb_per_user: float = Field(
        100.0,
        ge=0,
        description="Gigabytes of kept files (uploads, files of jobs) beyond which a user cannot add more; 0: no limit.",
    )
    connections: int = Field(800, ge=10, description="Open connections per process; further ones get a 503.")
    connections_per_address: int = Field(
        200, ge=1, description="Of these, from one address; further ones are closed. Trusted proxies are exempt."
    )
    keep_alive_seconds: int = Field(
        15, ge=1, description="Seconds for which an idle connection is kept open for another request."
    )
    header_seconds: float = Field(15.0, gt=0, description="Seconds within which the headers of a request must arrive.")
    body_seconds: float = Field(300.0, gt=0, description="Seconds within which the body of a request must arrive.")
    write_seconds: float = Field(60.0, gt=0, description="Seconds for which a client may read nothing of a response.")


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
