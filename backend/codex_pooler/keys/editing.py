"""An operator's changes to a key, merged into what is stored and checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_pooler.keys.limit_names import KEY_LIMITS, WINDOW_LIMITS, grouped, listed
from codex_pooler.snapshot.model import Limit

PLAIN = ("name", "notes", "expires_at", "allowed_networks")
EDITABLE = (
    *PLAIN,
    "allowed_models",
    "enforced_model",
    "enforced_effort",
    "maximum_effort",
    "enforced_service_tier",
    *KEY_LIMITS.values(),
    "limits",
)
MOST_MODELS_LIMITED = 50
NEW_KEY: dict[str, Any] = {**dict.fromkeys(EDITABLE), "limits": []}


class KeyEditRefused(Exception):
    """What the operator asked for makes no sense together; ``pointer`` names the field of the body."""

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(message)
        self.pointer, self.code, self.message = pointer, code, message


def merged(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """All editable columns of the key after ``changes``; what they do not name stays.  Raises KeyEditRefused."""
    values = {name: stored[name] for name in EDITABLE}
    values.update({name: changes[name] for name in PLAIN if name in changes})
    _set_models(values, changes)
    _set_enforcement(values, changes.get("enforcement", {}))
    _set_limits(values, changes.get("limits", {}))
    _check_enforced_model(values)
    return values


def must_end_sockets(stored: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    """Whether open sockets may not go on: the policy is read with every turn, an address only at the beginning."""
    return bool(values["allowed_networks"] != stored["allowed_networks"])


def _set_models(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    if "models" in changes and "allowed_models" in changes:
        raise KeyEditRefused("/allowed_models", "ambiguous", "Send either models or allowed_models.")
    if "allowed_models" in changes:
        values["allowed_models"] = changes["allowed_models"]
    elif "models" in changes:
        values["allowed_models"] = _chosen_models(changes["models"]["mode"], changes["models"].get("ids", []))
    if values["allowed_models"] is not None:
        values["allowed_models"] = list(dict.fromkeys(values["allowed_models"]))


def _chosen_models(mode: str, ids: list[str]) -> list[str] | None:
    if mode == "selected" and not ids:
        raise KeyEditRefused("/models/ids", "required", "Choose at least one model, or the mode none.")
    if mode != "selected" and ids:
        raise KeyEditRefused("/models/ids", "unexpected", "List models only with the mode selected.")
    return {"all": None, "none": []}.get(mode, ids)


def _set_enforcement(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    if "model" in changes:
        values["enforced_model"] = changes["model"]
    if "service_tier" in changes:
        tier = changes["service_tier"]
        values["enforced_service_tier"] = "priority" if tier == "fast" else tier
    if "reasoning" in changes:
        mode, effort = changes["reasoning"]["mode"], changes["reasoning"].get("effort")
        if mode == "unrestricted" and effort is not None:
            raise KeyEditRefused("/enforcement/reasoning/effort", "unexpected", "Name an effort only with a mode.")
        if mode != "unrestricted" and effort is None:
            raise KeyEditRefused("/enforcement/reasoning/effort", "required", "Choose an effort.")
        values["maximum_effort"] = effort if mode == "max" else None
        values["enforced_effort"] = effort if mode == "exact" else None


def _set_limits(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    general = changes.get("default", {})
    values.update({column: general[name] for name, column in KEY_LIMITS.items() if name in general})
    groups: dict[str | None, dict[str, Any]] = {**grouped(Limit(**limit) for limit in values["limits"])}
    groups[None] |= {name: general[name] for name in WINDOW_LIMITS if name in general}
    for model, maxima in changes.get("per_model", {}).items():
        known = next((name for name in groups if name and name.casefold() == model.casefold()), model)
        groups[known] = {**groups.get(known, {}), **maxima} if maxima is not None else {}
    values["limits"] = listed(groups)
    if len({limit["model"] for limit in values["limits"]}) > MOST_MODELS_LIMITED + 1:
        raise KeyEditRefused("/limits/per_model", "too_many", f"Limit at most {MOST_MODELS_LIMITED} models.")


def _check_enforced_model(values: Mapping[str, Any]) -> None:
    enforced, allowed = values["enforced_model"], values["allowed_models"]
    if enforced and allowed is not None and enforced.casefold() not in {model.casefold() for model in allowed}:
        message = (
            f"The enforced model {enforced} is not among the models the key may use; allow it, or enforce another."
        )
        raise KeyEditRefused("/enforcement/model", "not_allowed", message)
