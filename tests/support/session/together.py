"""Tests that share what is costly to make stay in one process, when several share the tests.

The mark `xdist_group` does not do it: pytest-xdist writes the group into a test's id, and pytest 9.2 gives the id out as it was.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = (
    "tests/packaging/",
    "tests/security/web/test_routes.py",
    "tests/security/web/test_streams.py",
    "tests/security/web/test_typos.py",
    "tests/services/provenance/",
    "tests/workers/test_pool.py",
)
"""Files and folders whose fixtures last for a module or longer. They go first: each is one piece for one process."""


class Together(LoadScopeScheduling):
    """Each test goes to whichever process is free, those of `TOGETHER` as one."""

    def _split_scope(self, nodeid: str) -> str:
        return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)
