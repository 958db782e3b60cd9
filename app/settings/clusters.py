"""One `[clusters.<name>]` table: how a machine that runs jobs is reached and used."""

from __future__ import annotations

import ipaddress
import re
import shlex
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

RUNNER_TYPES: dict[str, str] = {
    "slurm": "SLURM over SSH",
    "ssh": "no scheduler, over SSH",
    "local": "this server",
}
"""Values of `runner_type`, with words for people. Batch systems that are added later register theirs."""


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
    login_shell: bool = Field(
        False,
        description="Over SSH, run commands in a login shell: the scheduler is found only by ~/.profile or /etc/profile.",
    )
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
