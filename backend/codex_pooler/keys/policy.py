"""What a key may ask for."""

from __future__ import annotations

from codex_pooler.snapshot.model import Key


class PolicyRefused(Exception):
    """The key's policy does not allow this turn."""

    def __init__(self, code: str, message: str, param: str) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


def check_model(key: Key, model: str) -> None:
    """Raises PolicyRefused when the key is limited to other models."""
    models = key.policy.allowed_models
    if models is not None and model not in models:
        allowed = ", ".join(sorted(models)) or "none"
        raise PolicyRefused("model_not_allowed", f"this key may not use that model; it may use: {allowed}", "model")
