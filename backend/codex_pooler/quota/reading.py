"""Numbers, times and flags as backends write them: as themselves, as strings, or not at all."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

MILLISECONDS = 1e11  # a unix time beyond this is not in seconds


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any, longest: int = 128) -> str | None:
    """A short non-empty string, or None."""
    return value[:longest] if isinstance(value, str) and value.strip() else None


def as_number(value: Any) -> float | None:
    """A finite number, also out of a string; None in place of anything else."""
    if not isinstance(value, (int, float, str)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_flag(value: Any) -> bool | None:
    """A truth value, also as ``True`` or ``false`` in a header."""
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "false": False, "0": False}.get(value.lower()) if isinstance(value, str) else None


def as_instant(value: Any) -> float | None:
    """Unix seconds out of a number, its string, or an ISO 8601 time (UTC unless it says otherwise)."""
    number = as_number(value)
    if number is not None:
        return number / 1000 if number > MILLISECONDS else number
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
