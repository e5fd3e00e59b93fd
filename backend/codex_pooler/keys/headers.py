"""A key's limits as ``x-ratelimit-*`` response headers, in the form that OpenAI's clients read."""

from __future__ import annotations

from collections.abc import Iterable

from codex_pooler.keys.tally import Consumption
from codex_pooler.keys.wording import duration

TOLD = ("requests", "tokens")


def ratelimit_headers(consumed: Iterable[Consumption], wall: float) -> list[tuple[str, str]]:
    """Limit, remaining and reset of the limit with the least left, for requests and for tokens."""
    tightest: dict[str, Consumption] = {}
    for each in sorted(consumed, key=_left, reverse=True):
        tightest[each.limit.metric] = each
    headers: list[tuple[str, str]] = []
    for metric in TOLD:
        if (most := tightest.get(metric)) is None:
            continue
        headers.append((f"x-ratelimit-limit-{metric}", str(most.limit.maximum)))
        headers.append((f"x-ratelimit-remaining-{metric}", str(max(0, _left(most)))))
        headers.append((f"x-ratelimit-reset-{metric}", duration(most.resets_at - wall) if most.resets_at else "0s"))
    return headers


def _left(consumed: Consumption) -> int:
    return consumed.limit.maximum - consumed.used
