"""Accounts that describe a model differently give one description that is true on each of them."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from codex_pooler.snapshot.catalog import Catalog, Divergence, described, merge
from codex_pooler.snapshot.model import Account, Key, Member, Policy, Pool, Snapshot
from codex_pooler.snapshot.shelf import Shelf


def entry(slug: str = "gpt-6-sol", **members: Any) -> dict[str, Any]:
    return {"slug": slug, "display_name": slug, "context_window": 272_000} | members


def efforts(*names: str) -> list[dict[str, str]]:
    return [{"effort": name, "description": f"thinks {name}"} for name in names]


def cut(mode: str, limit: int) -> dict[str, Any]:
    return {"mode": mode, "limit": limit}


def catalog_of(*sheets: dict[str, Any] | list[Any], counts: tuple[int, ...] = ()) -> Catalog:
    """The merged catalogue of accounts with one entry, or several, each; the first is most people's."""
    listed = [sheet if isinstance(sheet, list) else [sheet] for sheet in sheets]
    weighted = zip(listed, counts or range(len(sheets) + 1, 1, -1), strict=True)
    return merge([({one["slug"]: described(one) for one in sheet}, count) for sheet, count in weighted], {})


def shown(catalog: Catalog) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = orjson.loads(catalog.listing().body)["models"]
    return models


MERGED = [
    # member, what the accounts say (the first is what most say), what the pool says
    ("context_window", (272_000, 500_000), 272_000),
    ("context_window", (500_000, 272_000, 400_000), 272_000),
    ("max_context_window", (872_000, 272_000), 272_000),
    ("auto_compact_token_limit", (None, 200_000), 200_000),
    ("auto_compact_token_limit", (200_000, None), 200_000),
    ("effective_context_window_percent", (95, 90), 90),
    ("supported_reasoning_levels", (efforts("low", "high", "max"), efforts("high", "low")), efforts("low", "high")),
    ("supported_reasoning_levels", (efforts("low"), efforts("max")), []),
    ("service_tiers", ([{"id": "priority", "name": "Fast"}], []), []),
    ("service_tiers", ([{"id": "priority", "name": "Fast"}], [{"id": "priority", "name": "F"}]), [
        {"id": "priority", "name": "Fast"}
    ]),
    ("additional_speed_tiers", (["fast", "faster"], ["fast"]), ["fast"]),
    ("input_modalities", (["text", "image"], ["text"]), ["text"]),
    ("experimental_supported_tools", ([], ["clock"]), []),
    ("supports_search_tool", (True, False), False),
    ("support_verbosity", (True, True, False), False),
    ("supported_in_api", (False, True), False),
    ("truncation_policy", (cut("tokens", 10), cut("tokens", 5)), cut("tokens", 5)),
    ("truncation_policy", (cut("tokens", 10), cut("bytes", 5)), cut("tokens", 10)),
    ("base_instructions", ("You are Codex", "You are somebody"), "You are Codex"),
    ("visibility", ("list", "hide"), "list"),
    ("use_responses_lite", (True, False), True),
]  # fmt: skip


@pytest.mark.parametrize(("member", "said", "merged"), MERGED)
def test_a_member_that_accounts_disagree_on(member: str, said: tuple[Any, ...], merged: Any) -> None:
    catalog = catalog_of(*(entry(**{member: value}) for value in said))
    assert shown(catalog)[0][member] == merged
    assert catalog.divergences[0].members == (member,)


def test_a_member_that_only_some_have() -> None:
    catalog = catalog_of(entry(service_tiers=[{"id": "priority"}]), entry())
    assert shown(catalog)[0]["service_tiers"] == []
    assert "service_tiers" not in shown(catalog_of(entry(), entry(service_tiers=[{"id": "priority"}])))[0]


@pytest.mark.parametrize(
    ("default", "left", "then"),
    [("high", ("low", "medium"), "medium"), ("low", ("medium", "high"), "medium"), ("low", (), None)],
)
def test_a_default_that_is_not_offered_any_more_is_replaced(default: str, left: tuple[str, ...], then: str) -> None:
    first = entry(default_reasoning_level=default, supported_reasoning_levels=efforts("low", "medium", "high"))
    catalog = catalog_of(first, first | {"supported_reasoning_levels": efforts(*left)})
    assert shown(catalog)[0]["default_reasoning_level"] == then


def test_a_service_tier_that_some_lack_is_nobodys_default() -> None:
    first = entry(default_service_tier="priority", service_tiers=[{"id": "priority"}])
    assert shown(catalog_of(first, entry(service_tiers=[])))[0]["default_service_tier"] is None


def test_the_description_of_most_accounts_is_the_base() -> None:
    one, other = entry(description="one"), entry(description="other")
    assert shown(catalog_of(one, other, counts=(1, 3)))[0]["description"] == "other"
    assert shown(catalog_of(one, other, counts=(3, 1)))[0]["description"] == "one"
    tied = {catalog_of(*pair, counts=(1, 1)).listing().etag for pair in ((one, other), (other, one))}
    assert len(tied) == 1


