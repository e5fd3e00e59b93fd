"""The material of a pool key: a secret to show once, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.token_form import API_KEY, generate, prefix_of


@dataclass(frozen=True)
class KeyMaterial:
    """``prefix`` and ``digest`` are stored; ``secret`` leaves in one answer and is forgotten."""

    secret: str = field(repr=False)
    prefix: str
    digest: bytes = field(repr=False)


def new_material(keyring: Keyring) -> KeyMaterial:
    """Make a new ``sk-cxp-…`` key."""
    secret = generate(API_KEY)
    return KeyMaterial(secret=secret, prefix=prefix_of(secret), digest=keyring.digest("api_key", secret))
