"""HTTP as an attacker writes it: bytes on a socket, and what comes back."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 30.0  # seconds; only a server that never answers or never closes reaches it


@dataclass(frozen=True)
class Reply:
    """Everything the server said on one connection; ``closed`` when it then closed it."""

    raw: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of every answer on the connection."""
        lines = self.raw.split(b"\r\n")
        return [int(line.split()[1]) for line in lines if line.startswith(b"HTTP/1.")]

    @property
    def json(self) -> Any:
        """The body of the only answer."""
        return json.loads(self.raw.partition(b"\r\n\r\n")[2])


async def exchange(origin: str, raw: bytes, *, patience: float = PATIENCE) -> Reply:
    """Send the bytes and read until the server closes, or has been silent for ``patience`` seconds."""
    address = urlsplit(origin)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    answer, closed = b"", False
    try:
        writer.write(raw)
        while not closed:
            async with asyncio.timeout(patience):
                piece = await reader.read(65536)
            answer, closed = answer + piece, not piece
    except TimeoutError:
        pass
    except ConnectionResetError:
        closed = True
    finally:
        writer.close()
    return Reply(answer, closed)
