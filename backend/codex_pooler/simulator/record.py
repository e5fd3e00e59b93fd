"""What arrived at the simulator: one line per request, and the sum of usage it gave for turns it finished."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

KEPT_ARRIVALS = 20_000
"""Arrivals kept; older ones fall out. Totals are not affected."""

_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


@dataclass(slots=True)
class Usage:
    """Tokens of finished turns; the wire's numbers are sums over these."""

    turns: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0

    def add(self, other: "Usage") -> None:
        """Add another tally to this one."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass(slots=True)
class Arrival:
    """One request, or one turn frame of a websocket, as it arrived and as it ended."""

    number: int
    at: float
    method: str
    path: str
    transport: str
    account: str | None
    header_names: list[str]
    headers: dict[str, str]
    body_bytes: int = 0
    sha256: str = ""
    model: str | None = None
    socket: int | None = None
    prewarm: bool = False
    fault: str | None = None
    status: int | None = None
    response_id: str | None = None
    usage: Usage | None = None
    finished: bool = False
    body: Any = None


@dataclass(slots=True)
class Record:
    """The ring of arrivals, the totals per account, and the refresh tokens that came twice."""

    keep_bodies: bool = False
    arrivals: deque[Arrival] = field(default_factory=lambda: deque(maxlen=KEPT_ARRIVALS))
    totals: dict[str, Usage] = field(default_factory=dict)
    reused_refresh_tokens: list[dict[str, Any]] = field(default_factory=list)
    count: int = 0

    def arrive(self, method: str, path: str, transport: str, headers: Mapping[str, str]) -> Arrival:
        """Open the line of a new request."""
        self.count += 1
        names = list(headers)
        shown = {name.lower(): value for name, value in headers.items() if name.lower() not in _SECRET_HEADERS}
        arrival = Arrival(self.count, time.time(), method, path, transport, None, names, shown)
        self.arrivals.append(arrival)
        return arrival

    def finish(self, arrival: Arrival, usage: Usage) -> None:
        """Note that the client was handed the whole turn, terminal event included."""
        arrival.finished, arrival.usage = True, usage
        self.totals.setdefault(arrival.account or "", Usage()).add(usage)

    def reuse(self, account: str, lineage: str, generation: int) -> None:
        """Note a refresh token that was presented after it had been replaced."""
        self.reused_refresh_tokens.append(
            {"account": account, "lineage": lineage, "generation": generation, "at": time.time()}
        )

    def lines(self, account: str | None = None) -> Iterator[dict[str, Any]]:
        """The kept arrivals as plain dictionaries, oldest first."""
        return (asdict(one) for one in self.arrivals if account is None or one.account == account)

    def clear(self) -> None:
        """Forget everything that arrived so far."""
        self.arrivals.clear()
        self.totals.clear()
        self.reused_refresh_tokens.clear()
