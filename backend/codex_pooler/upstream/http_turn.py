"""A model turn sent to the backend over HTTP, as the Codex CLI would send it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from codex_pooler.protocol.http1 import ProtocolError, request_head
from codex_pooler.upstream.connection import Receiver, UpstreamConnection
from codex_pooler.upstream.pool import CLIENT_VERSION, ConnectionPool, HeadStart, Leaving
from codex_pooler.upstream.routes import Route

ORIGINATOR = "codex_cli_rs"
USER_AGENT = f"{ORIGINATOR}/{CLIENT_VERSION}"
RESPONSES_PATH = "/backend-api/codex/responses"

# What a Codex client says about its turn and the backend may know; everything else a client sends stays here.
FORWARDED = (
    "x-codex-turn-metadata",
    "x-codex-window-id",
    "x-codex-parent-thread-id",
    "x-codex-installation-id",
    "x-codex-turn-state",
    "x-codex-beta-features",
    "x-openai-subagent",
    "x-openai-internal-codex-responses-lite",
)
MAX_FORWARDED_VALUE = 16 * 1024
NO_CONSTRAINT = "no_constraint"  # the backend's word for: anywhere


class Credential(Leaving, Protocol):
    """The part of an account that a request needs."""

    @property
    def chatgpt_account_id(self) -> str: ...

    @property
    def access_token(self) -> str: ...

    @property
    def residency(self) -> str | None: ...

    @property
    def is_fedramp(self) -> bool: ...

    @property
    def routing_override(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class HttpTurn:
    """What is sent: the JSON body as bytes, the client's headers (lower-case names), the routed model."""

    body: bytes = field(repr=False)
    client_headers: Mapping[str, str] = field(repr=False)
    model: str


def identity_headers(account: Credential, client_version: str = CLIENT_VERSION) -> list[tuple[str, str]]:
    """Who is asking, in the backend's terms."""
    headers = [
        ("authorization", f"Bearer {account.access_token}"),
        ("originator", ORIGINATOR),
        ("user-agent", f"{ORIGINATOR}/{client_version}"),
        ("version", client_version),
    ]
    if account.chatgpt_account_id and not account.chatgpt_account_id.startswith(("email_", "local_")):
        headers.append(("chatgpt-account-id", account.chatgpt_account_id))
    if account.residency and account.residency.lower() != NO_CONSTRAINT:
        headers.append(("x-openai-internal-codex-residency", account.residency))
    if account.is_fedramp:
        headers.append(("x-openai-fedramp", "true"))
    if account.routing_override and account.routing_override.lower() != NO_CONSTRAINT:
        headers.append(("x-openai-account-routing-override", account.routing_override))
    return headers


def turn_head(pool: ConnectionPool, account: Credential, turn: HttpTurn, route: Route) -> bytes:
    """The request head of a turn.  Raises ProtocolError when a forwarded value contains a line break."""
    more = [f"{name}: {value}\r\n" for name, value in forwarded_headers(turn.client_headers, turn.model)]
    told = "".join(more)
    if told.count("\n") != len(more) or told.count("\r") != len(more) or "\0" in told:
        raise ProtocolError("a header value contains a line break")
    return _head_start(pool, account, route) + f"{told}content-length: {len(turn.body)}\r\n\r\n".encode("ascii")


def _head_start(pool: ConnectionPool, account: Credential, route: Route) -> bytes:
    """What is the same in every turn, as long as nothing about the account changes."""
    known = pool.head_starts.get(account.id.int)
    if known is None or known.account is not account or known.client_version != pool.client_version:
        headers = [("host", route.authority), *identity_headers(account, pool.client_version)]
        headers += [("content-type", "application/json"), ("accept", "text/event-stream")]
        headers += [("accept-encoding", "identity")]
        head = request_head("POST", route.path_prefix + RESPONSES_PATH, headers, None).removesuffix(b"\r\n")
        known = pool.head_starts[account.id.int] = HeadStart(account, pool.client_version, head)
    return known.head


def forwarded_headers(client_headers: Mapping[str, str], model: str) -> list[tuple[str, str]]:
    """What a client says that the backend may know, and the model as a hint for the backend's own routing."""
    for_this_hop = client_headers.get("connection", "").lower()  # what it names is not meant to travel on
    headers = [
        (name, value)
        for name in FORWARDED
        if (value := client_headers.get(name))
        and len(value) <= MAX_FORWARDED_VALUE
        and value.isascii()
        and name not in for_this_hop
    ]
    if model.isascii() and model.isprintable() and len(model) <= 128:
        headers.append(("x-codex-routing-hint", f"model={model}"))
    return headers


async def open_turn(
    pool: ConnectionPool, account: Credential, turn: HttpTurn, receiver: Receiver, *, warm: bool = True
) -> UpstreamConnection:
    """Send the turn; ``receiver`` hears the answer.  Raises ConnectFailed, ProtocolError.

    With ``warm`` a connection kept from an earlier turn is used when there is one.
    """
    route = pool.route_of(account)
    head = turn_head(pool, account, turn, route)
    connection = pool.take_idle(account.id, route) if warm else None
    if connection is None:
        connection = await pool.connect(account.id, route)
    connection.send(head, turn.body, receiver)
    return connection
