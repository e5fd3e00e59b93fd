"""Asks the backend about an account's workspace: whether it is still good, and where and how its requests must go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson

from codex_pooler.upstream.backend import Backend, Unreachable
from codex_pooler.upstream.http_turn import Credential
from codex_pooler.upstream.routes import trusted_origin

PATH = "/backend-api/wham/accounts/check"
NO_OVERRIDE = "NO_CONSTRAINT"
OVERRIDE = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
LONGEST_NAME = 100


class CheckFailed(Exception):
    """Nothing is known of the account's workspace.  ``code`` says why in one word, without the backend's own."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Checked:
    """``workspace`` is its name, None for a personal account; ``origin`` is None where everybody's backend serves."""

    is_deactivated: bool
    is_fedramp: bool
    workspace: str | None = None
    override: str | None = None
    origin: str | None = None


async def check_account(backend: Backend, account: Credential, configured_origin: str) -> Checked:
    """What the backend says of this account now.  Raises CheckFailed."""
    try:
        reply = await backend.request(account, "GET", PATH)
    except Unreachable as exc:
        raise CheckFailed(exc.reason) from None
    if reply.status != 200:
        raise CheckFailed("challenge" if reply.is_challenge else f"status_{reply.status}")
    return read_check(reply.body, account.chatgpt_account_id, configured_origin)


def read_check(body: bytes, chatgpt_account_id: str, configured_origin: str) -> Checked:
    """The entry of one account.  What it says in an unknown way is left out.  Raises CheckFailed."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise CheckFailed("unreadable") from None
    listed = document.get("accounts") if isinstance(document, dict) else None
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    entry = next((each for each in entries if each.get("id") == chatgpt_account_id), None)
    if entry is None:
        raise CheckFailed("not_listed")
    return Checked(
        is_deactivated=entry.get("is_deactivated") is True,
        is_fedramp=entry.get("is_fedramp_compliant_workspace") is True,
        workspace=_workspace(entry),
        override=_override(entry.get("account_routing_override")),
        origin=_origin(entry.get("workspace_backend_origin"), configured_origin),
    )


def _workspace(entry: dict[str, Any]) -> str | None:
    name = entry.get("name")
    if entry.get("structure") != "workspace" or not isinstance(name, str):
        return None
    plain = " ".join(name.split())
    return plain[:LONGEST_NAME] if plain.isprintable() and plain else None


def _override(stated: Any) -> str | None:
    if not isinstance(stated, str) or stated == NO_OVERRIDE or not OVERRIDE.match(stated):
        return None
    return stated


def _origin(stated: Any, configured_origin: str) -> str | None:
    if not isinstance(stated, str):
        return None
    trusted = trusted_origin(stated, configured_origin)
    return None if trusted == configured_origin.rstrip("/").lower() else trusted
