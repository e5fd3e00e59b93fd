"""What becomes of a login that the usage endpoint refuses: it is renewed, and given up when even the new one is."""

from __future__ import annotations

from uuid import UUID

from codex_pooler.accounts.refresh import Refresher

REFUSED = "upstream_unauthorized"  # the code kept with the account


class DoubtedLogins:
    """One per process."""

    def __init__(self, refresher: Refresher) -> None:
        self._refresher = refresher
        self._renewed: dict[UUID, str] = {}  # the tokens that came of earlier doubts

    async def look_into(self, account_id: UUID, refused_token: str) -> None:
        """Every path refused this token.  Raises what the database raises."""
        if self._renewed.get(account_id) == refused_token:
            await self._refresher.give_up(account_id, refused_token, REFUSED)
            return
        renewal = await self._refresher.renew(account_id, refused_token)
        if renewal.outcome == "renewed" and renewal.token:
            self._renewed[account_id] = renewal.token
