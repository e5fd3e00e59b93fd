"""Asks the backend how much of an account's quota is used."""

from __future__ import annotations

from codex_pooler.upstream.backend import Backend, Reply, Unreachable
from codex_pooler.upstream.http_turn import Credential

PATHS = ("/backend-api/wham/usage", "/backend-api/codex/usage")
MOST_BYTES = 1024 * 1024


class UsageUnavailable(Exception):
    """No usage could be read; the account may be as good as before.  ``reason`` is a short word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LoginDoubted(Exception):
    """Every path refused the account's token, in the backend's own words rather than with a challenge page."""


class UsageClient:
    """What one process knows of usage, it knows from here."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def fetch(self, account: Credential) -> bytes:
        """The usage document as it came.  Raises UsageUnavailable, LoginDoubted."""
        answers = []
        for path in PATHS:
            answer = await self._ask(path, account)
            if answer.status == 200 and answer.is_json:
                return answer.body
            answers.append(answer)
        if all(answer.refuses and answer.is_json for answer in answers):
            raise LoginDoubted
        raise UsageUnavailable("challenge" if answers[0].is_challenge else f"status {answers[0].status}")

    async def _ask(self, path: str, account: Credential) -> Reply:
        try:
            return await self._backend.request(account, "GET", path, most_bytes=MOST_BYTES)
        except Unreachable as exc:
            raise UsageUnavailable(exc.reason) from None
