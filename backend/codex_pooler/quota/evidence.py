"""Reads what the backend says of an account's quota, in response heads, events and usage answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from codex_pooler.quota.facts import (
    EVENT,
    HEADERS,
    USAGE,
    Credits,
    ModelGate,
    Observation,
    Reached,
    Spend,
    Verdict,
)
from codex_pooler.quota.figures import (
    LONGEST_MINUTES,
    SLOTS,
    Family,
    Origin,
    credits_of,
    distinct,
    family_of,
    limits_of,
    reset_of,
    window_of,
)
from codex_pooler.quota.reading import as_flag, as_instant, as_number, as_object, as_text
from codex_pooler.quota.refusals import Refusal, refusal_of
from codex_pooler.quota.windows import ACCOUNT, CODE_REVIEW, FIVE_HOURS, USED_UP, Window, believable

__all__ = ["Observation", "Refusal", "from_event", "from_headers", "from_usage", "refusal_of"]

MOST_LIMITS = 32  # narrower limits and closed models that are looked at in one observation
HEADER_FIELDS = frozenset({"used-percent", "window-minutes", "reset-at", "reset-after-seconds"})
CREDIT_HEADERS = "x-codex-credits-"
CREDITS, PLAN = ":credits", ":plan"  # no header is called so


def from_headers(items: Iterable[tuple[str, str]], observed_at: float) -> Observation | None:
    """What a response head says: ``x-codex-*`` for the account, ``x-<limit>-primary-*`` for narrower limits."""
    slots: dict[tuple[str, str], dict[str, str]] = {}
    credits: dict[str, str] = {}
    labels: dict[str, str] = {}
    plan_type = None
    for name, value in items:
        place = _header_place(name)
        if place is None:
            continue
        limit, slot, field = place
        if slot:
            slots.setdefault((limit, slot), {})[field] = value
        elif limit == CREDITS:
            credits[field] = value
        elif limit == PLAN:
            plan_type = as_text(value)
        else:
            labels[limit] = value
    origin = Origin(HEADERS, observed_at)
    windows = [_window_of_headers(limit, labels.get(limit), fields, origin) for (limit, _), fields in slots.items()]
    return _unless_empty(origin, plan_type, distinct(windows), (), credits_of(credits, observed_at))


@lru_cache(maxsize=1024)
def _header_place(name: str) -> tuple[str, str, str] | None:
    """Where a header's value belongs: limit, slot and field; cached because the same few names come every time."""
    name = name.lower()
    if not name.startswith("x-") or len(name) > 128:
        return None
    if name.startswith(CREDIT_HEADERS):
        return CREDITS, "", name.removeprefix(CREDIT_HEADERS).replace("-", "_")
    if name == "x-codex-plan-type":
        return PLAN, "", ""
    if name.endswith("-limit-name"):
        return name[2 : -len("-limit-name")], "", "label"
    for slot in SLOTS:
        limit, found, field = name[2:].partition(f"-{slot}-")
        if found and field in HEADER_FIELDS:
            return limit, slot, field
    return None


def _window_of_headers(limit: str, label: str | None, fields: dict[str, str], origin: Origin) -> Window | None:
    minutes = as_number(fields.get("window-minutes"))
    if minutes is None:  # without its duration it cannot be told which window this is
        return None
    stated = {
        "used_percent": fields.get("used-percent"),
        "window_minutes": minutes,
        "reset_at": fields.get("reset-at"),
        "reset_after_seconds": fields.get("reset-after-seconds"),
    }
    return window_of(family_of(label, limit, label), stated, FIVE_HOURS, origin)


def from_event(data: bytes, observed_at: float) -> Observation | None:
    """What a ``codex.rate_limits`` event or frame says; None for any other event."""
    try:
        event = as_object(orjson.loads(data))
    except orjson.JSONDecodeError:
        return None
    if event.get("type") != "codex.rate_limits":
        return None
    origin = Origin(EVENT, observed_at)
    label = as_text(event.get("limit_name"))
    family = family_of(label, as_text(event.get("metered_limit_name")), label)
    limits = [(family, event.get("rate_limits")), (Family(CODE_REVIEW), event.get("code_review_rate_limits"))]
    windows, verdicts = limits_of(limits, origin)
    credits = credits_of(as_object(event.get("credits")), observed_at)
    return _unless_empty(origin, as_text(event.get("plan_type")), windows, verdicts, credits)


