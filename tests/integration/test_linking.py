"""From the first click to the first request: accounts that come in by every way serve at once."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from codex_pooler.accounts.flow_view import opened
from codex_pooler.storage import queries_flows
from tests.integration.whole import Gateway


async def browse(gateway: Gateway, flow: Any, account: str) -> str:
    """Sign in; the address that the browser ends at."""
    async with gateway.http.get(f"{flow['authorize_url']}&auto_account={account}", allow_redirects=False) as answer:
        return str(answer.headers["location"])


async def by_browser(gateway: Gateway, account: str, **more: Any) -> Any:
    flow = await gateway.admin("POST", "/oauth-flows", {"kind": "browser", "pool_id": gateway.pool_id, **more})
    callback = {"callback_url": await browse(gateway, flow, account)}
    return await gateway.admin("POST", f"/oauth-flows/{flow['id']}/callback", callback)


async def by_device_code(gateway: Gateway, account: str, **more: Any) -> Any:
    gateway.world.settings.device_interval_s = 1
    flow = await gateway.admin("POST", "/oauth-flows", {"kind": "device", "pool_id": gateway.pool_id, **more})
    await gateway.control("POST", "/devices", {"user_code": flow["user_code"], "account": account})
    async with asyncio.timeout(60):
        while (seen := await gateway.admin("GET", f"/oauth-flows/{flow['id']}"))["state"] == "pending":
            await asyncio.sleep(0.1)
    return seen


async def by_access_token(gateway: Gateway, account: str, **more: Any) -> Any:
    token = gateway.world.accounts[account].personal_token
    body = {"pool_id": gateway.pool_id, "access_token": token, **more}
    return {"result": {"upstream_id": (await gateway.admin("POST", "/upstreams/import", body))["account"]["id"]}}


async def alone(gateway: Gateway, account_id: str) -> None:
    """Pause all others."""
    for item in (await gateway.admin("GET", "/upstreams"))["items"]:
        if item["id"] != account_id and item["status"] == "active":
            await gateway.admin("POST", f"/upstreams/{item['id']}/pause")


async def served_by(gateway: Gateway) -> str | None:
    """The account that a turn goes to now."""
    async with gateway.turn() as answer:
        assert answer.status == 200, await answer.text()
        assert b"response.completed" in await answer.read()
    turns = [one for one in gateway.world.record.arrivals if one.path == "/backend-api/codex/responses"]
    return turns[-1].account


@pytest.mark.parametrize("link", [by_browser, by_device_code, by_access_token])
async def test_an_account_serves_as_soon_as_it_is_linked(gateway: Gateway, link: Any) -> None:
    gateway.world.add_account("newcomer", "pro")
    done = await link(gateway, "newcomer")
    account_id = done["result"]["upstream_id"]
    await alone(gateway, account_id)
    assert await served_by(gateway) == "newcomer"
    shown = await gateway.admin("GET", f"/upstreams/{account_id}")
    assert (shown["status"], shown["readiness"]["state"]) == ("active", "ready")
    async with asyncio.timeout(60):
        while not (await gateway.admin("GET", f"/upstreams/{account_id}"))["windows"]:
            await asyncio.sleep(0.1)  # its usage is asked for without anybody's doing


async def test_a_refused_access_token_leaves_at_once_and_a_relink_brings_the_account_back(gateway: Gateway) -> None:
    gateway.world.add_account("newcomer", "pro")
    account_id = (await by_access_token(gateway, "newcomer", label="CI"))["result"]["upstream_id"]
    await gateway.admin("PATCH", f"/pools/{gateway.pool_id}/assignments/{account_id}", {"priority": 9})
    assert await served_by(gateway) == "newcomer"
    await gateway.control("POST", "/accounts/newcomer", {"logged_out": True})
    assert await served_by(gateway) == "acct-1", "the client notices nothing"
    shown = await gateway.admin("GET", f"/upstreams/{account_id}")
    assert (shown["status"], shown["status_reason"]) == ("reauth_required", "access_token_refused")
    assert not [one for one in gateway.world.record.arrivals if one.path == "/oauth/token"]
    await gateway.control("POST", "/accounts/newcomer", {"logged_out": False})
    done = await by_browser(gateway, "newcomer", upstream_id=account_id)
    assert done["result"] == {"upstream_id": account_id, "created": False}
    shown = await gateway.admin("GET", f"/upstreams/{account_id}")
    assert (shown["label"], shown["status"], shown["credential"]["kind"]) == ("CI", "active", "oauth")
    assert await served_by(gateway) == "newcomer", "with the priority it had"


async def test_scenario_35_a_renewal_that_races_with_a_relink_is_discarded(gateway: Gateway) -> None:
    (account_id,) = [a["id"] for a in (await gateway.admin("GET", "/upstreams"))["items"] if a["label"] == "acct-1"]
    await gateway.fault("acct-1", {"kind": "delay", "delay_ms": 4_000, "after_headers": False}, route="token")  # type: ignore[arg-type]
    refresher = gateway.process.house.refresher
    assert refresher
    renewal = asyncio.create_task(refresher.renew_now(UUID(account_id)))
    while not [one for one in gateway.world.record.arrivals if one.path == "/oauth/token"]:
        await asyncio.sleep(0.01)
    done = await by_browser(gateway, "acct-1", upstream_id=account_id)
    assert done["state"] == "completed"
    linked = token_of(gateway)
    assert (await renewal).outcome == "already_newer"
    assert token_of(gateway) == linked
    assert await served_by(gateway) == "acct-1"
    assert gateway.world.record.reused_refresh_tokens == []


def token_of(gateway: Gateway) -> str:
    members = gateway.process.house.snapshot.current.pools[UUID(gateway.pool_id)].members
    return next(member.account.access_token for member in members if member.account.label == "acct-1")


async def test_scenario_38_no_secret_of_a_sign_in_reaches_the_log_or_an_answer(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    context, said = gateway.process.context, []
    secrets: list[str] = []
    headers = {"Authorization": f"Bearer {gateway.token}"}
    for kind in ("browser", "device"):
        flow = await gateway.admin("POST", "/oauth-flows", {"kind": kind, "pool_id": gateway.pool_id})
        async with context.database.session() as session:
            row = await session.one(queries_flows.ONE, flow_id=UUID(flow["id"]))
        kept = opened(context.keyring.upstream, row)
        assert kept
        secrets += filter(None, (kept.verifier, kept.device_auth_id))
        callback = await browse(gateway, flow, "acct-1") if kind == "browser" else f"{ORIGIN}?code=a-code&state=a-state"
        secrets += [callback.partition("code=")[2].partition("&")[0], callback]
        for url in (callback.replace("1455", "1456"), f"{callback}&code=x", callback, callback):
            path = f"{gateway.origin}/api/admin/v1/oauth-flows/{flow['id']}/callback"
            async with gateway.http.post(path, json={"callback_url": url}, headers=headers) as answer:
                said.append(await answer.text())
        said.append(str(await gateway.admin("GET", "/audit-logs")))
    tokens = [token_of(gateway), gateway.world.accounts["acct-1"].personal_token]
    said.append(caplog.text)
    assert [secret[:16] for secret in (*secrets, *tokens) for text in said if secret in text] == []


ORIGIN = "http://localhost:1455/auth/callback"


async def test_a_dead_proxy_stops_a_sign_in_before_anything_is_sent(gateway: Gateway) -> None:
    body = {"kind": "device", "pool_id": gateway.pool_id, "egress_proxy": "socks5://127.0.0.1:9"}
    with pytest.raises(AssertionError, match="egress_proxy_failed"):
        await gateway.admin("POST", "/oauth-flows", body)
    assert [one for one in gateway.world.record.arrivals if "deviceauth" in one.path] == []
