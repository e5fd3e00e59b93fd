"""Asks the backend how much of an account's quota is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

import aiohttp
import orjson

from codex_pooler.upstream.http_turn import Credential, identity_headers

PATHS = ("/backend-api/wham/usage", "/backend-api/codex/usage")
TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 10.0
MOST_BYTES = 1024 * 1024

# what the network in front of the backend gives a caller so that it is not challenged again
PASSES = frozenset(
    {"__cf_bm", "__cflb", "__cfruid", "__cfseq", "__cfwaitingroom"}
    | {"_cfuvid", "cf_clearance", "cf_ob_info", "cf_use_ob"}
)
LONGEST_COOKIE = 4096


class UsageUnavailable(Exception):
    """No usage could be read; the account may be as good as before.  ``reason`` is a short word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LoginDoubted(Exception):
    """Every path refused the account's token, in the backend's own words rather than with a challenge page."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes = field(repr=False)
    cookies: dict[str, str] = field(repr=False)

    @property
    def is_json(self) -> bool:
        try:
            orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return False
        return True

    @property
    def refuses(self) -> bool:
        return self.status in (401, 403)

    @property
    def is_challenge(self) -> bool:
        """A page instead of JSON comes from something that stands before the backend and knows no accounts."""
        return self.refuses and not self.is_json


class UsageClient:
    """Connections of its own, none of which is kept, and cookies by account: nothing links two accounts."""

    def __init__(self, origin: str) -> None:
        self._origin = origin.rstrip("/")
        self._http: aiohttp.ClientSession | None = None
        self._passes: dict[UUID, dict[str, str]] = {}

    async def fetch(self, account: Credential) -> bytes:
        """The usage document as it came.  Raises UsageUnavailable, LoginDoubted."""
        answers = []
        for path in PATHS:
            answer = await self._ask_with_pass(path, account)
            if answer.status == 200 and answer.is_json:
                return answer.body
            answers.append(answer)
        if all(answer.refuses and answer.is_json for answer in answers):
            raise LoginDoubted
        raise UsageUnavailable("challenge" if answers[0].is_challenge else f"status {answers[0].status}")

    async def _ask_with_pass(self, path: str, account: Credential) -> _Answer:
        """Ask; a challenge that hands out a pass is answered by asking once more with it."""
        answer = await self._ask(path, account)
        if not answer.cookies:
            return answer
        self._passes[account.id] = self._passes.get(account.id, {}) | answer.cookies
        return await self._ask(path, account) if answer.is_challenge else answer

    async def _ask(self, path: str, account: Credential) -> _Answer:
        headers = dict(identity_headers(account)) | {"accept": "application/json"}
        if passes := self._passes.get(account.id):
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in passes.items())
        try:
            async with self._session().get(self._origin + path, headers=headers, allow_redirects=False) as response:
                body = await _read(response)
                cookies = {name: cookie.value for name, cookie in response.cookies.items() if name in PASSES}
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as exc:
            raise UsageUnavailable(type(exc).__name__) from None
        short = {name: value for name, value in cookies.items() if len(value) <= LONGEST_COOKIE}
        return _Answer(status, body, short)

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
            connector = aiohttp.TCPConnector(force_close=True, limit=8)
            self._http = aiohttp.ClientSession(
                timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._http

    async def close(self) -> None:
        """End all requests."""
        if self._http is not None:
            await self._http.close()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body.  Raises UsageUnavailable when it is longer than any usage document."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            raise UsageUnavailable("too long")
    return bytes(body)
