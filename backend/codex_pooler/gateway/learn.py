"""What an attempt's verdict teaches about the account that made it: its health, its quota, how much it can bear."""

from __future__ import annotations

from uuid import UUID

from codex_pooler.gateway.classify import Blame, Verdict
from codex_pooler.quota.refusals import refusal_of
from codex_pooler.routing.candidates import Known, Moment

REFUSED = frozenset({Blame.USAGE, Blame.RATE, Blame.LOGIN})


def learn(known: Known, account_id: UUID, route_class: str, model: str, verdict: Verdict, now: Moment) -> None:
    """Remember it.  ``model`` is empty for routes without one."""
    if not verdict.code:
        known.health.succeeded(account_id, route_class, now.wall)
        known.quotas.served(account_id, model, now.wall)
        return
    if verdict.blame is Blame.HEALTH:
        known.health.failed(account_id, route_class, verdict.code, now.monotonic)
        return
    known.health.probe_ended(account_id, route_class)
    if verdict.blame is Blame.RATE:
        known.leases.rate_limited(account_id, now.monotonic)
    if verdict.blame in REFUSED:
        wait = verdict.block_seconds if verdict.blame is Blame.RATE else None
        known.quotas.refuse(account_id, refusal_of(verdict.code, verdict.resets_at, wait, "", model), now.wall)
