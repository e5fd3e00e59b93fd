"""The explanation says what the choice does, with reasons, and fits into a log row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_pooler.quota.standing import BLOCKED
from codex_pooler.routing.candidates import Choice, Known, NoCandidate, RouteRequest, choose
from codex_pooler.routing.explain import Affinity, Explanation, brief, explain
from codex_pooler.routing.gates import Obstacle
from codex_pooler.routing.strategies import STRATEGIES
from codex_pooler.snapshot.model import Switches
from tests.routing.scene import MODEL, NOW, STREAM, account, asked, knowing, member, numbered, pool, told


@pytest.fixture
def known() -> Known:
    return knowing()


def seen(explanation: Explanation) -> dict[int, tuple[int | None, list[str]]]:
    return {
        each.member.account.id.int: (each.rank, [reason.code for reason in each.reasons])
        for each in explanation.verdicts
    }


def decided(request: RouteRequest, known: Known) -> Choice | NoCandidate:
    try:
        return choose(request, known, NOW)
    except NoCandidate as none:
        return none


def test_everybody_is_listed_with_rank_or_every_reason(known: Known) -> None:
    for _ in range(3):
        known.health.failed(UUID(int=2), STREAM, "x", NOW.monotonic)
    known.health.failed(UUID(int=1), STREAM, "x", NOW.monotonic)
    told(known).block(3, "usage_limited", NOW.wall + 600)
    paused = replace(member(4), account=account(4, state="paused", models=frozenset({"other"})))
    explanation = explain(asked(pool(*numbered(3), paused, member(5))), known, NOW)
    assert seen(explanation) == {
        5: (1, []),
        1: (2, ["demoted"]),
        2: (None, ["failing"]),
        3: (None, ["usage_limited"]),
        4: (None, ["paused", "model_not_offered"]),
    }
    by_number = {each.member.account.id.int: each for each in explanation.verdicts}
    assert by_number[3].reasons == (Obstacle("quota", "usage_limited", NOW.wall + 600),)
    assert by_number[2].reasons == (Obstacle("health", "failing", NOW.wall + 60),)
    assert (by_number[3].quota, by_number[1].quota, by_number[1].remaining) == ("blocked", "known_good", 0.5)
    assert explanation.affinity == Affinity("none")


@pytest.mark.parametrize(
    ("changes", "affinity"),
    [
        ({"owner": UUID(int=1)}, Affinity("owner", UUID(int=1))),
        ({"owner": UUID(int=2)}, Affinity("owner_passed_over", UUID(int=2), "usage_limited")),
        ({"owner": UUID(int=3)}, Affinity("owner_passed_over", UUID(int=3), "near_its_limit")),
        ({"owner": UUID(int=7)}, Affinity("owner_passed_over", UUID(int=7), "left_the_pool")),
        ({"pinned": UUID(int=3)}, Affinity("pinned", UUID(int=3))),
    ],
)
def test_it_says_what_became_of_the_session(changes: dict[str, Any], affinity: Affinity, known: Known) -> None:
    told(known).block(2, "usage_limited", NOW.wall + 600)
    told(known).tell(3, primary_used=97.0)
    assert explain(replace(asked(pool(*numbered(3))), **changes), known, NOW).affinity == affinity


def test_it_says_that_a_pool_does_not_keep_sessions_together(known: Known) -> None:
    loose = pool(*numbered(2), switches=Switches(sticky_http_sessions=False))
    affinity = explain(asked(loose, owner=UUID(int=1)), known, NOW).affinity
    assert affinity == Affinity("owner_passed_over", UUID(int=1), "sticky_sessions_off")


def test_a_dry_run_changes_nothing(known: Known) -> None:
    three = pool(*numbered(3), strategy="deterministic_rotation")
    for _ in range(3):
        assert next(iter(seen(explain(asked(three), known, NOW)))) == 1
    assert choose(asked(three), known, NOW).ranked[0].account.id.int == 1
    assert next(iter(seen(explain(asked(three), known, NOW)))) == 2


FACTS = st.fixed_dictionaries(
    {
        "priority": st.integers(0, 1),
        "enabled": st.booleans(),
        "paused": st.booleans(),
        "grade": st.integers(0, 3),
        "remaining": st.floats(0, 1),
        "used": st.sampled_from([None, 10.0, 90.0, 97.0]),
        "headroom": st.sampled_from([None, 80]),
        "failures": st.sampled_from([0, 0, 1, 3]),
        "held": st.integers(0, 2),
        "cap": st.sampled_from([None, None, 1]),
        "unproven": st.booleans(),
        "models": st.sampled_from([None, frozenset({MODEL}), frozenset({"other"})]),
    }
)


def staged(facts: list[dict[str, Any]], strategy: str, known: Known) -> RouteRequest:
    members = []
    for n, fact in enumerate(facts, 1):
        own = account(
            n,
            state="paused" if fact["paused"] else "active",
            models=fact["models"],
            max_concurrency=fact["cap"],
        )
        place = replace(member(n), account=own, enabled=fact["enabled"], priority=fact["priority"])
        members.append(replace(place, max_primary_percent=fact["headroom"]))
        told(known).tell(
            n,
            grade=fact["grade"],
            remaining=fact["remaining"],
            primary_used=fact["used"],
            reason="usage_limited" if fact["grade"] == BLOCKED else None,
            never_observed=fact["unproven"],
        )
        for _ in range(fact["failures"]):
            known.health.failed(UUID(int=n), STREAM, "x", NOW.monotonic)
        known.leases.running[n] = fact["held"]
    return asked(pool(*members, strategy=strategy, attempts=3))


@given(
    st.lists(FACTS, max_size=8),
    st.sampled_from(sorted(STRATEGIES)),
    st.sampled_from([None, 1, 2, 9]),
    st.sampled_from([None, None, None, 1, 3]),
    st.sampled_from([STREAM, "file_upload"]),
)
def test_the_explanation_and_the_choice_agree_always(
    facts: list[dict[str, Any]], strategy: str, owner: int | None, pinned: int | None, route_class: str
) -> None:
    known = knowing()
    request = replace(
        staged(facts, strategy, known),
        owner=UUID(int=owner) if owner else None,
        pinned=UUID(int=pinned) if pinned else None,
        route_class=route_class,
    )
    explanation = explain(request, known, NOW)
    outcome = decided(request, known)
    ranked = [each.member for each in explanation.verdicts if each.rank]
    ranks = [each.rank for each in explanation.verdicts]
    assert ranks == [*range(1, len(ranked) + 1), *[None] * (len(facts) - len(ranked))]
    assert all(each.rank or each.reasons for each in explanation.verdicts), "nobody is left out without a reason"
    assert ranked[:3] == (list(outcome.ranked) if isinstance(outcome, Choice) else [])
    firsts = [each.reasons[0].code for each in explanation.verdicts if not each.rank]
    if set(outcome.excluded) != {"model_not_offered"}:
        assert {code: firsts.count(code) for code in firsts} == outcome.excluded
    told_briefly, told_now = explanation.brief(), brief(request, outcome)
    assert {each["id"] for each in told_briefly["left_out"]} == {each["id"] for each in told_now["left_out"]}
    assert told_briefly["ranked"] == told_now["ranked"]


@pytest.mark.parametrize("label", ["x" * 200, "\U0001f642" * 200, "東京" * 100])
def test_a_log_row_holds_it_whatever_accounts_are_called(label: str, known: Known) -> None:
    members = [replace(each, account=replace(each.account, label=label)) for each in numbered(10)]
    for n in range(4, 11):
        told(known).block(n, "model_unavailable", 1_800_000_000.5)
    request = asked(pool(*members, strategy="deterministic_rotation"), owner=UUID(int=10))
    for told_briefly in (explain(request, known, NOW).brief(), brief(request, choose(request, known, NOW))):
        assert len(orjson.dumps(told_briefly)) <= 2048
        assert told_briefly["affinity"] == "owner_passed_over"
        assert len(told_briefly["ranked"]) + len(told_briefly["left_out"]) == 10


def test_of_a_large_pool_a_log_row_names_ten_and_counts_the_rest(known: Known) -> None:
    for n in range(1, 41):
        told(known).block(n, "usage_limited", NOW.wall + 60)
    told_briefly = explain(asked(pool(*numbered(60))), known, NOW).brief()
    assert [len(told_briefly["ranked"]), len(told_briefly["left_out"])] == [4, 6]
    assert told_briefly["more_left_out"] == 34
