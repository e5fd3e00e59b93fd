"""A key's policy: what it refuses, what it puts in place, and that it leaves everything else alone."""

from __future__ import annotations

import json
from ipaddress import ip_network

import pytest

from codex_pooler.keys.lookup import check_network
from codex_pooler.keys.policy import EFFORTS, PolicyRefused, may_use, prompt_bytes, shaped
from codex_pooler.protocol.requests import read_fields
from codex_pooler.snapshot.model import Key
from tests.keys.examples import key_with

BODY = {"model": "gpt-a", "stream": True, "input": [{"n": 1.5}], "reasoning": {"effort": "high", "summary": "auto"}}


def sent(key: Key, **members: object) -> dict[str, object]:
    """What goes upstream of BODY with these members."""
    body = json.dumps({**BODY, **members}).encode()
    return dict(json.loads(shaped(key, body, read_fields(body)).body))


def refusal(key: Key, **members: object) -> PolicyRefused:
    with pytest.raises(PolicyRefused) as caught:
        sent(key, **members)
    return caught.value


def test_a_key_without_policy_leaves_the_very_same_body() -> None:
    body = json.dumps(BODY).encode()
    fields = read_fields(body)
    result = shaped(key_with(), body, fields)
    assert result.body is body
    assert result.fields is fields
    assert result.requested_model is None


@pytest.mark.parametrize("model", ["gpt-a", "GPT-A", "anything"])
def test_scenario_2_an_empty_list_of_models_refuses_every_model(model: str) -> None:
    refused = refusal(key_with(allowed_models=frozenset()), model=model)
    assert (refused.status, refused.code, refused.param) == (403, "model_not_allowed", "model")
    assert not may_use(key_with(allowed_models=frozenset()), model)


def test_a_model_outside_the_list_is_refused_and_the_list_is_told() -> None:
    refused = refusal(key_with(allowed_models=frozenset({"gpt-b", "gpt-c"})))
    assert refused.code == "model_not_allowed"
    assert "'ci'" in refused.message
    assert "gpt-b, gpt-c" in refused.message
    assert "gpt-a" not in refused.message


def test_models_are_allowed_without_regard_to_case() -> None:
    assert sent(key_with(allowed_models=frozenset({"Gpt-A"})))["model"] == "gpt-a"


def test_scenario_3_an_enforced_model_replaces_the_one_asked_for_and_both_are_known() -> None:
    body = json.dumps(BODY).encode()
    key = key_with(enforced_model="gpt-b", allowed_models=frozenset({"gpt-b"}))
    result = shaped(key, body, read_fields(body))
    assert json.loads(result.body) == {**BODY, "model": "gpt-b"}
    assert (result.fields.model, result.requested_model) == ("gpt-b", "gpt-a")


def test_an_enforced_model_outside_the_list_is_the_operators_mistake() -> None:
    refused = refusal(key_with(enforced_model="gpt-b", allowed_models=frozenset({"gpt-a"})))
    assert (refused.status, refused.code) == (403, "api_key_policy_malformed")


def test_scenario_4_an_effort_above_the_maximum_is_refused() -> None:
    refused = refusal(key_with(maximum_effort="medium"))
    assert (refused.status, refused.code, refused.param) == (400, "reasoning_effort_not_allowed", "reasoning.effort")
    assert "'medium'" in refused.message


def test_scenario_4_an_enforced_effort_is_put_in_and_the_other_members_stay() -> None:
    assert sent(key_with(enforced_effort="low"))["reasoning"] == {"effort": "low", "summary": "auto"}
    assert sent(key_with(enforced_effort="low"), reasoning=None)["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize(("asked", "goes_up"), [("minimal", "low"), ("ultra", "max"), ("high", "high"), ("new", "new")])
def test_scenario_4_efforts_go_upstream_under_the_names_it_knows(asked: str, goes_up: str) -> None:
    assert sent(key_with(), reasoning={"effort": asked})["reasoning"] == {"effort": goes_up}
    assert sent(key_with(enforced_effort=asked))["reasoning"] == {"effort": goes_up, "summary": "auto"}


@pytest.mark.parametrize("maximum", EFFORTS)
def test_every_effort_up_to_the_maximum_is_allowed_and_none_above(maximum: str) -> None:
    key = key_with(maximum_effort=maximum)
    position = EFFORTS.index(maximum)
    for effort in EFFORTS[: position + 1]:
        sent(key, reasoning={"effort": effort})
    for effort in (*EFFORTS[position + 1 :], "beyond"):
        assert refusal(key, reasoning={"effort": effort}).code == "reasoning_effort_not_allowed"


def test_a_turn_that_names_no_effort_does_not_get_past_a_low_maximum() -> None:
    assert sent(key_with(maximum_effort="low"), reasoning={})["reasoning"] == {"effort": "low"}
    assert sent(key_with(maximum_effort="high"), reasoning={})["reasoning"] == {}


@pytest.mark.parametrize(
    ("enforced", "asked", "goes_up"),
    [
        (None, None, None),
        (None, "fast", "priority"),
        (None, "flex", "flex"),
        (None, "auto", None),
        ("priority", None, "priority"),
        ("flex", "priority", "flex"),
        ("auto", "priority", None),
        ("default", "flex", None),
    ],
)
def test_the_service_tier(enforced: str | None, asked: str | None, goes_up: str | None) -> None:
    members = {"service_tier": asked} if asked else {}
    assert sent(key_with(enforced_service_tier=enforced), **members).get("service_tier") == goes_up


def test_a_prompt_above_the_ceiling_is_refused_before_it_goes_up() -> None:
    refused = refusal(key_with(max_input_tokens=100), input="x" * 1000)
    assert (refused.status, refused.code, refused.param) == (400, "api_key_policy_limit_exceeded", "input")
    sent(key_with(max_input_tokens=400), input="x" * 1000)


def test_an_image_costs_what_an_image_costs_and_not_its_bytes() -> None:
    image = "data:image/png;base64," + "A" * 6_800_000
    body = json.dumps({"model": "m", "input": [{"image_url": image}, {"image_url": image}]}).encode()
    assert 12_000 <= prompt_bytes(body) < 12_200
    assert prompt_bytes(b'{"a":"data:x;base64,AAAA') == 6_012
    assert prompt_bytes(b";base64," + b"word " * 10_000) > 50_000


def test_only_a_clients_own_cap_above_the_ceiling_is_refused() -> None:
    key = key_with(max_output_tokens=128)
    assert refusal(key, max_output_tokens=129).param == "max_output_tokens"
    assert sent(key, max_output_tokens=128)["max_output_tokens"] == 128
    assert "max_output_tokens" not in sent(key)


@pytest.mark.parametrize(
    ("client", "allowed"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("11.0.0.1", False), ("2001:db8::1", True), ("", False)],
)
def test_a_key_with_networks_is_refused_from_elsewhere(client: str, allowed: bool) -> None:
    key = key_with(allowed_networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
    check_network(key_with(), client)
    if allowed:
        check_network(key, client)
        return
    with pytest.raises(PolicyRefused) as caught:
        check_network(key, client)
    assert (caught.value.status, caught.value.code) == (403, "access_denied")
