"""Writes to clients at the end of the loop's round: what arrived for many of them together goes out together.

A write wakes the process that reads it; waking one at a time between two reads costs several times the write itself.
"""

from __future__ import annotations

import asyncio
from weakref import WeakKeyDictionary

HIGH_WATER = 256 * 1024  # bytes buffered for a client before the backend is told to wait


class Channel:
    """A client's connection.  Writes never block and never raise; after the client left they do nothing."""

    __slots__ = ("_outbox", "_pending", "_transport", "bytes_sent")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._outbox = transport, outbox()
        self._pending = b""
        self.bytes_sent = 0

    @property
    def gone(self) -> bool:
        """Nothing reaches the client any more."""
        return self._transport.is_closing()

    @property
    def unread(self) -> int:
        """Bytes that wait for the client to take them."""
        return len(self._pending) + self._transport.get_write_buffer_size()

    @property
    def congested(self) -> bool:
        """More waits for the client than should."""
        return not self.gone and self.unread > HIGH_WATER

    def write(self, data: bytes) -> None:
        """Bytes as they are to go out, at the end of this round."""
        if self.gone:
            return
        self.bytes_sent += len(data)
        if self._pending:
            self._pending += data
        else:
            self._pending = data
            self._outbox.add(self)

    def flush(self) -> None:
        """Hand over what waits for the end of the round."""
        data, self._pending = self._pending, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)


class Outbox:
    """One per event loop."""

    __slots__ = ("_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: list[Channel] = []

    def add(self, channel: Channel) -> None:
        """Have it flushed in this round."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(channel)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for channel in waiting:
            channel.flush()


_outboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Outbox] = WeakKeyDictionary()


def outbox() -> Outbox:
    """That of the running loop."""
    loop = asyncio.get_running_loop()
    found = _outboxes.get(loop)
    if found is None:
        found = _outboxes[loop] = Outbox(loop)
    return found
