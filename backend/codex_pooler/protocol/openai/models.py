"""Models as the public API lists them, out of the backend's descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OWNER = "codex-pooler"
CREATED = 0  # Unix seconds; the backend does not say when a model came out
LISTED = "list"  # the visibility of what people may choose; the rest is for clients' own errands
USABLE_PERCENT = 95  # of a context window, where the description does not say


def model_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The public object of a model; ``context_length`` in tokens, left out where the description has none."""
    slug = str(entry.get("slug"))
    model: dict[str, Any] = {
        "id": slug,
        "object": "model",
        "created": CREATED,
        "owned_by": OWNER,
        "permission": [],
        "display_name": entry.get("display_name") or slug,
        "input_modalities": entry.get("input_modalities") or ["text"],
        "supports_streaming": True,
        "supports_tools": True,
        "supports_reasoning": bool(entry.get("supported_reasoning_levels")),
    }
    length = context_length(entry)
    return model if length is None else {**model, "context_length": length}


def is_listed(entry: Mapping[str, Any]) -> bool:
    """Whether people are to choose from lists with this model in them."""
    return entry.get("visibility") in (None, LISTED)


def context_length(entry: Mapping[str, Any]) -> int | None:
    """Tokens of a conversation that fit, with what the backend keeps for itself taken off."""
    window = _number(entry.get("context_window"))
    percent = _number(entry.get("effective_context_window_percent")) or USABLE_PERCENT
    return None if window is None else int(window * percent // 100)


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
