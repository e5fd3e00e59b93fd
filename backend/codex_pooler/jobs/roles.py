"""Which loops run in which role, so that an installation can be spread over processes of different kinds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

EVERY = frozenset({"web", "worker", "scheduler", "all"})
SERVING = frozenset({"web", "all"})  # takes turns and shows the console
WORKING = frozenset({"worker", "all"})  # runs jobs, and watches over the accounts
LEADING = frozenset({"scheduler", "all"})  # may lead: of these processes, one runs each of the loops that are led

LOOPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        # what the process knows of the configuration, and that it is there
        "snapshot": EVERY,
        "snapshot-listener": EVERY,
        "heartbeat": EVERY,
        # turns: their memory, their log, their budgets
        "pulse": SERVING,
        "session-bindings": SERVING,
        "files": SERVING,
        "log-writer": SERVING,
        "partitions": SERVING,
        "key-limits": SERVING,
        "prices": SERVING,
        "quota-keeper": SERVING | WORKING,
        # accounts: several processes may, because a row is leased to one of them at a time
        "usage-polling": WORKING,
        "saved-resets": WORKING,
        "model-catalogues": WORKING,
        "account-checks": WORKING,
        "token-refresh": WORKING,
        # what a process that serves turns leaves to the others
        "renewed-logins": SERVING - WORKING,
        "missing-models": SERVING - WORKING,
        "leadership": LEADING,
    }
)
# run by the one process that leads them
LED: frozenset[str] = frozenset({"schedule", "rescue", "nodes", "drains"})


def loops_of(role: str, loops: Iterable[str] = LOOPS) -> set[str]:
    """Those of the loops that run in a role.  Raises KeyError for one without a row in the table."""
    return {name for name in loops if role in LOOPS[name]}


def works(role: str) -> bool:
    """Whether the role runs jobs."""
    return role in WORKING


def serves(role: str) -> bool:
    """Whether the role takes turns and shows the console."""
    return role in SERVING
