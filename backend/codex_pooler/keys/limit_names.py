"""The names under which operators see and set a key's limits, and what each of them limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from codex_pooler.keys.windows import WINDOWS
from codex_pooler.snapshot.model import Limit

# name -> metric and window; sums of money need more than a minute to say anything
WINDOW_LIMITS: dict[str, tuple[str, str]] = {
    **{f"max_requests_per_{window}": ("requests", window) for window in WINDOWS},
    **{f"max_tokens_per_{window}": ("tokens", window) for window in WINDOWS},
    **{f"max_cost_usd_per_{window}": ("cost_micros", window) for window in WINDOWS if window != "minute"},
}
# name -> the key's column; these hold for every model
KEY_LIMITS = {
    "max_input_tokens_per_request": "max_input_tokens",
    "max_output_tokens_per_request": "max_output_tokens",
    "max_concurrent_requests": "max_concurrency",
}
NAMES = {what: name for name, what in WINDOW_LIMITS.items()}


def name_of(limit: Limit) -> str:
    """``max_tokens_per_day`` and the like."""
    return NAMES[limit.metric, limit.window]


def grouped(limits: Iterable[Limit]) -> dict[str | None, dict[str, int]]:
    """Maxima by name, for each model and (None) in general."""
    found: dict[str | None, dict[str, int]] = {None: {}}
    for limit in limits:
        found.setdefault(limit.model, {})[name_of(limit)] = limit.maximum
    return found


def listed(groups: Mapping[str | None, Mapping[str, int | None]]) -> list[dict[str, Any]]:
    """The reverse of ``grouped``, as the database keeps it; None is no limit."""
    return [
        {"metric": metric, "window": window, "model": model, "maximum": maximum}
        for model, maxima in groups.items()
        for name, (metric, window) in WINDOW_LIMITS.items()
        if (maximum := maxima.get(name)) is not None
    ]
