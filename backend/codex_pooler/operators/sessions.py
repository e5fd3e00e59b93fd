"""Browser sessions: the cookie holds a random token, PostgreSQL its SHA-256, so deleting the row ends the session
and a copy of the database opens none."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from aiohttp import web
from aiohttp_session import AbstractStorage, Session, SessionData

from codex_pooler.storage import queries_operators as queries
from codex_pooler.storage.database import Database

SESSION_SECONDS = 14 * 86400
COOKIE = "codex_pooler_session"


def session_digest(token: str) -> bytes:
    """What the table knows of a cookie's token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


class SessionStorage(AbstractStorage):
    """aiohttp-session storage in PostgreSQL.  A session lives 14 days from sign-in, whether it is used or not."""

    def __init__(self, database: Database, *, secure: bool) -> None:
        # __Host- ties the cookie to this host over TLS; plain http, as on a laptop, cannot have it
        name = f"__Host-{COOKIE}" if secure else COOKIE
        super().__init__(cookie_name=name, max_age=SESSION_SECONDS, secure=secure, httponly=True, samesite="Lax")
        self.database = database

    async def load_session(self, request: web.Request) -> Session:
        token = self.load_cookie(request)
        if not token:
            return await self.new_session()
        digest = session_digest(token)
        async with self.database.session() as session:
            row = await session.one(queries.SESSION, digest=digest)
            if row is None:
                return await self.new_session()
            if row.seen_long_ago:
                await session.execute(queries.TOUCH_SESSION, digest=digest)
        data: SessionData = {"created": int(row.created_at.timestamp()), "session": row.data}
        return Session(token, data=data, new=False, max_age=self.max_age)

    async def save_session(self, request: web.Request, response: web.StreamResponse, session: Session) -> None:
        old = self.load_cookie(request)
        async with self.database.transaction() as database_session:
            if old:  # signed out, or signed in anew: what was in the browser before is worth nothing now
                await database_session.execute(queries.DROP_SESSION, digest=session_digest(old))
            if not session.empty:
                await database_session.execute(
                    queries.SAVE_SESSION,
                    digest=session_digest(str(session.identity)),
                    id=uuid4(),
                    operator_id=UUID(session["operator_id"]),
                    data=dict(session),
                    expires_at=datetime.fromisoformat(session["expires_at"]),
                )
                await database_session.execute(queries.DROP_EXPIRED_SESSIONS)
        if session.empty:
            self.save_cookie(response, "")
        else:
            self.save_cookie(response, str(session.identity), max_age=self.max_age)


def new_expiry() -> datetime:
    """When a session that starts now ends."""
    return datetime.now(UTC) + timedelta(seconds=SESSION_SECONDS)
