"""The accounts' secrets in the clear, each opened once for as long as it stays what it is."""

from __future__ import annotations

import logging
from collections.abc import Container
from uuid import UUID

from codex_pooler.storage.vault import SecretBox, SecretError

log = logging.getLogger(__name__)


class Opened:
    """Lives in memory only, like the snapshots that it serves."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box
        self._known: dict[tuple[UUID, str], tuple[bytes, str | None]] = {}

    def text(self, account_id: UUID, kind: str, sealed: bytes | memoryview | None) -> str | None:
        """What is sealed there; None when there is nothing, or nothing that this installation's keys open."""
        if sealed is None:
            return None
        envelope, place = bytes(sealed), (account_id, kind)
        known = self._known.get(place)
        if known is None or known[0] != envelope:
            known = self._known[place] = (envelope, self._open(place, envelope))
        return known[1]

    def forget_all_but(self, account_ids: Container[UUID]) -> None:
        """What belonged to accounts that are gone."""
        for place in [place for place in self._known if place[0] not in account_ids]:
            del self._known[place]

    def _open(self, place: tuple[UUID, str], envelope: bytes) -> str | None:
        account_id, kind = place
        try:
            return self._box.open(envelope, f"account_secrets:{account_id}:{kind}").decode()
        except (SecretError, UnicodeDecodeError) as exc:
            log.error("the %s secret of account %s cannot be opened (%s)", kind, account_id, exc)
            return None
