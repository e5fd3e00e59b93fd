"""Reads what the backend says of an account's quota, in response heads, events and usage answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

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
from codex_pooler.quota.reading import as_flag, as_instant, as_number, as_object, as_text
from codex_pooler.quota.refusals import Refusal, refusal_of
from codex_pooler.quota.windows import (
    ACCOUNT,
    CODE_REVIEW,
    FIVE_HOURS,
    RESET_TOLERANCE,
    SPARK,
    SPARK_MODEL,
    USED_UP,
    WEEK,
    Window,
    believable,
    limit_key_of,
)

__all__ = ["Observation", "Refusal", "from_event", "from_headers", "from_usage", "refusal_of"]

SLOTS = {"primary": FIVE_HOURS, "secondary": WEEK}  # and the minutes assumed where a slot does not name its own
LONGEST_MINUTES = 366 * 1440
MOST_LIMITS = 32  # narrower limits and closed models that are looked at in one observation
HEADER_FIELDS = frozenset({"used-percent", "window-minutes", "reset-at", "reset-after-seconds"})
CREDIT_HEADERS = "x-codex-credits-"


class Family(NamedTuple):
    """The limit family that the windows and the verdict being read belong to."""

    limit_key: str
    label: str | None = None
    model: str | None = None


class Origin(NamedTuple):
    """Who said it, and when (unix seconds)."""

    source: str
    observed_at: float


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
        elif limit == "credits":
            credits[field] = value
        elif limit == "plan":
            plan_type = as_text(value)
        else:
            labels[limit] = value
    origin = Origin(HEADERS, observed_at)
    windows = [_window_of_headers(limit, labels.get(limit), fields, origin) for (limit, _), fields in slots.items()]
    return _unless_empty(origin, plan_type, _distinct(windows), (), _credits(credits, observed_at))


@lru_cache(maxsize=1024)
def _header_place(name: str) -> tuple[str, str, str] | None:
    """Where a header's value belongs: limit, slot and field; cached because the same few names come every time."""
    name = name.lower()
    if not name.startswith("x-") or len(name) > 128:
        return None
    if name.startswith(CREDIT_HEADERS):
        return "credits", "", name.removeprefix(CREDIT_HEADERS).replace("-", "_")
    if name == "x-codex-plan-type":
        return "plan", "", ""
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
    return _window(_family(label, limit, label), stated, FIVE_HOURS, origin)


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
    family = _family(label, as_text(event.get("metered_limit_name")), label)
    limits = [(family, event.get("rate_limits")), (Family(CODE_REVIEW), event.get("code_review_rate_limits"))]
    windows, verdicts = _limits(limits, origin)
    credits = _credits(as_object(event.get("credits")), observed_at)
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
    windows, verdicts = _limits([*named, *_additional(usage.get("additional_rate_limits"))], origin)
    resets = as_number(as_object(usage.get("rate_limit_reset_credits")).get("available_count"))
    return Observation(
        source=USAGE,
        observed_at=observed_at,
        plan_type=as_text(usage.get("plan_type")),
        windows=windows,
        verdicts=verdicts,
        credits=_credits(as_object(usage.get("credits")), observed_at),
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


def _family(label: str | None, *names: str | None, model: str | None = None) -> Family:
    key = limit_key_of(*names)
    return Family(key, label, SPARK_MODEL if key == SPARK else model)


def _additional(limits: Any) -> Iterator[tuple[Family, Any]]:
    """The narrower limits of a usage answer, each for a model or for some feature."""
    for limit in limits[:MOST_LIMITS] if isinstance(limits, list) else ():
        stated = as_object(limit)
        label = as_text(stated.get("limit_name"))
        model = as_text(stated.get("model")) or as_text(stated.get("normal_model_slug"))
        names = [as_text(stated.get(name)) for name in ("limit_id", "metered_feature")]
        family = _family(label, *names, label, model, model=model)
        if family.limit_key != ACCOUNT:
            yield family, stated.get("rate_limit")


def _limits(limits: Iterable[tuple[Family, Any]], origin: Origin) -> tuple[tuple[Window, ...], tuple[Verdict, ...]]:
    """Windows and verdicts of objects like ``{"allowed", "limit_reached", "primary…", "secondary…"}``."""
    windows: list[Window] = []
    verdicts: list[Verdict] = []
    for family, value in limits:
        stated = as_object(value)
        own = _distinct(
            _window(family, as_object(stated.get(slot) or stated.get(f"{slot}_window")), minutes, origin)
            for slot, minutes in SLOTS.items()
        )
        windows += own
        verdict = _verdict(family, stated, own, origin.observed_at)
        verdicts += [verdict] if verdict else []
    return tuple(windows), tuple(verdicts)


def _distinct(windows: Iterable[Window | None]) -> tuple[Window, ...]:
    """One window per family and kind: of two that say different things the fuller one counts."""
    found: dict[tuple[str, str], Window] = {}
    for window in windows:
        if window is None:
            continue
        place = window.limit_key, window.kind
        if place not in found or found[place].used_percent < window.used_percent:
            found[place] = window
    return tuple(found.values())


def _window(family: Family, stated: dict[str, Any], assumed_minutes: int, origin: Origin) -> Window | None:
    used = as_number(stated.get("used_percent"))
    if used is None:
        return None
    minutes = _minutes(stated) or assumed_minutes
    named = _reset(stated, origin.observed_at)
    true = named is not None and believable(named, origin.observed_at, minutes)
    return Window(
        limit_key=family.limit_key,
        minutes=minutes,
        used_percent=min(max(used, 0.0), USED_UP),
        observed_at=origin.observed_at,
        source=origin.source,
        reset_at=named if true else None,
        flagged=named is not None and not true,
        label=family.label,
        model=family.model,
    )


def _minutes(stated: dict[str, Any]) -> int | None:
    minutes = as_number(stated.get("window_minutes"))
    if minutes is None:
        seconds = as_number(stated.get("limit_window_seconds"))
        minutes = seconds / 60 if seconds is not None else None
    return round(minutes) if minutes is not None and 1 <= minutes <= LONGEST_MINUTES else None


def _reset(stated: dict[str, Any], observed_at: float) -> float | None:
    """When the window starts anew, by our clock: where the instant and the remaining time contradict each other, our
    clock and the backend's differ, and only the remaining time means the same to both."""
    named = as_instant(stated.get("reset_at") or stated.get("resets_at"))
    after = as_number(stated.get("reset_after_seconds"))
    if after is None or after <= 0:
        return named
    if named is None or abs(named - (observed_at + after)) > RESET_TOLERANCE:
        return observed_at + after
    return named


def _verdict(family: Family, stated: dict[str, Any], windows: Iterable[Window], observed_at: float) -> Verdict | None:
    allowed, reached = as_flag(stated.get("allowed")), as_flag(stated.get("limit_reached"))
    if allowed is None and reached is None:
        return None
    resets = [window.reset_at for window in windows if window.used_percent >= USED_UP and window.reset_at]
    return Verdict(family.limit_key, allowed, reached, observed_at, max(resets, default=None))


def _credits(stated: dict[str, Any], observed_at: float) -> Credits | None:
    has_credits, unlimited = as_flag(stated.get("has_credits")), as_flag(stated.get("unlimited"))
    if has_credits is None and unlimited is None:
        return None
    return Credits(
        has_credits=bool(has_credits),
        unlimited=bool(unlimited),
        balance=as_number(stated.get("balance")),
        overage_reached=as_flag(stated.get("overage_limit_reached")),
        observed_at=observed_at,
    )


def _spend(stated: dict[str, Any], observed_at: float) -> Spend | None:
    reached = as_flag(stated.get("reached"))
    limit = as_object(stated.get("individual_limit"))
    if reached is None and not limit:
        return None
    used = as_number(limit.get("used_percent"))
    reset_at = _reset(limit, observed_at)
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
