"""Which of a pool's models serves when a client asks for one of Anthropic's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from codex_pooler.keys.policy import PolicyRefused
from codex_pooler.snapshot.catalog import Listing, Model
from codex_pooler.snapshot.model import Policy
from codex_pooler.web.runtime.v1.messages import model_for


def model(slug: str, priority: Any, visibility: str = "list", **more: Any) -> Model:
    return Model(slug, orjson.dumps({"slug": slug, "priority": priority, "visibility": visibility, **more}))


MODELS = (
    model("claude-own", 9),
    model("gpt-big", 2),
    model("gpt-first", 1, new_member={"a": 1}),
    model("gpt-hidden", 0, "hide"),
    model("gpt-small-mini", 5),
    model("gpt-strange", "last"),
)


def caller(models: tuple[Model, ...] = MODELS, policy: Policy | None = None) -> Any:
    """Whoever asks, as far as it matters for the choice of a model."""
    pool = SimpleNamespace(model_named=lambda name: "gpt-big" if name == "claude-alias" else None)
    snapshot = SimpleNamespace(current=SimpleNamespace(listing=lambda key: Listing(models, "")))
    return SimpleNamespace(
        key=SimpleNamespace(pool=pool, policy=policy or Policy()), house=SimpleNamespace(snapshot=snapshot)
    )


@pytest.mark.parametrize(
    ("asked", "serves"),
    [
        ("claude-opus-4-8", "gpt-first"),
        ("Claude-Sonnet-4-5", "gpt-first"),
        ("claude-haiku-4-5-20251001", "gpt-small-mini"),
        ("claude-own", None),
        ("claude-alias", None),
        ("gpt-first", None),
        ("gpt-nothing", None),
    ],
)
def test_the_pools_models_stand_in_for_anthropics(asked: str, serves: str | None) -> None:
    assert model_for(asked, caller()) == serves


def test_without_a_small_model_the_first_serves() -> None:
    assert model_for("claude-haiku-4-5", caller(MODELS[:3])) == "gpt-first"


def test_models_that_are_not_known_yet_are_worth_another_try() -> None:
    with pytest.raises(PolicyRefused) as refused:
        model_for("claude-opus-4-8", caller(()))
    assert (refused.value.status, refused.value.param) == (503, "model")
    assert model_for("gpt-5.5", caller(())) is None


def test_a_key_without_a_model_hears_so_from_its_policy() -> None:
    assert model_for("claude-opus-4-8", caller((), Policy(allowed_models=frozenset({"gpt-x"})))) is None
    assert model_for("claude-opus-4-8", caller((), Policy(enforced_model="gpt-x"))) is None
