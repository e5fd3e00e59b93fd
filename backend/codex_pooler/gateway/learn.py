"""What an attempt's verdict teaches about the account that made it: its health, its quota, how much it can bear."""

from __future__ import annotations

from uuid import UUID

from codex_pooler.gateway.attempt import Attempt
from codex_pooler.gateway.classify import Blame, Verdict
from codex_pooler.quota.evidence import from_event, from_headers
from codex_pooler.quota.refusals import refusal_of
from codex_pooler.routing.candidates import Known, Moment

LIMITS_SECONDS = 2.0  # a serving account's limits are read at most this often
REFUSED = frozenset({Blame.USAGE, Blame.RATE, Blame.LOGIN, Blame.MODEL})


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
        said = verdict.error
        refusal = refusal_of(
            verdict.refusal, said.resets_at, verdict.retry_after, said.message, model, said.resets_in_seconds
        )
        known.quotas.refuse(account_id, refusal, now.wall)


def learn_limits(known: Known, account_id: UUID, attempt: Attempt, *, urgent: bool, now: float) -> None:
    """Take in what the backend said of the account's limits.  ``now`` is in unix seconds."""
    if not urgent and not known.quotas.is_due(account_id, now, LIMITS_SECONDS):
        return
    seen = [from_headers(attempt.limit_headers(), now), *(from_event(event, now) for event in attempt.evidence)]
    for observation in seen:
        if observation is not None:
            known.quotas.observe(account_id, observation, now)
