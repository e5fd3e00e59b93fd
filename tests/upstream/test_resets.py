"""What the backend says of saved resets is read with care, and doubt is never taken for an answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest

from codex_pooler.snapshot.model import Account
from codex_pooler.upstream.backend import Backend, Reply, Unreachable
from codex_pooler.upstream.resets import (
    CONSUME_PATH,
    LIST_PATH,
    ResetsClient,
    ResetsUnavailable,
    SavedReset,
    Spent,
    Unanswered,
)

ACCOUNT = Account(UUID(int=1), "one", "active", "acct", "token")
REQUEST = UUID(int=9)
HTML = b"<!DOCTYPE html><html>Just a moment...</html>"


@dataclass
class Answering:
    """A backend that gives one answer."""

    status: int = 200
    body: bytes = b""
    failure: Unreachable | None = None
    asked: list[tuple[str, str, Any]] = field(default_factory=list)

    async def request(self, account: Any, method: str, path: str, *, json: Any = None, **bounds: Any) -> Reply:
        self.asked.append((method, path, json))
        assert bounds == {"timeout_seconds": 15.0, "most_bytes": 1 << 20}
        if self.failure:
            raise self.failure
        return Reply(self.status, {}, self.body)


def client(backend: Answering) -> ResetsClient:
    return ResetsClient(cast(Backend, backend))


def says(told: Any, status: int = 200) -> Answering:
    return Answering(status, json.dumps(told).encode())


async def test_the_list_is_read() -> None:
    backend = says(
        {
            "available_count": 2,
            "credits": [
                {"id": "c1", "status": "available", "granted_at": 1_795_000_000, "expires_at": "2026-12-01T00:00:00Z"},
                {"id": "c2", "status": "redeemed", "granted_at": 1_795_000_000_000, "expires_at": None, "more": 1},
            ],
        }
    )
    listing = await client(backend).read(ACCOUNT)
    granted = datetime.fromtimestamp(1_795_000_000, UTC)
    assert listing.available == 2
    assert listing.resets == (
        SavedReset("c1", "available", granted, datetime(2026, 12, 1, tzinfo=UTC)),
        SavedReset("c2", "redeemed", granted, None),
    )
    assert backend.asked == [("GET", LIST_PATH, None)]


@pytest.mark.parametrize(
    ("told", "available", "ids"),
    [
        ({}, 0, []),
        ({"available_count": True, "credits": "many"}, 0, []),
        ({"available_count": 1}, 1, []),
        ({"available_count": -1, "credits": [{"id": "c1", "status": "available"}]}, 1, ["c1"]),
        ({"credits": [None, 1, {}, {"id": 7}, {"id": ""}, {"id": "a\u0000b"}, {"id": "x" * 201}]}, 0, []),
        ({"credits": [{"id": "c1", "status": 1, "expires_at": "soon", "granted_at": 1e300}]}, 0, ["c1"]),
        ({"credits": [{"id": f"c{n}", "status": "available"} for n in range(500)]}, 200, [f"c{n}" for n in range(200)]),
    ],
)
async def test_what_is_odd_in_a_list_is_left_out(told: Any, available: int, ids: list[str]) -> None:
    listing = await client(says(told)).read(ACCOUNT)
    assert listing.available == available
    assert [one.id for one in listing.resets] == ids


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        (says({"detail": "Unauthorized"}, 401), "status_401"),
        (says([1]), "status_200"),
        (Answering(403, HTML), "challenge"),
        (Answering(502, HTML), "status_502"),
        (Answering(failure=Unreachable("egress_proxy_failed")), "egress_proxy_failed"),
    ],
)
async def test_without_a_list_nothing_is_made_up(backend: Answering, reason: str) -> None:
    with pytest.raises(ResetsUnavailable) as told:
        await client(backend).read(ACCOUNT)
    assert told.value.reason == reason


@pytest.mark.parametrize(
    ("backend", "spent"),
    [
        (says({"code": "reset", "windows_reset": 2}), Spent("reset", True, 2)),
        (says({"code": "already_redeemed", "windows_reset": 0}), Spent("already_redeemed", True, 0)),
        (says({"code": "no_credit"}), Spent("no_credit", False)),
        (says({"code": "nothing_to_reset", "windows_reset": "x"}), Spent("nothing_to_reset", False)),
        (says({"detail": "Unauthorized"}, 401), Spent("status_401", False)),
        (says({"detail": "Not Found"}, 404), Spent("status_404", False)),
        (Answering(failure=Unreachable("connect")), Spent("connect", False)),
    ],
)
async def test_an_answer_is_taken_at_its_word(backend: Answering, spent: Spent) -> None:
    answer = await client(backend).spend(ACCOUNT, "c1", REQUEST)
    assert (answer.code, answer.applied, answer.windows_reset) == (spent.code, spent.applied, spent.windows_reset)
    assert backend.asked == [("POST", CONSUME_PATH, {"redeem_request_id": str(REQUEST), "credit_id": "c1"})]


@pytest.mark.parametrize(
    "backend",
    [
        says({"code": "done"}),
        says({}),
        says({"code": "reset"}, 202),
        says({"detail": "slow down"}, 429),
        says({"error": {}}, 500),
        Answering(200, HTML),
        Answering(403, HTML),
        Answering(502, b""),
        Answering(failure=Unreachable("timeout", sent=True)),
        Answering(failure=Unreachable("reset", sent=True)),
    ],
)
async def test_anything_else_leaves_open_whether_it_was_spent(backend: Answering) -> None:
    with pytest.raises(Unanswered):
        await client(backend).spend(ACCOUNT, "c1", REQUEST)
