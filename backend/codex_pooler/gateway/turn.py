"""The data of one model turn: what was asked, and how its attempts and the turn itself ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

from codex_pooler.protocol.events import Terminal
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.http1 import ResponseHead
from codex_pooler.protocol.requests import RoutedFields
from codex_pooler.routing.candidates import Moment
from codex_pooler.snapshot.model import Account, Key

if TYPE_CHECKING:
    from codex_pooler.gateway.attempt import Attempt


class TurnRequest(msgspec.Struct, frozen=True, gc=False):
    """One turn as a client asked for it.  ``seed`` names its session to routing and is never stored."""

    id: str
    key: Key
    body: bytes
    fields: RoutedFields
    client_headers: Mapping[str, str]
    seed: str
    route: str
    transport: str
    client: str | None
    admitted: Moment
    route_class: str = "proxy_stream"
    client_ip: str | None = None
    session: str | None = None  # a keyed digest of what the client calls its session, for the log
    asked_model: str | None = None  # what the client called the model, where that is only another name for it
    way: Way | None = None  # None: over HTTP
    binding: bytes | None = None  # digest of its session, which stays with one account
    continues: str | None = None  # the response that it refers to, over HTTP
    owner: UUID | None = None  # the account that serves this session so far
    anchored: UUID | None = None  # continues a response that lives on this account's socket: it cannot move

    def __repr__(self) -> str:
        """Without anything that the client said."""
        return f"TurnRequest(id={self.id!r}, route={self.route!r}, transport={self.transport!r})"


class Way(Protocol):
    """How a turn's attempts travel to the backend."""

    async def send(self, account: Account, body: bytes, sink: Sink, *, warm: bool) -> Attempt:
        """Send the turn as this account; with ``warm`` on a connection kept from an earlier turn if there is one.

        Returns once it is on its way, without waiting for anything after that.
        Raises ConnectFailed, UpgradeRefused, ProtocolError.
        """
        ...


class Ending(msgspec.Struct, frozen=True):
    """How one attempt ended.

    ``kind``: ``completed``, ``incomplete`` or ``failed`` (a terminal event said so), ``http_error`` (a status other
    than 200, with its body), ``not_a_stream``, ``truncated``, ``lost``, ``timeout``, ``unsent``, ``client_gone``.
    ``committed`` is true once output reached the client: nothing may be tried again then.
    """

    kind: str
    committed: bool = False
    head: ResponseHead | None = None
    body: bytes = b""
    terminal: Terminal | None = None
    reason: str = ""

    def __repr__(self) -> str:
        """Without what the backend said."""
        return f"Ending({self.kind!r}, committed={self.committed}, reason={self.reason!r})"

    @property
    def status(self) -> int | None:
        if self.terminal and self.terminal.status is not None:
            return self.terminal.status
        return self.head.status if self.head else None


class Outcome(msgspec.Struct, frozen=True):
    """How the turn ended.  ``status``: ``succeeded``, ``failed``, ``rejected`` or ``cancelled``."""

    status: str
    failure: Failure | None = None
    http_status: int = 200
    error_code: str | None = None
    terminal: Terminal | None = None


class Sink(Protocol):
    """Where a turn's answer goes.  Calls are synchronous and never raise; a client that left is ``gone``."""

    @property
    def begun(self) -> bool:
        """True once a response head was sent: a failure can then only be told inside the body."""
        ...

    @property
    def gone(self) -> bool: ...

    @property
    def takes_raw(self) -> bool:
        """True when already chunk-framed bytes may be passed with ``raw``."""
        ...

    @property
    def congested(self) -> bool:
        """True when more is buffered for the client than should be."""
        ...

    @property
    def bytes_sent(self) -> int: ...

    def show(self, headers: Sequence[tuple[str, str]]) -> None:
        """More headers for the response head, before it goes out."""
        ...

    def begin(self, head: ResponseHead | None) -> None:
        """Send the response head before the next payload; ``head`` is the backend's, None for a mere keepalive."""
        ...

    def payload(self, data: bytes, *, last: bool = False) -> None:
        """Events; ``last`` when nothing will follow them."""
        ...

    def raw(self, data: bytes) -> None: ...

    def keepalive(self) -> None: ...

    def finish(self, *, terminated: bool) -> None:
        """The answer is complete; ``terminated`` when ``raw`` already carried the last chunk."""
        ...

    def fail(self, failure: Failure, response_id: str | None) -> None:
        """Tell a failure after ``begin``."""
        ...

    def abort(self) -> None:
        """Cut the client off: the answer broke in the middle."""
        ...

    async def drained(self) -> None:
        """Wait until the client has taken what is buffered."""
        ...
