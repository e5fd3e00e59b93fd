"""Reads request bodies within limits of size and time, decoded from whatever encoding the client used."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

MAX_BODY_BYTES = 64 * 1024 * 1024
IDLE_SECONDS = 30.0  # between two pieces of a body
TOTAL_SECONDS = 300.0
DECODED = frozenset({"identity", "gzip", "deflate", "br", "zstd"})


class BodyRefused(Exception):
    """A body that is too large, too slow or not decodable."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


async def read_body(request: web.Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The decoded body, at most ``limit`` bytes.  Raises BodyRefused."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in DECODED:
        raise BodyRefused(415, "unsupported_content_encoding", "send the body plain or as gzip, deflate, br or zstd")
    if request.content_length is not None and request.content_length > limit:
        raise _too_large(limit)
    try:
        body = request.content.read_nowait(-1) if request.content.is_eof() else await _arriving(request, limit)
    except TimeoutError:
        raise BodyRefused(408, "request_timeout", "the body took too long to arrive") from None
    except (RequestPayloadError, web.HTTPBadRequest):
        raise BodyRefused(400, "invalid_request", "the compressed body cannot be decoded") from None
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def _arriving(request: web.Request, limit: int) -> bytes:
    """Collect the pieces as they come; each must follow the last within IDLE_SECONDS."""
    pieces: list[bytes] = []
    size = 0
    loop = asyncio.get_running_loop()
    latest = loop.time() + TOTAL_SECONDS
    async with asyncio.timeout(IDLE_SECONDS) as patience:
        while piece := await request.content.readany():
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            pieces.append(piece)
            patience.reschedule(min(loop.time() + IDLE_SECONDS, latest))
    return b"".join(pieces)


def _too_large(limit: int) -> BodyRefused:
    return BodyRefused(413, "request_too_large", f"the body may have at most {limit // (1024 * 1024)} MiB")
