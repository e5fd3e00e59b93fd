"""What nobody needs any more, one statement for each kind of it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from codex_pooler.storage.queries_jobs import FORGET_JOBS, FORGET_RUNS
from codex_pooler.storage.query import Query
from codex_pooler.storage.tables import files, invites, nodes, oauth_flows, operator_sessions


def _before(column: Any, age: str) -> Any:
    return column < sa.func.now() - sa.text(f"interval '{age}'")


SIGN_INS_PAST, INVITES_PAST = "sign-ins that nobody finished in time", "invites past their time"
# what -> the statement; each is safe to run at any time and by several processes at once
SWEEPS: dict[str, Query] = {
    SIGN_INS_PAST: Query(
        sa.update(oauth_flows)
        .where(oauth_flows.c.state.in_(("pending", "authorizing")), _before(oauth_flows.c.expires_at, "0"))
        .values(state="expired", sealed=None, finished_at=sa.func.now())
    ),
    "sign-ins that ended a week ago": Query(
        sa.delete(oauth_flows).where(
            _before(sa.func.coalesce(oauth_flows.c.finished_at, oauth_flows.c.expires_at), "7 days")
        )
    ),
    INVITES_PAST: Query(
        sa.update(invites)
        .where(invites.c.status == "active", _before(invites.c.expires_at, "0"))
        .values(status="expired")
    ),
    "files past their time": Query(sa.delete(files).where(_before(files.c.expires_at, "1 day"))),
    "sessions past their time": Query(sa.delete(operator_sessions).where(_before(operator_sessions.c.expires_at, "0"))),
    "processes that are gone": Query(sa.delete(nodes).where(_before(nodes.c.seen_at, "1 minute"))),
    "ended jobs": FORGET_JOBS,
    "runs of jobs": FORGET_RUNS,
}
