"""Which model a probe asks."""

from __future__ import annotations

import pytest

from codex_pooler.gateway.probe import USUAL_MODEL, smallest


@pytest.mark.parametrize(
    ("models", "chosen"),
    [
        ((), USUAL_MODEL),
        (("gpt-5.5", "gpt-5.4-mini"), "gpt-5.4-mini"),
        (("b", "a"), "a"),
        (("x-nano", "x-mini"), "x-nano"),
    ],
)
def test_the_smallest_model_is_asked(models: tuple[str, ...], chosen: str) -> None:
    assert smallest(models) == chosen
