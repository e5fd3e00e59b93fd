"""What the command line offers for operators."""

from __future__ import annotations

from collections.abc import Sequence

from codex_pooler.operators import bootstrap, tokens
from codex_pooler.operators.access import Operator
from codex_pooler.operators.bootstrap import AlreadyBootstrapped
from codex_pooler.operators.passwords import WeakPassword
from codex_pooler.operators.tokens import TokenRefused
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring

__all__ = ["AlreadyBootstrapped", "TokenRefused", "WeakPassword", "create_first_owner", "create_token"]


async def create_first_owner(
    database: Database, keyring: Keyring, email: str, display_name: str | None, password: str
) -> Operator:
    """``codex-pooler bootstrap``.  Raises AlreadyBootstrapped or WeakPassword."""
    return await bootstrap.create_first_owner(database, email=email, display_name=display_name, password=password)


async def create_token(
    database: Database, keyring: Keyring, email: str, label: str, days: int, scopes: Sequence[str] = ()
) -> str:
    """``codex-pooler token create``.  Raises TokenRefused."""
    return await tokens.issue_token(database, keyring, email=email, label=label, days=days, scopes=scopes)
