"""Sign-ins from their start to their end: who may go on with which, and that none is used twice.

What a flow needs lies sealed in its row, so that any process can go on with it.  States are the locks: of two that
race, one finds the state it starts from.
"""

from __future__ import annotations

import asyncio
import logging
import secrets as random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from codex_pooler.accounts.callback import Callback, parse_callback
from codex_pooler.accounts.flow_book import FlowBook, Purpose
from codex_pooler.accounts.flow_codes import FlowRefused
from codex_pooler.accounts.flow_view import FlowSecrets, FlowView, opened, view_of
from codex_pooler.accounts.importing import Landing, MayChange
from codex_pooler.accounts.linking import Accept, Also, Code, Linking, Unspent
from codex_pooler.accounts.proxies import checked_proxy, stored_proxy
from codex_pooler.accounts.refresh import nobody_to_tell
from codex_pooler.storage import queries_flows as queries
from codex_pooler.storage.database import UNAVAILABLE, Database, Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring
from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.upstream.oauth import BROWSER_REDIRECT, SignIn
from codex_pooler.upstream.sign_in_answers import DeviceGranted, DeviceStart, SignInRefused, Waiting
from codex_pooler.upstream.sign_in_wire import NotAnswered

log = logging.getLogger(__name__)

BROWSER, DEVICE = KINDS = ("browser", "device")
LIFETIME = timedelta(minutes=10)
SLOWER_SECONDS = 5
CLOSE_SECONDS = 35.0

T = TypeVar("T")


