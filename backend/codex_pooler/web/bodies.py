"""Reads request bodies within limits of size and time, decoded from whatever encoding the client used."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError

from codex_pooler.protocol.encodings import ENCODINGS, Inflated, Undecodable, unpack
from codex_pooler.snapshot.settings import DEFAULTS, Ingress

MAX_BODY_BYTES = 64 * 1024 * 1024
IDLE_SECONDS = 30.0  # between two pieces of a body
TOTAL_SECONDS = 300.0
INLINE_COMPRESSED_BYTES = 256 * 1024
INLINE_BYTES = 1024 * 1024  # what is larger is decoded in a thread, so that other turns go on meanwhile
ALIASES = {"x-gzip": "gzip"}

# the instance's limits for compressed bodies as they are now; an application without them goes by the defaults
LIMITS: web.AppKey[Callable[[], Ingress]] = web.AppKey("body_limits")

_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="decode")


class BodyRefused(Exception):
    """A body that is too large, too slow or not decodable."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


async def read_body(request: web.Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The decoded body, at most ``limit`` bytes.  Raises BodyRefused."""
    if "Content-Encoding" not in request.headers:
        return await _received(request, limit, "request_too_large")
    told = request.config_dict.get(LIMITS)
    limits = told() if told else DEFAULTS.ingress
    encoding = _encoding(request, limits.decompression_algorithms)
    if encoding is None:
        return await _received(request, limit, "request_too_large")
    limits = replace(limits, max_decompressed_body_bytes=min(limit, limits.max_decompressed_body_bytes))
    raw = await _received(request, min(limit, limits.max_compressed_body_bytes), "compressed_request_too_large")
    return await _decoded(encoding, raw, limits)


async def _received(request: web.Request, most: int, code: str) -> bytes:
    """The body as it came; ``code`` names the refusal of one that has more bytes than ``most``."""
    if request.content_length is not None and request.content_length > most:
        raise _too_large(code, most)
    try:
        body = request.content.read_nowait(-1) if request.content.is_eof() else await _arriving(request, most, code)
    except TimeoutError:
        raise BodyRefused(408, "request_timeout", "the body took too long to arrive; send it again") from None
    except (RequestPayloadError, web.HTTPBadRequest):
        raise BodyRefused(400, "invalid_request", "the body is not framed as its headers say; send it again") from None
    if len(body) > most:
        raise _too_large(code, most)
    return body


def _encoding(request: web.Request, accepted: Collection[str]) -> str | None:
    """The one encoding of the body; None when it is plain."""
    named = ",".join(request.headers.getall("Content-Encoding")).lower().split(",")
    encodings = [ALIASES.get(name, name) for each in named if (name := each.strip()) not in ("", "identity")]
    if len(encodings) > 1:
        raise BodyRefused(415, "unsupported_content_encoding", "send the body in one encoding, not in several")
    if encodings and (encodings[0] not in ENCODINGS or encodings[0] not in accepted):
        message = f"send the body plain or as {', '.join(accepted)}" if accepted else "send the body plain"
        raise BodyRefused(415, "unsupported_content_encoding", message)
    return encodings[0] if encodings else None


async def _arriving(request: web.Request, most: int, code: str) -> bytes:
    """Collect the pieces as they come; each must follow the last within IDLE_SECONDS."""
    pieces: list[bytes] = []
    size = 0
    loop = asyncio.get_running_loop()
    latest = loop.time() + TOTAL_SECONDS
    async with asyncio.timeout(IDLE_SECONDS) as patience:
        while piece := await request.content.readany():
            size += len(piece)
            if size > most:
                raise _too_large(code, most)
            pieces.append(piece)
            patience.reschedule(min(loop.time() + IDLE_SECONDS, latest))
    return b"".join(pieces)


async def _decoded(encoding: str, raw: bytes, limits: Ingress) -> bytes:
    try:
        return await _unpack(encoding, raw, limits)
    except Undecodable:
        raise BodyRefused(400, "invalid_request", "the compressed request body is invalid; send it plain") from None
    except Inflated as exc:
        if exc.reason == "size":
            raise _too_large("decompressed_request_too_large", limits.max_decompressed_body_bytes) from None
        message = f"the body decompresses to more than {limits.max_decompression_ratio} times its size; send it plain"
        raise BodyRefused(413, "decompression_ratio_exceeded", message) from None


async def _unpack(encoding: str, raw: bytes, limits: Ingress) -> bytes:
    """Begun here, and left to a thread as soon as the body proves large."""
    unpacking = unpack(encoding, raw, limits.max_decompressed_body_bytes, limits.max_decompression_ratio)
    began: list[bytes] = []
    size = 0
    if len(raw) <= INLINE_COMPRESSED_BYTES:
        for piece in unpacking:
            began.append(piece)
            size += len(piece)
            if size > INLINE_BYTES:
                break
        else:
            return b"".join(began)
    seconds = limits.decompression_timeout_ms / 1000
    return await asyncio.get_running_loop().run_in_executor(_threads, _unpacked, began, unpacking, seconds)


def _unpacked(pieces: list[bytes], unpacking: Iterator[bytes], seconds: float) -> bytes:
    """Runs in a thread: the rest of the pieces, as long as that does not take too long."""
    latest = time.monotonic() + seconds
    for piece in unpacking:
        pieces.append(piece)
        if time.monotonic() > latest:
            raise BodyRefused(408, "request_decompression_timeout", "decompressing took too long; send the body plain")
    return b"".join(pieces)


def _too_large(code: str, limit: int) -> BodyRefused:
    told = f"{limit // (1024 * 1024)} MiB" if limit >= 1024 * 1024 else f"{limit // 1024} KiB"
    what = "compressed body" if code == "compressed_request_too_large" else "body"
    return BodyRefused(413, code, f"the {what} may have at most {told}")
