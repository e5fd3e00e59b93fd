"""The list of models as Anthropic's clients read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

CREATED = "1970-01-01T00:00:00Z"  # the backend does not say when a model came out


def models_page(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``{"data":[…],"has_more","first_id","last_id"}`` of the backend's descriptions; always the only page."""
    models = [model_of(entry) for entry in entries]
    first, last = (models[0]["id"], models[-1]["id"]) if models else (None, None)
    return {"data": models, "has_more": False, "first_id": first, "last_id": last}


def model_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    slug = str(entry.get("slug"))
    return {"type": "model", "id": slug, "display_name": entry.get("display_name") or slug, "created_at": CREATED}
