"""Removes what has expired or ended long ago, a kind at a time, so that one that fails holds up no other."""

from __future__ import annotations

import logging

import psycopg2

from codex_pooler.jobs.services import JobFailed, Services
from codex_pooler.storage.database import UNAVAILABLE
from codex_pooler.storage.queries_cleanup import INVITES_PAST, SIGN_INS_PAST, SWEEPS
from codex_pooler.telemetry.metrics import INVITES, SIGN_INS

log = logging.getLogger(__name__)

COUNTED = {SIGN_INS_PAST: SIGN_INS, INVITES_PAST: INVITES}


async def clean_up(services: Services) -> None:
    """One pass.  Raises JobFailed when some of it could not be removed, and what a lost database raises."""
    failed = []
    for what, statement in SWEEPS.items():
        try:
            async with services.database.session() as session:
                removed = await session.execute(statement)
        except UNAVAILABLE:
            raise
        except psycopg2.Error as exc:
            log.error("%s could not be removed (%s); the next clean-up tries again", what, type(exc).__name__)
            failed.append(what)
        else:
            log.debug("cleaned up %d %s", removed, what)
            if what in COUNTED:
                services.metrics.count(COUNTED[what], "expired", amount=removed)
    if failed:
        raise JobFailed("not_removed", f"Could not be removed: {', '.join(failed)}. The log says why.")
