"""Invites: links that let somebody add their own account to a pool, and one page of them by keyset.

A statement holds only the filters that are asked for, so that each combination can use its best index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from codex_pooler.storage.database import Session
from codex_pooler.storage.query import Query
from codex_pooler.storage.scope import id_list
from codex_pooler.storage.tables import accounts, invites, oauth_flows, pools

_invite = invites.c
_THIS = _invite.id == sa.bindparam("invite_id", type_=sa.Uuid)
_RAN_OUT = sa.and_(_invite.status == "active", _invite.expires_at <= sa.func.now())
# Nobody has to look for time to pass: what has run out is shown as expired wherever it is read.
_STANDING = sa.case((_RAN_OUT, "expired"), else_=_invite.status)
# A mail is on its way as long as there is a job for it; one that was given up for any reason has failed.
_HAS_JOB = sa.literal_column(
    "(EXISTS (SELECT 1 FROM procrastinate_jobs"
    " WHERE queueing_lock = 'invite_mail:' || invites.id AND status = 'todo')"
    " OR EXISTS (SELECT 1 FROM procrastinate_jobs WHERE lock = 'invite_mail:' || invites.id AND status = 'doing'))",
    sa.Boolean,
)
_MAIL = sa.case((sa.and_(_invite.email_state == "queued", ~_HAS_JOB), "failed"), else_=_invite.email_state)
_READ = (
    sa.select(
        *(column for column in _invite if column.name not in ("digest", "status", "email_state")),
        _STANDING.label("status"),
        _MAIL.label("email_state"),
        pools.c.name.label("pool_name"),
        pools.c.status.label("pool_status"),
        accounts.c.email.label("accepted_email"),
    )
    .join(pools, pools.c.id == _invite.pool_id)
    .outerjoin(accounts, accounts.c.id == _invite.result_account_id)
)

ONE = Query(_READ.where(_THIS))
LOCK = Query(_READ.where(_THIS).with_for_update(of=invites))
BY_DIGEST = Query(_READ.where(_invite.digest == sa.bindparam("digest", type_=sa.LargeBinary)))
ACTIVE_FOR = Query(
    _READ.where(
        _invite.pool_id == sa.bindparam("pool_id", type_=sa.Uuid),
        _invite.email == sa.bindparam("email"),
        _invite.status == "active",
        _invite.expires_at > sa.func.now(),
    )
)

# Of an address in a pool, so that the place of its one active invite is free.
EXPIRE = Query(
    sa.update(invites)
    .where(
        _invite.pool_id == sa.bindparam("pool_id", type_=sa.Uuid),
        _invite.email == sa.bindparam("email"),
        _invite.status == "active",
        _invite.expires_at <= sa.func.now(),
    )
    .values(status="expired")
)
_WRITTEN = (
    *("id", "pool_id", "account_id", "email", "digest", "invited_by", "invited_by_name", "note", "issue_api_key"),
    *("email_state", "created_at", "expires_at"),
)
INSERT = Query(
    insert(invites)
    .values({name: sa.bindparam(name, type_=_invite[name].type) for name in _WRITTEN})
    .on_conflict_do_nothing(index_elements=[_invite.pool_id, _invite.email], index_where=sa.text("status = 'active'"))
    .returning(_invite.id)
)
REVOKE = Query(
    sa.update(invites)
    .where(_THIS, _invite.status == "active")
    .values(status=sa.case((_RAN_OUT, "expired"), else_="revoked"))
)
ACCEPT = Query(
    sa.update(invites)
    .where(_THIS)
    .values(
        status="accepted",
        result_account_id=sa.bindparam("account_id", type_=sa.Uuid),
        accepted_at=sa.bindparam("now", type_=sa.DateTime(timezone=True)),
    )
)
MAILED = Query(
    sa.update(invites).where(_THIS).values(email_state="sent", email_error=None, email_sent_at=sa.func.now())
)
NOT_MAILED = Query(
    sa.update(invites)
    .where(_THIS)
    .values(email_state=sa.bindparam("state"), email_error=sa.bindparam("code", type_=sa.Text))
)

# The sign-ins that an invite has begun: the newest counts, and whoever ends the invite ends them first.
NEWEST_FLOW = Query(
    sa.select(oauth_flows.c.id, oauth_flows.c.state, oauth_flows.c.error)
    .where(oauth_flows.c.invite_id == sa.bindparam("invite_id", type_=sa.Uuid))
    .order_by(oauth_flows.c.created_at.desc(), oauth_flows.c.id.desc())
    .limit(1)
)
CANCEL_FLOWS = Query(
    sa.update(oauth_flows)
    .where(
        oauth_flows.c.invite_id == sa.bindparam("invite_id", type_=sa.Uuid),
        sa.or_(oauth_flows.c.state == "pending", oauth_flows.c.state == "authorizing"),
    )
    .values(state="cancelled", sealed=None, finished_at=sa.func.now())
)


@dataclass(frozen=True)
class Position:
    """The last invite of a page; the next page starts below it."""

    created_at: datetime
    id: UUID


_searched = sa.func.concat_ws(" ", _invite.email, _invite.note, _invite.invited_by_name, pools.c.name)
CLAUSES: Mapping[str, Any] = {
    "visible": _invite.pool_id == id_list("visible"),
    "pool_id": _invite.pool_id == id_list("pool_id"),
    "status": sa.any_(sa.bindparam("status", type_=ARRAY(sa.Text))) == _STANDING,
    "q": sa.func.strpos(sa.func.lower(_searched), sa.func.lower(sa.bindparam("q", type_=sa.Text))) > 0,
    "cursor": sa.tuple_(_invite.created_at, _invite.id)
    < sa.tuple_(sa.bindparam("cursor_at", type_=sa.DateTime(timezone=True)), sa.bindparam("cursor_id", type_=sa.Uuid)),
}


@cache
def _page_query(names: frozenset[str]) -> Query:
    return Query(
        _READ.where(*(CLAUSES[name] for name in sorted(names)))
        .order_by(_invite.created_at.desc(), _invite.id.desc())
        .limit(sa.bindparam("row_limit", type_=sa.Integer))
    )


async def newest(session: Session, filters: Mapping[str, Any], limit: int, below: Position | None) -> list[Any]:
    """Invites under ``filters`` (names of CLAUSES), newest first, those below a position."""
    values = dict(filters)
    if below:
        values |= {"cursor_at": below.created_at, "cursor_id": below.id}
    names = frozenset(filters) | ({"cursor"} if below else set())
    return await session.fetch(_page_query(names), row_limit=limit, **values)
