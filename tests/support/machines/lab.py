"""A real cluster on this machine, without systemd: munge, MariaDB, slurmdbd, slurmctld, slurmd, and sshd with two users.

Needs root and Debian's packages. Everything lives in one folder and listens on loopback; every process is ended by the id
that it was started with.
"""

from __future__ import annotations

import grp
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncssh

from tests.support.corpus import CORPUS
from tests.support.machines.ports import free_port
from tests.support.waiting import wait_until

USERS = ("alice", "bob")
PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sshd", "sacctmgr")
REPOSITORY = Path(__file__).resolve().parents[3]


def missing() -> str:
    """Why the lab cannot run here, or nothing."""
    if os.geteuid() != 0:
        return "the lab needs root to start slurmd and sshd for several users"
    absent = [name for name in PROGRAMS if _which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def _which(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Lab:
    """Start it, use it, stop it."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="crystaldeck-lab-", dir="/tmp"))
        self.root.chmod(0o755)
        self.ssh_port = free_port()
        self.key_path = self.root / "keys" / "client"
        self.sshd_log = self.root / "sshd.log"
        self.slurm_conf = self.root / "slurm.conf"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._environment = {**os.environ, "SLURM_CONF": str(self.slurm_conf)}

    # -- starting ------------------------------------------------------------------------------------------------

    def start(self) -> Lab:
        for user in USERS:
            self._make_user(user)
        self._make_programs()
        self._start_munge()
        database_port = self._start_mariadb()
        self._write_slurm(database_port)
        self._start_slurm()
        self._start_sshd()
        return self

    def _make_user(self, user: str) -> None:
        try:
            pwd.getpwnam(user)
        except KeyError:
            subprocess.run(["useradd", "-m", "-s", "/bin/bash", "-p", "*", user], check=True)

    def _make_programs(self) -> None:
        """Programs and stored outputs that the cluster's users can read."""
        shutil.copytree(REPOSITORY / "tests" / "lab" / "bin", self.root / "bin")
        shutil.copytree(CORPUS, self.root / "data")
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                path = Path(folder, name)
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)

    def _spawn(self, *command: str, user: str | None = None, log: str) -> subprocess.Popen[bytes]:
        with (self.root / f"{log}.start.log").open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self._environment,
                user=user, group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def _owned(self, name: str, user: str, mode: int = 0o755) -> Path:
        folder = self.root / name
        folder.mkdir()
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)
        folder.chmod(mode)
        return folder

    def _start_munge(self) -> None:
        folder = self._owned("munge", "munge")
        key = folder / "key"
        key.write_bytes(secrets.token_bytes(1024))
        os.chown(key, pwd.getpwnam("munge").pw_uid, grp.getgrnam("munge").gr_gid)
        key.chmod(0o400)
        socket_path = folder / "socket"
        self._spawn(
            _which("munged") or "munged", "--foreground", "--force", f"--key-file={key}", f"--socket={socket_path}",
            f"--pid-file={folder / 'pid'}", f"--log-file={folder / 'log'}", f"--seed-file={folder / 'seed'}",
            user="munge", log="munged",
        )  # fmt: skip
        wait_until(socket_path.exists, "munged's socket")

    def _start_mariadb(self) -> int:
        folder = self._owned("mysql", "mysql")
        data, socket_path, port = folder / "data", folder / "socket", free_port()
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db"],
            check=True, capture_output=True,
        )  # fmt: skip
        self._spawn(
            _which("mariadbd") or "mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}",
            f"--socket={socket_path}", f"--port={port}", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M",
            f"--pid-file={folder / 'pid'}", log="mariadbd",
        )  # fmt: skip
        wait_until(socket_path.exists, "MariaDB's socket")
        statements = (
            "CREATE DATABASE slurm_acct_db; CREATE USER 'slurm'@'127.0.0.1' IDENTIFIED BY 'lab'; "
            "CREATE USER 'slurm'@'localhost' IDENTIFIED BY 'lab'; "
            "GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1'; GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';"
        )
        wait_until(
            lambda: subprocess.run(
                ["mariadb", "--no-defaults", f"--socket={socket_path}", "-e", statements], capture_output=True
            ).returncode == 0,
            "MariaDB's answer",
        )  # fmt: skip
        return port

    def _write_slurm(self, database_port: int) -> None:
        ports = {name: free_port() for name in ("dbd", "ctld", "d")}
        self._dbd_port = ports["dbd"]
        munge = f"AuthType=auth/munge\nAuthInfo=socket={self.root / 'munge' / 'socket'},cred_expire=20\n"
        dbd = self.root / "slurmdbd.conf"
        dbd.write_text(
            f"{munge}DbdHost=localhost\nDbdPort={ports['dbd']}\nSlurmUser=root\nStorageType=accounting_storage/mysql\n"
            f"StorageHost=127.0.0.1\nStoragePort={database_port}\nStorageUser=slurm\nStoragePass=lab\n"
            f"StorageLoc=slurm_acct_db\nLogFile={self.root}/slurmdbd.log\nPidFile={self.root}/slurmdbd.pid\n"
        )
        dbd.chmod(0o600)
        for name in ("state", "spool"):
            (self.root / name).mkdir()
        host = socket.gethostname()
        self.slurm_conf.write_text(
            f"ClusterName=lab\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\n{munge}"
            f"SlurmctldPort={ports['ctld']}\nSlurmdPort={ports['d']}\n"
            f"StateSaveLocation={self.root}/state\nSlurmdSpoolDir={self.root}/spool\n"
            f"SlurmctldPidFile={self.root}/slurmctld.pid\nSlurmdPidFile={self.root}/slurmd.pid\n"
            f"SlurmctldLogFile={self.root}/slurmctld.log\nSlurmdLogFile={self.root}/slurmd.log\n"
            "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSwitchType=switch/none\nMpiDefault=none\n"
            "JobAcctGatherType=jobacct_gather/linux\nSelectType=select/cons_tres\nSelectTypeParameters=CR_Core\n"
            "ReturnToService=2\nSlurmdParameters=config_overrides\nKillWait=2\nMinJobAge=60\n"
            "SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,defer\n"
            "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=localhost\n"
            f"AccountingStoragePort={ports['dbd']}\nAccountingStoreFlags=job_comment\n"
            f"AccountingStoragePass={self.root}/munge/socket\n"
            "NodeName=node1 NodeHostname=" + host + " NodeAddr=127.0.0.1 CPUs=64 RealMemory=64000 State=UNKNOWN\n"
            "PartitionName=main Nodes=node1 Default=YES MaxTime=2-0 State=UP\n"
            "PartitionName=short Nodes=node1 MaxTime=10 State=UP\n"
        )
        self.slurm_conf.chmod(0o644)

    def _start_slurm(self) -> None:
        self._spawn(_which("slurmdbd") or "slurmdbd", "-D", log="slurmdbd")
        wait_until(lambda: _listens(self._dbd_port), "slurmdbd's port")
        self._root("sacctmgr", "-i", "add", "cluster", "lab")
        self._spawn(_which("slurmctld") or "slurmctld", "-D", "-c", "-f", str(self.slurm_conf), log="slurmctld")
        self._spawn(_which("slurmd") or "slurmd", "-D", "-f", str(self.slurm_conf), "-N", "node1", log="slurmd")
        wait_until(lambda: "idle" in self._root("sinfo", "-h", "-o", "%T").stdout, "an idle node")

    def _start_sshd(self) -> None:
        Path("/run/sshd").mkdir(exist_ok=True)
        keys = self.root / "keys"
        keys.mkdir()
        host = asyncssh.generate_private_key("ssh-ed25519")
        client = asyncssh.generate_private_key("ssh-ed25519")
        host.write_private_key(keys / "host")
        client.write_private_key(self.key_path)
        for path in (keys / "host", self.key_path):
            path.chmod(0o600)
        self.host_fingerprint = host.get_fingerprint()
        for user in USERS:
            self.allow(user, client.export_public_key().decode())
        self._start_sshd_process(keys / "host")

    def allow(self, user: str, public_key: str) -> None:
        """Put a public key into a user's authorized_keys."""
        account = pwd.getpwnam(user)
        folder = Path(account.pw_dir, ".ssh")
        folder.mkdir(exist_ok=True, mode=0o700)
        file = folder / "authorized_keys"
        with file.open("a") as lines:
            lines.write(public_key.strip() + "\n")
        for path in (folder, file):
            os.chown(path, account.pw_uid, account.pw_gid)

    def _start_sshd_process(self, host_key: Path) -> None:
        config = self.root / "sshd_config"
        config.write_text(
            f"Port {self.ssh_port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile {self.root}/sshd.pid\n"
            "UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "Subsystem sftp internal-sftp\nLogLevel VERBOSE\nMaxSessions 10\nMaxStartups 10:30:60\n"
            f"SetEnv SLURM_CONF={self.slurm_conf} PATH={self.root}/site:/usr/local/bin:/usr/bin:/bin\n"
        )
        (self.root / "site").mkdir(exist_ok=True)
        self._sshd = self._spawn(
            _which("sshd") or "/usr/sbin/sshd", "-D", "-f", str(config), "-E", str(self.sshd_log), log="sshd"
        )
        wait_until(lambda: _listens(self.ssh_port), "sshd's port")

    # -- using ---------------------------------------------------------------------------------------------------

    def _root(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)

    def run_as(self, user: str, command: str) -> str:
        """Output of a shell command of a user, with SLURM's configuration."""
        done = subprocess.run(
            ["/bin/sh", "-c", command], env={"SLURM_CONF": str(self.slurm_conf), "PATH": "/usr/bin:/bin",
            "HOME": pwd.getpwnam(user).pw_dir, "USER": user}, cwd=pwd.getpwnam(user).pw_dir,
            user=user, group=pwd.getpwnam(user).pw_gid, extra_groups=[], capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    def sacct(self, *fields: str, user: str = "alice") -> list[list[str]]:
        """Rows of the accounting of all of a user's jobs."""
        out = self.run_as(user, f"sacct -n -X -P -S now-1days -o {','.join(fields)}")
        return [line.split("|") for line in out.splitlines()]

    def ended_rows(self, prefix: str, count: int, user: str = "alice") -> list[list[str]]:
        """(name, state) of the accounting's rows whose name begins so, once `count` of them have ended.

        slurmdbd learns of jobs some seconds late. More rows than expected are returned too: that is what tests look for.
        """

        def rows() -> list[list[str]]:
            return [row for row in self.sacct("JobName%200", "State", user=user) if row[0].startswith(prefix)]

        wait_until(lambda: len([r for r in rows() if r[1] not in ("PENDING", "RUNNING")]) >= count, "accounting", 60)
        return rows()

    def logins(self) -> int:
        """How often somebody logged in."""
        return self.sshd_log.read_text(errors="replace").count("Accepted publickey")

    def place(self, name: str, text: str) -> None:
        """Put a command before the site's own on the users' PATH; see `remove`."""
        path = self.root / "site" / name
        path.write_text(text)
        path.chmod(0o755)

    def remove(self, name: str) -> None:
        (self.root / "site" / name).unlink(missing_ok=True)

    def preview_command(self) -> str:
        """The preview engine, from an environment that the cluster's users can enter."""
        own = Path(sys.executable).parent / "crystaldeck-preview"
        if "usage" in self.run_as("alice", f"'{own}' 2>&1"):
            return str(own)
        folder = self.root / "venv"
        if not folder.exists():
            subprocess.run(["/usr/bin/python3", "-m", "venv", str(folder)], check=True)
            wanted = subprocess.run(
                [REPOSITORY / "scripts" / "requirements", "service", "build", "preview"],
                check=True,
                capture_output=True,
            ).stdout
            pinned = folder / "requirements.txt"
            pinned.write_bytes(wanted)
            install = [folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*install, "--require-hashes", "-r", pinned], check=True)
            subprocess.run([*install, "--no-deps", "--no-build-isolation", "--no-index", REPOSITORY], check=True)
        return str(folder / "bin" / "crystaldeck-preview")

    def cluster_table(self, name: str, **overrides: str | bool) -> str:
        """A `[clusters.<name>]` table for a service's configuration."""
        values = {
            "runner_type": "slurm", "hostname": "127.0.0.1", "port": self.ssh_port, "username": "alice",
            "key_path": str(self.key_path), "host_key": self.host_fingerprint, "default_partition": "main",
            "workdir": "crystaldeck", "crystal": f"{self.root}/bin/replay", "properties": f"{self.root}/bin/replay",
            **overrides,
        }  # fmt: skip
        lines = [
            f"{key} = {str(value).lower()}" if isinstance(value, int) else f'{key} = "{value}"'
            for key, value in values.items()
        ]
        return "\n".join([f"[clusters.{name}]", *lines, ""])

    def stop_sshd(self) -> None:
        self._sshd.terminate()
        self._sshd.wait()

    def restart_sshd(self, new_host_key: bool = False) -> None:
        """Start sshd again, with another host key if asked."""
        host = self.root / "keys" / "host"
        if new_host_key:
            host = self.root / "keys" / f"host-{secrets.token_hex(3)}"
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(host)
            host.chmod(0o600)
        self._start_sshd_process(host)

    def stop(self) -> None:
        """End all jobs and all processes that were started here."""
        self._root("scancel", "--full", "-u", "alice")
        self._root("scancel", "--full", "-u", "bob")
        for process in reversed(self._processes):
            if process.poll() is None:
                process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
