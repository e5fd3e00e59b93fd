"""Sends a turn's attempts over HTTP, each on a connection of its account."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from codex_pooler.gateway.relay import Relay
from codex_pooler.gateway.turn import Sink
from codex_pooler.snapshot.model import Account
from codex_pooler.upstream.http_turn import HttpTurn, open_turn
from codex_pooler.upstream.pool import ConnectionPool


class HttpWay:
    """One turn's way; see ``gateway.turn.Way``."""

    __slots__ = ("_backend", "_headers", "_model")

    def __init__(self, backend: ConnectionPool, client_headers: Mapping[str, str], model: str) -> None:
        self._backend, self._headers, self._model = backend, client_headers, model

    async def send(self, account: Account, body: bytes, sink: Sink, *, warm: bool) -> Relay:
        relay = Relay(sink, asyncio.get_running_loop())
        turn = HttpTurn(body, self._headers, self._model)
        relay.connection = await open_turn(self._backend, account, turn, relay, warm=warm)
        return relay
