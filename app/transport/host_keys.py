"""Host keys: asking a machine for its key without logging in, fingerprints, and the trust list for a connection."""

from __future__ import annotations

import asyncio

import asyncssh

from app.errors import Unreachable
from app.transport.hosts import Hosts, Visitor

PROBE_LIMIT = 20.0
"""Seconds that a machine has to show its key."""
PREFERRED = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")


async def offered_key(
    hostname: str,
    port: int,
    tunnel: asyncssh.SSHClientConnection | None = None,
    hosts: Hosts | None = None,
    *,
    via: str = "",
    limit: float = PROBE_LIMIT,
) -> str:
    """The public host key that a machine shows, in OpenSSH form. Nobody logs in, nothing is trusted yet, nothing stays open.

    Args:
        via: the jump host behind which it is, as `hosts` names it.

    Raises:
        Unreachable: no SSH server answers there in time.
    """
    name = f"{hostname}:{port}"
    async with (hosts or Hosts()).door(f"{name} via {via}" if via else name, Visitor()):
        try:
            async with asyncio.timeout(limit):
                key = await asyncssh.get_server_host_key(
                    hostname, port, tunnel=tunnel or (), config=None, server_host_key_algs=PREFERRED
                )
        except (asyncssh.Error, OSError) as error:
            late = isinstance(error, TimeoutError)
            why = f"no answer within {limit:g} s" if late else str(error) or type(error).__name__
            unreachable = Unreachable(
                f"{name} cannot be reached: {why}.", hint="Check host name, port, jump host and network."
            )
            unreachable.whole_machine = tunnel is None or late
            raise unreachable from error
    if key is None:
        raise Unreachable(f"{hostname}:{port} shows no host key.", hint="Is an SSH server listening there?")
    return key.export_public_key().decode().strip()


def fingerprint(public_key: str) -> str:
    """`SHA256:…` of an OpenSSH public key, as ssh-keygen -l prints it."""
    return asyncssh.import_public_key(public_key).get_fingerprint()


def trust(public_key: str) -> asyncssh.SSHKnownHosts:
    """A known-hosts list that trusts exactly this key. Connections go only to the endpoint that it belongs to."""
    return asyncssh.import_known_hosts(f"* {public_key}\n")
