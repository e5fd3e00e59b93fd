"""Builds the snapshot from PostgreSQL, and holds the newest one."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from datetime import datetime
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any
from uuid import UUID

from codex_pooler.quota.resets import policy_of
from codex_pooler.snapshot.model import UNREADABLE, Account, Alias, Key, Limit, Member, Policy, Pool, Snapshot, Switches
from codex_pooler.snapshot.opened import Opened
from codex_pooler.snapshot.settings import settings_of
from codex_pooler.snapshot.shelf import Shelf
from codex_pooler.snapshot.successor import changed_accounts, new_logins
from codex_pooler.storage import queries_catalog
from codex_pooler.storage import queries_snapshot as queries
from codex_pooler.storage.database import UNAVAILABLE, Database
from codex_pooler.storage.vault import SecretBox

log = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0
SWITCH_NAMES = frozenset(field.name for field in fields(Switches))


class SnapshotHolder:
    """``current`` is what turns are decided on; it survives the database.

    ``doubted`` are pools that were asked for a model which none of their accounts' catalogues lists: perhaps it is new.
    """

    def __init__(self, database: Database, box: SecretBox) -> None:
        self.current = Snapshot()
        self.doubted: set[UUID] = set()
        self._database, self._opened, self._shelf = database, Opened(box), Shelf()
        self._loading = asyncio.Lock()
        self.on_new_login: Callable[[UUID], None] = lambda account_id: None  # told of each that has another token
        self.on_changed: Callable[[Mapping[UUID, Collection[UUID]]], None] = lambda pools_of: None  # see AccountNews

    async def refresh(self) -> None:
        """Read the configuration again.  Raises what the database raises; ``current`` then stays as it was."""
        async with self._loading, self._database.session() as session:
            pools = await session.fetch(queries.POOLS)
            members = await session.fetch(queries.MEMBERS)
            accounts = await session.fetch(queries.ACCOUNTS)
            keys = await session.fetch(queries.KEYS)
            settings = await session.fetch(queries.SETTINGS)
            if wanted := self._shelf.take(await session.fetch(queries_catalog.OFFERS)):
                self._shelf.put(await session.fetch(queries_catalog.ENTRIES, digests=wanted))
            before, after = self.current, build(pools, members, accounts, keys, settings, self._shelf, self._opened)
            self.current = after
        for account_id in new_logins(before, after):
            self.on_new_login(account_id)
        if changed := changed_accounts(before, after):
            self.on_changed(changed)

    async def refresh_quietly(self) -> None:
        """As ``refresh``; with the database away the last snapshot goes on serving."""
        try:
            await self.refresh()
        except UNAVAILABLE as exc:
            log.warning("configuration could not be read again (%s); going on with the last one", type(exc).__name__)

    async def keep_fresh(self) -> None:
        """The safety net under NOTIFY: read again every 30 s until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh_quietly()


def build(
    pools: list[Any],
    members: list[Any],
    accounts: list[Any],
    keys: list[Any],
    settings: list[Any],
    shelf: Shelf,
    opened: Opened,
) -> Snapshot:
    """Rows in, immutable value out."""
    by_id = {row.id: _account(row, shelf, opened) for row in accounts}
    opened.forget_all_but(by_id)
    by_pool: dict[UUID, list[Member]] = defaultdict(list)
    for row in members:
        by_pool[row.pool_id].append(
            Member(
                by_id[row.account_id],
                row.enabled,
                row.priority,
                row.weight,
                row.max_concurrency,
                row.max_primary_percent,
                row.max_secondary_percent,
            )
        )
    built = {row.id: _pool(row, tuple(by_pool[row.id])) for row in pools}
    chosen = settings_of({row.name: row.value for row in settings})
    return Snapshot(
        pools=MappingProxyType(built),
        keys=MappingProxyType({row.digest: _key(row, built) for row in keys}),
        settings=chosen,
        catalogs=shelf.catalogs(built.values(), chosen.gateway.model_context_window_overrides),
    )


def _account(row: Any, shelf: Shelf, opened: Opened) -> Account:
    # an older proxy never stands in for one that cannot be opened: it may be the one that must not be used any more
    proxy_url = opened.text(row.id, "egress", row.egress_sealed)
    token = opened.token(row.id, row.access_sealed, row.access_expires_at)
    return Account(
        id=row.id,
        label=row.label,
        state=row.state,
        chatgpt_account_id=row.chatgpt_account_id,
        access_token=token.text,
        access_expires_at=_unix(token.expires_at),
        residency=row.residency,
        plan_type=row.plan_type,
        max_concurrency=row.max_concurrency,
        models=shelf.offered(row.id),
        credential_kind=row.credential_kind,
        is_fedramp=row.is_fedramp,
        routing_override=row.routing_override,
        backend_origin=row.backend_origin,
        reset_policy=policy_of(row.reset_policy),
        proxy_url=UNREADABLE if row.egress_sealed is not None and not proxy_url else proxy_url,
    )


def _pool(row: Any, members: tuple[Member, ...]) -> Pool:
    known = {name: value for name, value in row.switches.items() if name in SWITCH_NAMES}
    aliases = tuple(Alias(alias["match"], alias["model"]) for alias in row.model_aliases)
    return Pool(row.id, row.name, row.status, row.strategy, row.max_attempts, members, Switches(**known), aliases)


def _key(row: Any, pools: dict[UUID, Pool]) -> Key:
    return Key(
        id=row.id,
        name=row.name,
        pool=pools[row.pool_id],
        status=row.status,
        expires_at=_unix(row.expires_at),
        policy=_policy(row),
        limits=tuple(Limit(**limit) for limit in row.limits),
        max_concurrency=row.max_concurrency,
        epoch=row.revoked_epoch,
    )


def _policy(row: Any) -> Policy:
    return Policy(
        allowed_models=None if row.allowed_models is None else frozenset(row.allowed_models),
        enforced_model=row.enforced_model,
        enforced_effort=row.enforced_effort,
        maximum_effort=row.maximum_effort,
        enforced_service_tier=row.enforced_service_tier,
        max_input_tokens=row.max_input_tokens,
        max_output_tokens=row.max_output_tokens,
        allowed_networks=None if row.allowed_networks is None else tuple(map(ip_network, row.allowed_networks)),
    )


def _unix(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None