class Flows:
    """One per process.  ``changed`` is told of every account that got a login.  Raises what the database raises."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        sign_in: SignIn,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        changed: Callable[[UUID], Awaitable[None]] = nobody_to_tell,
        metrics: Metrics | None = None,
    ) -> None:
        self._database, self._box, self._sign_in = database, keyring.upstream, sign_in
        self._changed = changed
        self._book = FlowBook(database, keyring, clock, metrics or Metrics())
        self._linking = Linking(database, keyring, sign_in, clock)
        self._running: set[asyncio.Task[Any]] = set()

    # -- beginning and ending

    async def start(
        self,
        kind: str,
        pool_id: UUID,
        account_id: UUID | None = None,
        invite_id: UUID | None = None,
        operator_id: UUID | None = None,
        proxy: str | None = None,
    ) -> FlowView:
        """Begin a sign-in of one of KINDS; an older one for the same purpose ends.

        Without ``proxy`` an account that has one is signed in through its own.  Raises FlowRefused.
        """
        new_proxy = checked_proxy(proxy)
        way = new_proxy or await self._proxy_of(account_id)
        flow_id, purpose = uuid7(), Purpose(kind, pool_id, account_id, invite_id, operator_id)
        if kind == DEVICE:
            device = await self._device_start(way)
            kept = FlowSecrets("", "", device.device_auth_id, device.user_code, way, new_proxy)
            await self._book.insert(flow_id, purpose, kept, device.interval_seconds, _lifetime(device))
        else:
            kept = FlowSecrets(random.token_urlsafe(64), random.token_urlsafe(32), "", "", way, new_proxy)
            await self._book.insert(flow_id, purpose, kept, None, LIFETIME)
        return await self.view(flow_id)

    async def cancel(self, flow_id: UUID) -> None:
        """End it.  One whose login has just been stored stays completed."""
        await self._book.end(flow_id, "cancelled", None)

    async def view(self, flow_id: UUID) -> FlowView:
        """The sign-in as it stands.  Raises FlowRefused ``not_found``."""
        row = await self._book.read(flow_id)
        return view_of(row, opened(self._box, row), self._sign_in)

    async def sweep(self) -> int:
        """End what time has ended, with its secrets, and forget what ended a week ago; how many were forgotten."""
        return await self._book.sweep()

    async def close(self) -> None:
        """Wait for exchanges that are under way."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=CLOSE_SECONDS)

    # -- by browser

    async def paste(
        self, flow_id: UUID, callback_url: str, may_change: MayChange, *, also: Also | None = None
    ) -> FlowView:
        """Go on with the address that the browser ended at.  ``also`` joins the transaction that stores the login.

        Raises FlowRefused, and then nothing is stored.
        """
        callback = parse_callback(callback_url)
        async with self._database.transaction() as session:
            await self._book.settle(session, flow_id)
            row = await session.one(queries.LOCK, flow_id=flow_id)
            refusal = await self._objection(session, row, callback, may_change)
            if refusal is None and callback.denied:
                await self._book.end_within(session, flow_id, "failed", "provider_denied")
                refusal = FlowRefused("provider_denied")
            if refusal is None:
                await session.execute(queries.AUTHORIZE, flow_id=flow_id, now=self._book.clock())
        if refusal is not None:
            raise refusal
        kept = opened(self._box, row)
        assert kept is not None
        code = Code(flow_id, callback.code or "", kept.verifier, BROWSER_REDIRECT, kept.proxy)
        await self._whatever_happens(self._conclude(code, _landing(row, kept, may_change), None, also))
        return await self.view(flow_id)

    async def _objection(
        self, session: Session, row: Any, callback: Callback, may_change: MayChange
    ) -> FlowRefused | None:
        """Why the pasted address does not take this flow further."""
        if row is None:
            return FlowRefused("not_found")
        digest = self._book.digest(callback.state)
        if row.state_digest is None or not random.compare_digest(bytes(row.state_digest), digest):
            return await self._of_another(session, digest, may_change)
        if row.state == "expired":
            return FlowRefused("expired_flow")
        if row.state != "pending":
            return FlowRefused("stale_flow" if row.error == queries.SUPERSEDED else "flow_not_pending")
        return None if opened(self._box, row) else FlowRefused("flow_unreadable")

    async def _of_another(self, session: Session, digest: bytes, may_change: MayChange) -> FlowRefused:
        """The address of a flow that a newer one has replaced says so, to those who may know of it."""
        other = await session.one(queries.BY_STATE, digest=digest)
        replaced = other is not None and other.error == queries.SUPERSEDED
        return FlowRefused("stale_flow" if replaced and may_change([other.pool_id]) else "invalid_state")

    # -- by device code

    async def poll(
        self, flow_id: UUID, may_change: MayChange, accept: Accept | None = None, *, also: Also | None = None
    ) -> FlowView:
        """Ask whether the device code has been approved, if that is due, and go on when it has.

        A sign-in that belongs to an invite goes on only with ``accept``, which may raise FlowRefused before anything
        is stored; ``also`` joins the transaction that stores the login.  How a flow ended is in the answer.  Raises
        FlowRefused ``not_found``.
        """
        row = await self._book.read(flow_id)
        kept = opened(self._box, row) if row.kind == DEVICE and row.state == "pending" else None
        is_ours = row.invite_id is None or accept is not None
        if kept and is_ours and await self._book.take_poll(flow_id):
            await self._whatever_happens(self._ask(row, kept, may_change, accept, also))
        return await self.view(flow_id)

    async def _ask(
        self, row: Any, kept: FlowSecrets, may_change: MayChange, accept: Accept | None, also: Also | None
    ) -> None:
        try:
            found = await self._sign_in.device_poll(kept.device_auth_id, kept.user_code, kept.proxy)
        except NotAnswered as exc:
            await self._book.polled(row.id, row.interval_seconds, exc.code)
            return
        except SignInRefused as exc:
            known = exc.code if exc.code in ("access_denied", "expired_token") else "token_exchange_failed"
            await self._book.end(row.id, "expired" if known == "expired_token" else "failed", known)
            return
        if isinstance(found, Waiting):
            slower = SLOWER_SECONDS if found is Waiting.SLOW_DOWN else 0
            await self._book.polled(row.id, row.interval_seconds + slower, None)
        elif await self._approved(row.id):
            code = self._code(row.id, kept, found)
            with suppress(FlowRefused):  # the row tells
                await self._conclude(code, _landing(row, kept, may_change), accept, also)

    async def _approved(self, flow_id: UUID) -> bool:
        """The approval can be fetched only once, so that it waits for the database if need be."""

        async def authorize(session: Session) -> int:
            return await session.execute(queries.APPROVED, flow_id=flow_id, now=self._book.clock())

        return bool(await self._linking.persist(authorize))

    def _code(self, flow_id: UUID, kept: FlowSecrets, approval: DeviceGranted) -> Code:
        return Code(flow_id, approval.code, approval.verifier, self._sign_in.device_redirect, kept.proxy)

    async def _device_start(self, way: str | None) -> DeviceStart:
        try:
            return await self._sign_in.device_start(way)
        except (NotAnswered, SignInRefused) as exc:
            log.warning("a device sign-in could not begin: %s", exc.code)
            through = exc.code == "egress_proxy_failed"
            raise FlowRefused("egress_proxy_failed" if through else "sign_in_unavailable") from None

    # -- both

    async def _conclude(self, code: Code, landing: Landing, accept: Accept | None, also: Also | None) -> None:
        """Link, or note why not.  Raises FlowRefused."""
        try:
            account_id = await self._linking.link(code, landing, accept, also)
        except FlowRefused as exc:
            log.warning("a sign-in ended without a login: %s", exc.code)
            with suppress(*UNAVAILABLE):  # then it counts as interrupted before long
                await self._note(code, exc)
            raise
        self._book.count("completed")
        try:
            await self._changed(account_id)
        except Exception:  # what is stored is stored
            log.exception("the new login of account %s could not be announced in this process", account_id)

    async def _note(self, code: Code, exc: FlowRefused) -> None:
        if isinstance(exc, Unspent) and code.redirect_uri == BROWSER_REDIRECT:
            await self._book.reopen(code.flow_id, exc.code)
        else:
            await self._book.end(code.flow_id, "failed", exc.code)

    async def _whatever_happens(self, doing: Coroutine[Any, Any, T]) -> T:
        """Who waits may go away; what was begun is finished all the same."""
        task = asyncio.create_task(doing, name="sign-in")
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits has it; nobody may be waiting

    async def _proxy_of(self, account_id: UUID | None) -> str | None:
        if account_id is None:
            return None
        async with self._database.session() as session:
            return await stored_proxy(session, self._box, account_id)


def _lifetime(device: DeviceStart) -> timedelta:
    told = device.expires_in_seconds
    return min(LIFETIME, timedelta(seconds=told)) if told else LIFETIME


def _landing(row: Any, kept: FlowSecrets, may_change: MayChange) -> Landing:
    onboarding = "invite" if row.invite_id else row.kind
    return Landing(may_change, row.pool_id, row.account_id, onboarding=onboarding, proxy=kept.new_proxy)