def from_usage(body: bytes, observed_at: float) -> Observation:
    """What the usage endpoint says.  Raises ValueError when the body is not a JSON object."""
    usage = orjson.loads(body)
    if not isinstance(usage, dict):
        raise ValueError("a usage answer must be a JSON object")
    origin = Origin(USAGE, observed_at)
    named = [
        (Family(ACCOUNT), usage.get("rate_limit")),
        (Family(CODE_REVIEW), usage.get("code_review_rate_limit")),
    ]
    windows, verdicts = limits_of([*named, *_additional(usage.get("additional_rate_limits"))], origin)
    resets = as_number(as_object(usage.get("rate_limit_reset_credits")).get("available_count"))
    return Observation(
        source=USAGE,
        observed_at=observed_at,
        plan_type=as_text(usage.get("plan_type")),
        windows=windows,
        verdicts=verdicts,
        credits=credits_of(as_object(usage.get("credits")), observed_at),
        spend=_spend(as_object(usage.get("spend_control")), observed_at),
        gates=_gates(usage.get("model_usage"), observed_at),
        reached=_reached(usage.get("rate_limit_reached_type"), observed_at),
        saved_resets=None if resets is None else min(max(0, int(resets)), 1_000),
    )


def _unless_empty(
    origin: Origin,
    plan_type: str | None,
    windows: tuple[Window, ...],
    verdicts: tuple[Verdict, ...],
    credits: Credits | None,
) -> Observation | None:
    if not (plan_type or windows or verdicts or credits):
        return None
    return Observation(origin.source, origin.observed_at, plan_type, windows, verdicts, credits)


def _additional(limits: Any) -> Iterator[tuple[Family, Any]]:
    """The narrower limits of a usage answer, each for a model or for some feature."""
    for limit in limits[:MOST_LIMITS] if isinstance(limits, list) else ():
        stated = as_object(limit)
        label = as_text(stated.get("limit_name"))
        model = as_text(stated.get("model")) or as_text(stated.get("normal_model_slug"))
        names = [as_text(stated.get(name)) for name in ("limit_id", "metered_feature")]
        family = family_of(label, *names, label, model, model=model)
        if family.limit_key != ACCOUNT:
            yield family, stated.get("rate_limit")


def _spend(stated: dict[str, Any], observed_at: float) -> Spend | None:
    reached = as_flag(stated.get("reached"))
    limit = as_object(stated.get("individual_limit"))
    if reached is None and not limit:
        return None
    used = as_number(limit.get("used_percent"))
    reset_at = reset_of(limit, observed_at)
    return Spend(
        reached=bool(reached),
        observed_at=observed_at,
        limit=as_number(limit.get("limit")),
        used=as_number(limit.get("used")),
        remaining=as_number(limit.get("remaining")),
        used_percent=None if used is None else min(max(used, 0.0), USED_UP),
        reset_at=reset_at if reset_at and believable(reset_at, observed_at, LONGEST_MINUTES) else None,
    )


def _gates(stated: Any, observed_at: float) -> tuple[ModelGate, ...] | None:
    if not isinstance(stated, dict):
        return None
    closed = [
        ModelGate(model, observed_at, as_instant(as_object(usage).get("available_at")))
        for model, usage in stated.items()
        if as_flag(as_object(usage).get("available")) is False and len(model) <= 128
    ]
    return tuple(closed[:MOST_LIMITS])


def _reached(stated: Any, observed_at: float) -> Reached:
    """``"kind"``, ``{"type": "kind"}``, or nothing."""
    return Reached(as_text(stated) or as_text(as_object(stated).get("type")) or "", observed_at)
