"""What an operator does with an account beside its login: drain, notes, tags, its proxy, and many at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from codex_pooler.accounts.drain import drains_of, finish_drains
from codex_pooler.storage.database import Database
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import account_secrets, nodes

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless

MakeAuthJson = Callable[..., dict[str, Any]]


@pytest.fixture
async def account(owner: Browserless, pool: Any, make_auth_json: MakeAuthJson) -> Any:
    return (await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json()}))["account"]


async def node(database: Database, *, known: list[str] = (), busy: list[str] = (), age: int = 0) -> UUID:  # type: ignore[assignment]
    identity = uuid7()
    row = {"id": identity, "role": "web", "host": "h", "pid": 1, "version": "1"}
    drains = {"drains_known": [UUID(a) for a in known], "drains_busy": [UUID(a) for a in busy]}
    seen = sa.func.now() - sa.text(f"interval '{age} seconds'")
    async with database.session() as session:
        await session.execute(sa.insert(nodes).values(**row, **drains, seen_at=seen))
    return identity


async def status_of(owner: Browserless, account: Any) -> tuple[str, str | None]:
    seen = await owner.get(f"/upstreams/{account['id']}")
    return seen["status"], seen["status_reason"]


async def test_a_drained_account_is_paused_once_no_process_serves_it(
    owner: Browserless, account: Any, database: Database
) -> None:
    draining = await owner.post(f"/upstreams/{account['id']}/drain")
    assert (draining["status"], draining["drain"]) == ("draining", {"in_flight": 0})
    assert draining["readiness"]["state"] == "draining"
    busy = await node(database, known=[account["id"]], busy=[account["id"]])
    ignorant = await node(database)
    assert await finish_drains(database) == []
    async with database.session() as session:
        await session.execute(sa.update(nodes).where(nodes.c.id == busy).values(drains_busy=[]))
    assert await finish_drains(database) == []  # the other process may still give it turns
    async with database.session() as session:
        known = [UUID(account["id"])]
        await session.execute(sa.update(nodes).where(nodes.c.id == ignorant).values(drains_known=known))
    assert await finish_drains(database) == [UUID(account["id"])]
    assert await status_of(owner, account) == ("paused", "drained")
    (event,) = (await owner.get("/audit-logs?action=account.drained"))["items"]
    assert event["target"]["id"] == account["id"]


async def test_a_process_that_died_does_not_hold_a_drain_up(
    owner: Browserless, account: Any, database: Database
) -> None:
    await owner.post(f"/upstreams/{account['id']}/drain")
    await node(database, busy=[account["id"]], age=16)
    assert await finish_drains(database) == [UUID(account["id"])]


async def test_a_drain_is_called_off_or_cut_short(owner: Browserless, account: Any, database: Database) -> None:
    path = f"/upstreams/{account['id']}"
    await owner.post(f"{path}/drain")
    assert (await owner.call("POST", f"{path}/drain"))[1]["code"] == "invalid_state_transition"
    assert (await owner.post(f"{path}/reactivate"))["status"] == "active"
    await owner.post(f"{path}/drain")
    assert (await owner.post(f"{path}/pause"))["status"] == "paused"
    assert await finish_drains(database) == []


def test_a_process_says_which_drains_it_knows_and_which_it_still_serves() -> None:
    draining, active, gone = uuid4(), uuid4(), uuid4()
    known, busy = drains_of({draining: "draining", active: "active"}, [draining, active, gone])
    assert (known, busy) == ([draining], [draining, gone])


async def test_notes_and_tags_are_kept_and_only_the_change_is_told(owner: Browserless, account: Any) -> None:
    path = f"/upstreams/{account['id']}"
    patch = {"notes": "belongs to\nAnna", "tags": ["team b", "Team a", "team b"]}
    status, changed = await owner.call("PATCH", path, patch)
    assert (status, changed["notes"], changed["tags"]) == (200, "belongs to\nAnna", ["Team a", "team b"])
    (event, *_) = (await owner.get("/audit-logs?action=upstream_account.update"))["items"]
    assert [(change["field"], change["shown"]) for change in event["changes"]] == [("notes", False), ("tags", True)]
    assert "Anna" not in str(event)


async def test_a_proxy_is_sealed_and_shown_without_its_password(
    owner: Browserless, account: Any, database: Database, keyring: Keyring
) -> None:
    path, proxy = f"/upstreams/{account['id']}", "socks5h://anna:the-password@proxy.example.com:1080"
    status, changed = await owner.call("PATCH", path, {"egress_proxy": proxy})
    assert (status, changed["egress_proxy"]) == (200, "socks5h://***@proxy.example.com:1080")
    async with database.session() as session:
        row = await session.one(sa.select(account_secrets).where(account_secrets.c.kind == "egress"))
    assert b"the-password" not in bytes(row.sealed)
    assert keyring.upstream.open(bytes(row.sealed), f"account_secrets:{account['id']}:egress") == proxy.encode()
    for wrong in ("ftp://proxy.example.com:21", "socks5h://***@proxy.example.com:1080"):
        status, problem = await owner.call("PATCH", path, {"egress_proxy": wrong})
        assert (status, problem["errors"][0]["code"]) == (422, "invalid_egress_proxy")
    assert (await owner.call("PATCH", path, {"egress_proxy": None}))[1]["egress_proxy"] is None
    assert "the-password" not in str(await owner.get("/audit-logs"))


async def test_many_accounts_at_once_each_with_its_own_result(
    owner: Browserless, account: Any, pool: Any, make_auth_json: MakeAuthJson
) -> None:
    other = await owner.post("/upstreams/import", {"pool_id": pool["id"], "auth_json": make_auth_json("acct-2")})
    ids = [account["id"], other["account"]["id"], str(uuid4())]
    await owner.post(f"/upstreams/{ids[1]}/pause")
    answer = await owner.post("/upstreams/bulk", {"ids": ids, "action": "drain"})
    assert [(one["ok"], (one["problem"] or {}).get("code")) for one in answer["results"]] == [
        (True, None),
        (False, "invalid_state_transition"),
        (False, "not_found"),
    ]
    answer = await owner.post("/upstreams/bulk", {"ids": ids[:2], "action": "tag", "tags": ["night"]})
    assert all(one["ok"] for one in answer["results"])
    assert [seen["tags"] for seen in (await owner.get("/upstreams"))["items"]] == [["night"], ["night"]]
    actions = [event["action"] for event in (await owner.get("/audit-logs?target_type=upstream_account"))["items"]]
    assert actions[:3] == ["upstream_account.tag", "upstream_account.tag", "upstream_account.drain"]
