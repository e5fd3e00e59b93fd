"""One question to the sign-in server: bounded in time and size, led nowhere else, through the account's own proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from codex_pooler.protocol.errors import UpstreamError, read_error
from codex_pooler.upstream.egress import ProxyFailed, proxied_session
from codex_pooler.upstream.http_turn import ORIGINATOR, USER_AGENT

BODY_LIMIT_BYTES = 256 * 1024
HEADERS = {
    "user-agent": USER_AGENT,
    "originator": ORIGINATOR,
    "accept": "application/json",
    "accept-language": "en-US,en;q=0.9",
}


class NotAnswered(Exception):
    """No readable answer came.  ``code`` is safe to store and to show.

    ``unspent`` is true when the question certainly never reached the server, so that asking again costs nothing.
    """

    def __init__(self, code: str, *, unspent: bool = False) -> None:
        super().__init__(code)
        self.code, self.unspent = code, unspent


@dataclass(frozen=True)
class Question:
    """What is asked; either a JSON body, or a form, or none.  Secrets do not show."""

    method: str
    path: str
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    bearer: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    body: bytes = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object of the body; empty when it is something else."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def error(self) -> UpstreamError:
        """What the body says went wrong."""
        return read_error(self.body)


async def ask(origin: str, question: Question, *, proxy: str | None, timeout_seconds: float) -> Reply:
    """Put the question.  Raises NotAnswered."""
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _ask(origin, question, proxy)
    except ProxyFailed:
        raise NotAnswered("egress_proxy_failed", unspent=True) from None
    except TimeoutError:
        raise NotAnswered("sign_in_timeout") from None
    except aiohttp.ClientConnectorError:
        raise NotAnswered("sign_in_unreachable", unspent=True) from None
    except (aiohttp.ClientError, OSError):  # sent, and then nothing readable came
        raise NotAnswered("sign_in_answer_lost") from None


async def _ask(origin: str, question: Question, proxy: str | None) -> Reply:
    headers = HEADERS | ({"authorization": f"Bearer {question.bearer}"} if question.bearer else {})
    async with (
        proxied_session(proxy) as session,
        session.request(
            question.method,
            origin + question.path,
            json=question.json,
            data=question.form,
            headers=headers,
            allow_redirects=False,
        ) as answer,
    ):
        body = bytearray()
        async for piece in answer.content.iter_chunked(16 * 1024):
            body += piece
            if len(body) > BODY_LIMIT_BYTES:
                raise NotAnswered("sign_in_answer_too_large")
        return Reply(answer.status, bytes(body))
