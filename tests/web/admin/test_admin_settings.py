"""Instance settings over the admin API: read, described, changed, refused, and the firewall tried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from codex_pooler.snapshot.settings import DEFAULTS, GROUPS, secret_place, settings_of
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import instance_settings
from codex_pooler.storage.vault import SecretError
from codex_pooler.web.admin.live import Broadcaster

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, MakeScript


async def patch(owner: Browserless, group: str, **values: Any) -> Any:
    status, body = await owner.call("PATCH", f"/settings/{group}", {"values": values})
    assert status == 200, body
    return body


async def refused(owner: Browserless, group: str, values: Any) -> dict[str, str]:
    status, body = await owner.call("PATCH", f"/settings/{group}", {"values": values})
    assert (status, body["code"]) == (422, "validation_failed"), body
    return {error["pointer"]: error["message"] for error in body["errors"]}


async def stored(database: Database) -> dict[str, Any]:
    async with database.session() as session:
        rows = await session.fetch(sa.select(instance_settings))
    return {row.name: row.value for row in rows}


async def store(database: Database, group: str, value: Any) -> None:
    async with database.session() as session:
        await session.execute(sa.insert(instance_settings).values(name=group, value=value))


async def test_untouched_settings_are_the_defaults(owner: Browserless, database: Database) -> None:
    groups = await owner.get("/settings")
    assert list(groups) == list(GROUPS)
    for name, group in groups.items():
        assert (group["version"], group["updated_at"], group["changed"], group["warnings"]) == (1, None, [], [])
        assert group == await owner.get(f"/settings/{name}")
    gateway = groups["gateway"]["values"]
    assert gateway["bulkheads"]["proxy_stream"] == {
        "max_concurrency": 256,
        "queue_limit": 1024,
        "queue_timeout_ms": 10_000,
    }
    assert gateway["upstream_receive_timeout_ms"] == 300_000
    assert groups["ingress"]["values"]["firewall_allowlist"] == []
    assert await stored(database) == {}


async def test_only_what_deviates_is_kept(owner: Browserless, database: Database) -> None:
    changed = await patch(
        owner,
        "gateway",
        sse_keepalive_interval_ms=15_000,
        circuit_open_seconds=60,
        model_context_window_overrides={"gpt-5.5": 400_000, "gpt-5": 1},
        bulkheads={"images": {"max_concurrency": 2}},
    )
    assert changed["version"] == 2
    assert changed["updated_at"].endswith("Z")
    assert changed["changed"] == [
        "sse_keepalive_interval_ms",
        "model_context_window_overrides",
        "bulkheads.images.max_concurrency",
    ]
    assert (await stored(database))["gateway"] == {
        "sse_keepalive_interval_ms": 15_000,
        "model_context_window_overrides": {"gpt-5.5": 400_000, "gpt-5": 1},
        "bulkheads": {"images": {"max_concurrency": 2}},
    }
    held = settings_of(await stored(database)).gateway
    assert held.bulkheads.images.max_concurrency == 2
    assert held.bulkheads.images.queue_limit == DEFAULTS.gateway.bulkheads.images.queue_limit
    back = await patch(
        owner, "gateway", sse_keepalive_interval_ms=None, model_context_window_overrides={"gpt-5": None}, bulkheads=None
    )
    assert back["changed"] == ["model_context_window_overrides"]
    assert (await stored(database))["gateway"] == {"model_context_window_overrides": {"gpt-5.5": 400_000}}


async def test_an_edit_of_something_older_is_refused(owner: Browserless) -> None:
    values = {"values": {"request_logs_days": 30}}
    headers = {"If-Match": '"1"'}
    assert (await owner.call("PATCH", "/settings/retention", values, headers=headers))[0] == 200
    status, problem = await owner.call("PATCH", "/settings/retention", values, headers=headers)
    assert (status, problem["code"]) == (412, "version_conflict")
    assert (await owner.get("/settings/retention"))["version"] == 2


MISTAKES: list[tuple[str, Any, str]] = [
    ("gateway", {"sse_keepalive_interval_ms": -1}, "/values/sse_keepalive_interval_ms"),
    ("gateway", {"sse_keepalive_interval_ms": "10"}, "/values/sse_keepalive_interval_ms"),
    ("gateway", {"sse_keepalive_interval_ms": True}, "/values/sse_keepalive_interval_ms"),
    ("gateway", {"sse_keepalive_interval_ms": 1.0}, "/values/sse_keepalive_interval_ms"),
    ("gateway", {"nothing": 1}, "/values/nothing"),
    ("gateway", {"bulkheads": {"images": {"max_concurrency": 0}}}, "/values/bulkheads/images/max_concurrency"),
    ("gateway", {"bulkheads": {"nothing": {}}}, "/values/bulkheads/nothing"),
    ("gateway", {"bulkheads": 5}, "/values/bulkheads"),
    ("gateway", {"client_version": "1\r\nx: y"}, "/values/client_version"),
    ("gateway", {"model_context_window_overrides": {"gpt": 0}}, "/values/model_context_window_overrides"),
    ("gateway", {"model_context_window_overrides": {"": 5}}, "/values/model_context_window_overrides"),
    ("ingress", {"firewall_allowlist": ["10.0.0.1/8"]}, "/values/firewall_allowlist"),
    ("ingress", {"firewall_allowlist": "10.0.0.0/8"}, "/values/firewall_allowlist"),
    ("ingress", {"trusted_proxies": [None]}, "/values/trusted_proxies"),
    ("ingress", {"forwarded_client_ip_source": "cookie"}, "/values/forwarded_client_ip_source"),
    ("ingress", {"decompression_algorithms": ["gzip", "lzma"]}, "/values/decompression_algorithms"),
    ("ingress", {"forwarded_client_ip_source": "peer", "forwarded_proxy_depth": 1}, "/values/forwarded_proxy_depth"),
    ("catalog", {"openai_pricing_url": "file:///etc/passwd"}, "/values/openai_pricing_url"),
    ("catalog", {"openai_pricing_url": "https://user:secret@example.com/"}, "/values/openai_pricing_url"),
    ("privacy", {"store_client_ip": 1}, "/values/store_client_ip"),
    ("smtp", {"enabled": True}, "/values/host"),
    ("smtp", {"host": "mail.example.com\r\nX: y"}, "/values/host"),
    ("smtp", {"from_address": "Ada <ada@example.com>"}, "/values/from_address"),
    ("smtp", {"username": "ada"}, "/values/password"),
    ("smtp", {"password": "secret-of-the-test"}, "/values/username"),
    ("smtp", {"username": "ada", "password": ""}, "/values/password"),
    ("smtp", {"username": "ada", "password": {"is_set": True}}, "/values/password"),
    ("smtp", {"username": "ada", "password": "two\nlines"}, "/values/password"),
]


@pytest.mark.parametrize(("group", "values", "pointer"), MISTAKES)
async def test_a_mistake_is_told_at_its_field(owner: Browserless, group: str, values: Any, pointer: str) -> None:
    assert list(await refused(owner, group, values)) == [pointer]
    assert (await owner.get(f"/settings/{group}"))["version"] == 1


async def test_the_message_says_what_would_be_right(owner: Browserless) -> None:
    told = await refused(
        owner, "ingress", {"firewall_allowlist": ["10.0.0.0/8", "10.0.0.1/8"], "max_decompression_ratio": 0}
    )
    assert told == {
        "/values/firewall_allowlist": "10.0.0.1/8 is no address or network, such as 10.0.0.0/8 or 2001:db8::/32.",
        "/values/max_decompression_ratio": "Use a whole number from 1 to 10000.",
    }


async def test_a_broken_stored_firewall_stays_closed_until_it_is_mended(owner: Browserless, database: Database) -> None:
    await store(database, "ingress", {"firewall_allowlist": ["10.0.0.0/8", "oops"], "forwarded_proxy_depth": 99})
    seen = await owner.get("/settings/ingress")
    assert seen["values"]["firewall_allowlist"] is None
    assert [warning["pointer"] for warning in seen["warnings"]] == [
        "/values/firewall_allowlist",
        "/values/forwarded_proxy_depth",
    ]
    other = await patch(owner, "ingress", max_decompression_ratio=100)
    assert other["values"]["firewall_allowlist"] is None
    assert settings_of(await stored(database)).ingress.firewall_allowlist is None, "an unrelated change opens nothing"
    assert (await owner.post("/settings/firewall/check", {"ip": "10.1.1.1"}))["reason"] == "invalid_allowlist_rules"
    mended = await patch(owner, "ingress", firewall_allowlist=["10.0.0.0/8"])
    assert mended["warnings"] == []
    assert (await owner.post("/settings/firewall/check", {"ip": "10.1.1.1"}))["allowed"]


async def test_a_client_can_be_tried_before_and_after_saving(owner: Browserless) -> None:
    async def check(**body: Any) -> tuple[Any, ...]:
        found = await owner.post("/settings/firewall/check", body)
        return found["resolved_ip"], found["allowed"], found["reason"], found["inspected_hops"]

    forwarded = {"x-forwarded-for": "198.51.100.9, 203.0.113.7"}
    planned = {"firewall_allowlist": ["203.0.113.0/24"], "trusted_proxies": ["10.0.0.1"]}
    assert await check(ip="10.0.0.1", headers=forwarded) == ("10.0.0.1", True, None, 0)
    assert await check(ip="10.0.0.1", headers=forwarded, values=planned) == ("203.0.113.7", True, None, 1)
    assert await check(ip="10.0.0.1", values=planned) == (None, False, "forwarded_header_missing", 0)
    await patch(owner, "ingress", **planned)
    assert await check(ip="203.0.114.7") == ("203.0.114.7", False, "not_allowed", 0)
    assert await check(ip="nonsense") == (None, False, "forwarded_chain_unresolved", 0)
    status, problem = await owner.call(
        "POST", "/settings/firewall/check", {"ip": "x", "values": {"trusted_proxies": [1]}}
    )
    assert (status, problem["errors"][0]["pointer"]) == (422, "/values/trusted_proxies")


async def test_settings_are_the_owners_business(make_script: MakeScript) -> None:
    for role in ("instance_admin", "instance_viewer"):
        other = await make_script(role)
        for method, path, body in (
            ("GET", "/settings", None),
            ("GET", "/settings/schema", None),
            ("GET", "/settings/ingress", None),
            ("PATCH", "/settings/ingress", {"values": {}}),
            ("POST", "/settings/firewall/check", {"ip": "10.0.0.1"}),
        ):
            assert (await other.call(method, path, body))[0] == 403, (role, path)


async def test_the_schema_describes_every_value(owner: Browserless) -> None:
    values = await owner.get("/settings")
    for group in (await owner.get("/settings/schema"))["groups"]:
        keys = set()
        for field in group["fields"]:
            held: Any = values[group["name"]]["values"]
            for part in field["key"].split("."):
                held = held[part]
            keys.add(field["key"])
            assert held == field["default"], field
            assert field["title"]
            assert field["help"]
            assert (field["min"] is None) == (field["type"] not in ("integer", "numbers"))
        assert keys == set(flat(values[group["name"]]["values"]))
        assert all(any(key.startswith(f"{section['key']}.") for key in keys) for section in group["sections"])


def flat(values: dict[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, value in values.items():
        nested = isinstance(value, dict) and name not in ("model_context_window_overrides", "password")
        found += flat(value, f"{prefix}{name}.") if nested else [prefix + name]
    return found


async def test_a_change_is_announced(owner: Browserless, broadcaster: Broadcaster) -> None:
    with broadcaster.watch() as queue:
        await patch(owner, "privacy", store_client_ip=False)
        change = queue.get_nowait()
    assert change is not None
    assert (change.topic, change.kind) == ("settings", "updated")


async def test_a_secret_is_kept_sealed_and_shown_to_nobody(
    owner: Browserless, database: Database, keyring: Keyring
) -> None:
    changed = await patch(owner, "smtp", username="ada", password="secret-of-the-test")
    assert changed["values"]["password"] == {"is_set": True}
    assert changed["changed"] == ["username", "password"]
    kept = (await stored(database))["smtp"]
    assert "secret-of-the-test" not in str(kept)
    held = settings_of({"smtp": kept}).smtp.password
    assert keyring.settings.open(held.sealed, secret_place("smtp", "password")) == b"secret-of-the-test"
    assert "sealed" not in repr(held)
    with pytest.raises(SecretError):
        keyring.settings.open(held.sealed, secret_place("other", "password"))


async def test_a_secret_stays_until_it_is_replaced_or_taken_away(owner: Browserless, database: Database) -> None:
    await patch(owner, "smtp", username="ada", password="the-first")
    before = (await stored(database))["smtp"]["password"]
    assert (await patch(owner, "smtp", port=465))["values"]["password"] == {"is_set": True}
    assert (await stored(database))["smtp"]["password"] == before
    await patch(owner, "smtp", password="the-second")
    assert (await stored(database))["smtp"]["password"] != before
    gone = await patch(owner, "smtp", password=None, username=None)
    assert gone["values"]["password"] == {"is_set": False}
    assert (await stored(database))["smtp"] == {"port": 465}