def test_the_list_is_a_union_sorted_by_slug_and_says_who_lacks_what() -> None:
    catalog = catalog_of([entry("gpt-6-sol"), entry("gpt-5.5")], [entry("gpt-5.5"), entry("gpt-6-luna")], counts=(2, 1))
    assert [model["slug"] for model in shown(catalog)] == ["gpt-5.5", "gpt-6-luna", "gpt-6-sol"]
    assert catalog.divergences == (
        Divergence("gpt-6-luna", (), 1, 1, 3),
        Divergence("gpt-6-sol", (), 1, 2, 3),
    )


def test_the_etag_depends_on_what_is_listed_and_on_nothing_else() -> None:
    sheet = [entry(f"gpt-{number}", order=number) for number in range(8)]
    etags = set()
    for _ in range(5):
        random.shuffle(sheet)
        etags.add(catalog_of([dict(random.sample(sorted(one.items()), len(one))) for one in sheet]).listing().etag)
    (etag,) = etags
    assert etag.startswith('W/"cp-models-v1-')
    assert len(etag) == len('W/"cp-models-v1-"') + 64
    assert catalog_of([*sheet, entry("gpt-9")]).listing().etag != etag


def test_a_key_is_shown_what_it_may_use() -> None:
    catalog = catalog_of([entry("a"), entry("b"), entry("c")])
    slugs = {
        name: [model.slug for model in catalog.listing(*policy).models]
        for name, policy in {
            "all": (None, None),
            "allowed": (frozenset({"a", "C", "z"}), None),
            "none": (frozenset(), None),
            "enforced": (frozenset({"a"}), "b"),
        }.items()
    }
    assert slugs == {"all": ["a", "b", "c"], "allowed": ["a", "c"], "none": [], "enforced": ["b"]}
    assert len({catalog.listing(frozenset(names)).etag for names in ("", "a", "ab", "abc")}) == 4
    assert catalog.listing(frozenset("a")) is catalog.listing(frozenset("a"))


def test_an_operators_context_window_replaces_what_is_listed() -> None:
    sheet = {"gpt-6-sol": described(entry(max_context_window=872_000))}
    catalog = merge([(sheet, 1)], {"gpt-6-sol": 100_000, "other": 5})
    assert (shown(catalog)[0]["context_window"], shown(catalog)[0]["max_context_window"]) == (100_000, 100_000)


# -- from rows to pools


def offer(account: Account, *slugs: str) -> SimpleNamespace:
    return SimpleNamespace(account_id=account.id, slugs=list(slugs), digest="+".join(slugs))


def entries(*slugs: str) -> SimpleNamespace:
    return SimpleNamespace(digest="+".join(slugs), entries=orjson.dumps([entry(slug) for slug in slugs]))


def account(number: int, state: str = "active") -> Account:
    return Account(UUID(int=number), str(number), state, f"acc-{number}", "token")


def pool(*accounts: Account, **members: Any) -> Pool:
    return Pool(uuid4(), "Team", "active", "fill_first", 3, tuple(Member(each, **members) for each in accounts))


A, B, RESTING = account(1), account(2), account(3, "paused")


def slugs_of(catalog: Catalog) -> list[str]:
    return [model.slug for model in catalog.models]


def test_a_pool_lists_what_its_usable_accounts_offer() -> None:
    shelf = Shelf()
    assert shelf.take([offer(A, "a"), offer(B, "a", "b"), offer(RESTING, "c")]) == ["a", "a+b", "c"]
    shelf.put([entries("a"), entries("a", "b"), entries("c")])
    pools = {
        "both": (pool(A, B, RESTING), ["a", "b"]),
        "one": (pool(A), ["a"]),
        "only resting": (pool(RESTING), ["c"]),
        "switched off": (pool(A, enabled=False), ["a"]),
        "nothing known": (pool(account(9)), ["a", "b", "c"]),
        "empty": (pool(), ["a", "b", "c"]),
    }
    made = shelf.catalogs([each for each, _ in pools.values()], {})
    assert {name: slugs_of(made[each.id]) for name, (each, _) in pools.items()} == {
        name: slugs for name, (_, slugs) in pools.items()
    }
    assert shelf.offered(B.id) == frozenset({"a", "b"})
    assert shelf.offered(account(9).id) is None


def test_catalogues_are_merged_anew_only_when_something_changed() -> None:
    shelf, team = Shelf(), pool(A, B)
    shelf.take([offer(A, "a")])
    shelf.put([entries("a")])
    first = shelf.catalogs([team], {})[team.id]
    assert shelf.take([offer(A, "a")]) == []
    assert shelf.catalogs([team], {})[team.id] is first
    assert shelf.catalogs([team], {"a": 5})[team.id] != first
    assert shelf.take([offer(B, "b")]) == ["b"]
    shelf.put([entries("b")])
    assert slugs_of(shelf.catalogs([team], {})[team.id]) == ["b"]
    assert shelf.take([]) == []
    assert slugs_of(shelf.catalogs([team], {})[team.id]) == []


def test_a_snapshot_without_catalogues_lists_nothing() -> None:
    team = pool(A)
    listing = Snapshot().listing(Key(uuid4(), "k", team, "active", policy=Policy(allowed_models=frozenset({"a"}))))
    assert (listing.models, listing.body) == ((), b'{"models":[]}')
