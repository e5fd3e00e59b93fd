"""What a protocol that is not the backend's own must offer so that its clients' requests can be turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.sse import SseEvent


@dataclass(frozen=True, slots=True)
class Translated:
    """A request in the backend's words.

    ``members`` are those of a Responses request, with the model as the client calls it.  ``ignored`` names, in the
    client's words, what it asked for and will not get.  ``opening`` is what the conversation began with: clients that
    give their conversations no name are kept together by it.
    """

    members: dict[str, Any] = field(repr=False)
    ignored: tuple[str, ...] = ()
    opening: bytes = field(default=b"", repr=False)


class Translation(Protocol):
    """Events of one turn in, the client's stream out.  Never awaits; what it keeps does not grow with the stream."""

    @property
    def keepalive(self) -> bytes:
        """What may stand between events while there is nothing to say."""
        ...

    def events(self, events: Sequence[SseEvent]) -> bytes:
        """What the client hears of these; the terminal event ends its stream in the client's way."""
        ...

    def failed(self, failure: Failure) -> bytes:
        """What ends a stream that has begun when the turn failed otherwise than by a terminal event."""
        ...


# From the finished response of the backend, ``output`` included, to the one object that a client without a stream gets.
Shape = Callable[[Mapping[str, Any]], bytes]
