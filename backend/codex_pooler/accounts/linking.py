"""The last stretch of a sign-in: a code becomes tokens, and these become an account's login, or are lost aloud."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import psycopg2

from codex_pooler.accounts.auth_json import AuthJsonError, Credentials, credentials_of_grant
from codex_pooler.accounts.flow_codes import FlowRefused
from codex_pooler.accounts.importing import AccountGone, IdentityConflict, IdentityMismatch, Imported, Landing, land
from codex_pooler.storage import queries_flows as queries
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.database import UNAVAILABLE, Database, Session
from codex_pooler.storage.keyring import Keyring
from codex_pooler.upstream.oauth import Grant, SignIn
from codex_pooler.upstream.sign_in_answers import SignInRefused
from codex_pooler.upstream.sign_in_wire import NotAnswered

log = logging.getLogger(__name__)

STORE_SECONDS = 30.0  # how long tokens wait for the database before they are given up
AGAIN_SECONDS = 0.5
EXCHANGE_TRIES = 3  # of an exchange that never reached the server

T = TypeVar("T")
Accept = Callable[[Credentials], None]
Also = Callable[[Session, Imported], Awaitable[None]]


class Unspent(FlowRefused):
    """The code never reached the sign-in server: it is as good as before."""


@dataclass(frozen=True)
class Code:
    """What the sign-in server is to turn into tokens for a flow, and how it is reached."""

    flow_id: UUID
    code: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str
    proxy: str | None = field(repr=False)


@dataclass(frozen=True)
class Linking:
    """One per process."""

    database: Database
    keyring: Keyring
    sign_in: SignIn
    clock: Callable[[], datetime]
    store_seconds: float = STORE_SECONDS

    async def link(self, code: Code, landing: Landing, accept: Accept | None, also: Also | None) -> UUID:
        """Exchange, check and store; the account's id.  Raises FlowRefused, and then nothing is stored.

        ``accept`` may refuse the login; ``also`` joins the transaction that stores it.
        """
        grant = await self._exchange(code)
        try:
            credentials = credentials_of_grant(grant, self.clock())
        except AuthJsonError:
            log.warning("the sign-in server gave a login that cannot be read")
            raise FlowRefused("token_exchange_failed") from None
        if accept:
            accept(credentials)
        try:
            return await self.persist(lambda session: self._store(session, code.flow_id, credentials, landing, also))
        except UNAVAILABLE:
            raise FlowRefused("login_not_stored") from None

    async def persist(self, act: Callable[[Session], Awaitable[T]]) -> T:
        """Run a transaction; with the database away again and again, for a bounded time.  Raises what it raises."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.store_seconds
        while True:
            try:
                async with self.database.transaction() as session:
                    return await act(session)
            except UNAVAILABLE:
                if loop.time() >= until:
                    raise
                log.warning("a sign-in waits for the database")
                await asyncio.sleep(AGAIN_SECONDS)

    async def _exchange(self, code: Code) -> Grant:
        """Only what certainly was not sent is sent again."""
        for attempt in range(1, EXCHANGE_TRIES + 1):
            try:
                return await self.sign_in.exchange(code.code, code.verifier, code.redirect_uri, code.proxy)
            except SignInRefused as exc:
                log.warning("the sign-in server refused to exchange a code: %s", exc.code)
                raise FlowRefused("token_exchange_failed") from None
            except NotAnswered as exc:
                log.warning("a code could not be exchanged: %s", exc.code)
                if not exc.unspent:
                    raise FlowRefused("token_exchange_failed") from None
                failed = "egress_proxy_failed" if exc.code == "egress_proxy_failed" else "sign_in_unavailable"
            if attempt < EXCHANGE_TRIES:
                await asyncio.sleep(AGAIN_SECONDS * attempt)
        raise Unspent(failed)

    async def _store(
        self, session: Session, flow_id: UUID, credentials: Credentials, landing: Landing, also: Also | None
    ) -> UUID:
        """The account and the flow's end in one: whoever cancels the flow first keeps the login out."""
        row = await session.one(queries.LOCK, flow_id=flow_id)
        if row is None or row.state == "cancelled":
            raise FlowRefused("flow_not_pending")
        if row.result_account_id:  # stored by an attempt whose commit was not heard of
            return UUID(str(row.result_account_id))
        try:
            imported = await land(session, self.keyring, credentials, landing)
        except IdentityMismatch as exc:
            raise FlowRefused("identity_mismatch", str(exc)) from None
        except IdentityConflict as exc:
            raise FlowRefused("identity_conflict", str(exc)) from None
        except (AccountGone, psycopg2.errors.ForeignKeyViolation):
            raise FlowRefused("account_deleted") from None
        result = {"account_id": imported.account_id, "created": imported.created, "now": self.clock()}
        if not await session.execute(queries.COMPLETE, flow_id=flow_id, **result):
            raise FlowRefused("flow_not_pending")
        if also:
            await also(session, imported)
        await announce_config(session)
        return imported.account_id
