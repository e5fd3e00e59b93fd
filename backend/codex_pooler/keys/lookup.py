"""Recognises a Pool API key in a request's headers, in constant time and without the database."""

from __future__ import annotations

import time
from collections.abc import Mapping

from codex_pooler.keys.policy import PolicyRefused
from codex_pooler.snapshot.model import Key, Snapshot
from codex_pooler.snapshot.networks import read_address
from codex_pooler.storage.keyring import Keyring

PREFIX = "sk-cxp-"
LONGEST = 128


class KeyRefused(Exception):
    """The request carries no key that may be used.  ``code`` is stable, ``message`` says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


MISSING = (
    "api_key_missing",
    "send a Pool API key as 'Authorization: Bearer sk-cxp-…' or as 'x-api-key'; keys are issued in the console under"
    " API keys",
)
STATES = {
    "paused": ("api_key_paused", "this Pool API key is paused; an operator can resume it in the console"),
    "revoked": ("api_key_revoked", "this Pool API key was revoked; ask an operator for a new one"),
}


def authenticate(headers: Mapping[str, str], snapshot: Snapshot, keyring: Keyring) -> Key:
    """The key in ``Authorization`` (Bearer), else in ``x-api-key``.  Raises KeyRefused."""
    token = presented(headers)
    if not token.startswith(PREFIX) or len(token) > LONGEST or not token.isascii():
        raise KeyRefused(*MISSING)
    # the digest is keyed, so a dictionary look-up by it tells an attacker nothing through timing
    key = snapshot.keys.get(keyring.digest("api_key", token))
    if key is None or key.pool.status != "active":
        raise KeyRefused(*MISSING)
    if refusal := STATES.get(key.status):
        raise KeyRefused(*refusal)
    if key.expires_at is not None and key.expires_at <= time.time():
        raise KeyRefused("api_key_expired", "this Pool API key has expired; ask an operator to extend or replace it")
    return key


def presented(headers: Mapping[str, str]) -> str:
    """What the headers give for a key; empty when there is nothing.  ``headers`` takes names in any case."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return headers.get("x-api-key", "").strip()


def check_network(key: Key, client_ip: str) -> None:
    """Raises PolicyRefused when the key may not be used from this address; one that cannot be read is refused."""
    networks = key.policy.allowed_networks
    if networks is None:
        return
    try:
        address = read_address(client_ip)
    except ValueError:
        address = None
    if address is None or not any(address in network for network in networks):
        message = (
            f"the key {key.name!r} may not be used from this address; use it from an allowed network,"
            " or ask an operator to add this one in the console"
        )
        raise PolicyRefused(403, "access_denied", message)
