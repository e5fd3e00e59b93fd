"""The accounts' secrets in the clear, each opened once for as long as it stays what it is."""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from codex_pooler.storage.vault import SecretBox, SecretError, UnknownKey

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AccessToken:
    """Empty when there is none that can be opened.  It and its expiry belong together."""

    text: str = field(default="", repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True)
class _Envelope:
    """What was found in a place.  ``is_final`` is false while only the key is missing: it may come."""

    sealed: bytes
    text: str | None = field(repr=False)
    is_final: bool = True


class Opened:
    """Lives in memory only, like the snapshots that it serves."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box
        self._known: dict[tuple[UUID, str], _Envelope] = {}
        self._last_tokens: dict[UUID, AccessToken] = {}

    def token(self, account_id: UUID, sealed: bytes | memoryview | None, expires_at: datetime | None) -> AccessToken:
        """The access token that is sealed there.

        While that one is sealed with a key which this process does not have yet, the last one it could open: it is the
        same account's, and good until it expires or is refused.
        """
        text = self.text(account_id, "access", sealed)
        if text is None and sealed is not None and not self._known[account_id, "access"].is_final:
            return self._last_tokens.get(account_id, AccessToken())
        token = AccessToken(text or "", expires_at)
        self._last_tokens[account_id] = token
        return token

    def text(self, account_id: UUID, kind: str, sealed: bytes | memoryview | None) -> str | None:
        """What is sealed there; None when there is nothing, or nothing that this process's keys open."""
        if sealed is None:
            return None
        envelope, place = bytes(sealed), (account_id, kind)
        known = self._known.get(place)
        is_new = known is None or known.sealed != envelope
        if known is None or is_new or not known.is_final:
            known = self._known[place] = self._open(place, envelope, say_so=is_new)
        return known.text

    def forget_all_but(self, account_ids: Container[UUID]) -> None:
        """What belonged to accounts that are gone."""
        self._known = {place: known for place, known in self._known.items() if place[0] in account_ids}
        self._last_tokens = {each: token for each, token in self._last_tokens.items() if each in account_ids}

    def _open(self, place: tuple[UUID, str], envelope: bytes, *, say_so: bool) -> _Envelope:
        account_id, kind = place
        try:
            return _Envelope(envelope, self._box.open(envelope, f"account_secrets:{account_id}:{kind}").decode())
        except (SecretError, UnicodeDecodeError) as exc:
            if say_so:
                log.error("the %s secret of account %s cannot be opened (%s)", kind, account_id, exc)
            return _Envelope(envelope, None, is_final=not isinstance(exc, UnknownKey))
