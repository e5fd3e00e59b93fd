"""What a process and its children cost: CPU to the nanosecond, memory, and how long they waited for a core (Linux)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Cost:
    """A reading in seconds and bytes.  Readings subtract: the cost of what happened in between."""

    cpu: float
    database_cpu: float
    waited: float
    memory: int

    def __sub__(self, earlier: Cost) -> Cost:
        return Cost(
            self.cpu - earlier.cpu,
            self.database_cpu - earlier.database_cpu,
            self.waited - earlier.waited,
            self.memory - earlier.memory,
        )


def cost_of(root: int) -> Cost:
    """The cost so far of a process tree; an embedded Postgres below it is counted apart."""
    processes = list(family(root))
    own = [pid for pid, is_database in processes if not is_database]
    database = [pid for pid, is_database in processes if is_database]
    return Cost(
        cpu=sum(map(cpu_seconds, own)),
        database_cpu=sum(map(cpu_seconds, database)),
        waited=sum(map(waited_seconds, own)),
        memory=sum(map(proportional_bytes, own)),
    )


def family(root: int, is_database: bool = False) -> Iterator[tuple[int, bool]]:
    """The process and everything below it, each with whether it belongs to a Postgres."""
    with suppress(OSError):
        is_database = is_database or (PROC / str(root) / "comm").read_text().startswith("postgres")
        yield root, is_database
        for task in (PROC / str(root) / "task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child), is_database)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, ended threads included, from its CPU clock."""
    with suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # the clock id that clock_getcpuclockid() computes
    return 0.0


def waited_seconds(pid: int) -> float:
    """How long the process's threads were ready to run but had no core: the disturbance by other work."""
    total = 0.0
    with suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            total += int((task / "schedstat").read_text().split()[1]) / 1e9
    return total


def proportional_bytes(pid: int) -> int:
    """Memory of a process with shared pages divided among their users."""
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
