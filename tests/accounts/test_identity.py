"""Whose login something is: what must agree, what may be missing, and what cannot be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.accounts.identity import Identity, is_same

ANNA = Identity("acct", "ws", "anna", "anna@example.com", "team")


@pytest.mark.parametrize(
    ("stored", "brought", "same"),
    [
        ({}, {}, True),
        ({}, {"account_id": "other"}, False),
        ({}, {"workspace_id": "other"}, False),
        ({}, {"user_id": "bo"}, False),
        ({}, {"email": "anna@new.example.com"}, True),
        ({}, {"plan_type": "business"}, True),
        ({}, {"workspace_id": None}, True),
        ({}, {"workspace_id": None, "plan_type": "plus"}, False),
        ({}, {"workspace_id": None, "plan_type": None}, True),
        ({"workspace_id": None, "plan_type": "plus"}, {"plan_type": "pro"}, True),
        ({}, {"user_id": None}, True),
        ({}, {"user_id": None, "email": "ANNA@example.com"}, True),
        ({}, {"user_id": None, "email": "bo@example.com"}, False),
        ({}, {"user_id": None, "email": None}, False),
        ({"user_id": None}, {}, True),
        ({"user_id": None}, {"email": "bo@example.com"}, False),
        ({"user_id": None, "email": None}, {}, True),
        ({"user_id": None, "email": None}, {"user_id": None, "email": None}, True),
    ],
)
def test_a_login_may_take_the_place_of(stored: dict[str, Any], brought: dict[str, Any], same: bool) -> None:
    assert is_same(replace(ANNA, **stored), replace(ANNA, **brought)) == same


parts = st.none() | st.sampled_from(["a", "b"])
identities = st.builds(
    Identity, st.sampled_from(["acct", "other"]), parts, parts, parts, st.sampled_from([None, "plus", "team"])
)


@given(identities, identities)
def test_nothing_that_both_name_differs_between_the_same(stored: Identity, brought: Identity) -> None:
    if is_same(stored, brought):
        for name in ("account_id", "workspace_id", "user_id"):
            values = {getattr(one, name) for one in (stored, brought)} - {None}
            assert len(values) <= 1


@given(identities)
def test_who_is_known_is_the_same_as_before(identity: Identity) -> None:
    if identity.user_id or identity.email:
        assert is_same(identity, identity)
