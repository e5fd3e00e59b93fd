"""Who sends a request to a tool's route, and what their request becomes inside: a turn with its session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from codex_pooler.gateway.conductor import run_turn
from codex_pooler.gateway.house import House, moment
from codex_pooler.gateway.turn import Outcome, Sink, TurnRequest
from codex_pooler.keys.lookup import authenticate, check_network
from codex_pooler.protocol.requests import RoutedFields
from codex_pooler.routing.affinity import Seed, seed_of
from codex_pooler.routing.candidates import Moment
from codex_pooler.snapshot.model import Key
from codex_pooler.storage.ids import uuid7_text
from codex_pooler.storage.keyring import Keyring
from codex_pooler.web.ingress import client_ip

HOUSE = web.AppKey("house", House)
KEYRING = web.AppKey("keyring", Keyring)

# A session's turns prefer one account.  The first of these that is present names the session.
CONTINUITY_HEADERS = (
    "x-codex-window-id",
    "x-codex-session-id",
    "session-id",
    "x-session-id",
    "x-session-affinity",
    "session_id",
    "x-codex-conversation-id",
    "thread-id",
    "x-claude-code-session-id",
)
WINDOW_HEADER = CONTINUITY_HEADERS[0]  # <thread>:<number of compactions>
SESSION_SHOWN = 16  # characters of a session's digest in the log


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of a Pool API key, and what their request says about itself.

    ``headers`` is aiohttp's own mapping: it takes names in any case, and values may hold bytes that are no text.
    """

    house: House = field(repr=False)
    keyring: Keyring = field(repr=False)
    key: Key
    method: str
    headers: Mapping[str, str] = field(repr=False)
    address: str = field(repr=False)
    admitted: Moment

    @property
    def client(self) -> str | None:
        """``codex_exec/0.169.0`` out of a user agent; what stands in brackets says too much about the machine.

        Older versions of Codex open websockets without one and name only the program.
        """
        agent = self.headers.get("user-agent") or self.headers.get("originator")
        return agent.split(" ", 1)[0][:64] if agent and agent.isascii() else None

    @property
    def logged_address(self) -> str | None:
        """The client's address where the instance keeps those."""
        return self.address if self.house.snapshot.current.settings.privacy.store_client_ip else None

    def seed(self, prompt_cache_key: str | None, otherwise: str) -> Seed:
        """What makes its turns meet on one account; ``otherwise`` for a request that names no session."""
        named = session_name(self.headers)
        return seed_of(self.key.pool.switches, str(self.key.id), named, prompt_cache_key, otherwise)

    def turn(self, body: bytes, fields: RoutedFields, *, conversation: str = "", **more: Any) -> TurnRequest:
        """The turn that a body asks for; ``more`` are members of TurnRequest that the route decides.

        ``conversation`` names it to routing when neither headers nor a cache key do.
        """
        turn_id = uuid7_text()
        seed = self.seed(fields.prompt_cache_key, conversation or turn_id)
        named = seed.kind != "none" or bool(conversation)
        digest = self.keyring.digest("session_ref", seed.value) if named else None
        return TurnRequest(
            id=turn_id,
            key=self.key,
            body=body,
            fields=fields,
            client_headers=self.headers,
            seed=seed.value,
            client=self.client,
            client_ip=self.logged_address,
            session=digest.hex()[:SESSION_SHOWN] if digest else None,
            binding=digest if seed.kind == "session" or conversation else None,
            **{"admitted": self.admitted, **more},
        )


def caller_of(request: web.Request) -> Caller:
    """Raises KeyRefused, and PolicyRefused for a key that may not be used from the client's network."""
    house, keyring = request.app[HOUSE], request.app[KEYRING]
    address = client_ip(request, house.snapshot.current.settings.ingress)
    key = _key_of(request.headers, address, house, keyring)
    return Caller(house, keyring, key, request.method, request.headers, address, moment())


def same_caller(caller: Caller) -> Caller:
    """The same client as the configuration sees it by now.  Raises KeyRefused, PolicyRefused."""
    return replace(caller, key=_key_of(caller.headers, caller.address, caller.house, caller.keyring))


def _key_of(headers: Mapping[str, str], address: str, house: House, keyring: Keyring) -> Key:
    key = authenticate(headers, house.snapshot.current, keyring)
    check_network(key, address)
    return key


async def serve(turn: TurnRequest, sink: Sink, house: House) -> Outcome:
    """Run a turn once there is a place for it.  Raises Overloaded."""
    async with house.admission.slot(turn.route_class, turn.key.id, turn.key.pool.id):
        return await run_turn(turn, sink, house)


def session_name(headers: Mapping[str, str]) -> str:
    """What the client's headers call its session; empty when they do not."""
    for name in CONTINUITY_HEADERS:
        if (value := headers.get(name)) and value.isascii():
            return value.rpartition(":")[0] or value if name == WINDOW_HEADER else value
    return ""
