"""Every background job there is: when it runs, how long it may take, how often it is tried, and who may start it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from codex_pooler.jobs.cleanup import clean_up
from codex_pooler.jobs.invite_mail import mail_invite
from codex_pooler.jobs.prices import import_prices
from codex_pooler.jobs.retention import let_history_go
from codex_pooler.jobs.run_now import poll_usage, read_saved_resets, refresh_tokens, sync_catalogs

FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 30.0, 3600.0


@dataclass(frozen=True)
class Job:
    """One kind of job.

    ``work`` gets the services and the ids it was queued with.  ``schedule`` is a cron line in UTC, None for what only
    runs when it is asked for.  ``manual``: operators may start it.  ``target`` is what its ids name: "account", "pool",
    "invite" or "system".
    """

    name: str
    title: str
    work: Callable[..., Awaitable[None]]
    schedule: str | None = None
    manual: bool = True
    timeout_seconds: float = 300.0
    max_attempts: int = 1
    target: str = "system"

    def lock(self, key: str | None) -> str:
        """What tells jobs of this kind apart: of those with one lock at most one waits and at most one runs."""
        return f"{self.name}:{key or ''}"


def _by_name(*jobs: Job) -> Mapping[str, Job]:
    return MappingProxyType({job.name: job for job in jobs})


JOBS = _by_name(
    Job("usage_poll", "Usage of accounts", poll_usage, timeout_seconds=1200, target="account"),
    Job("catalog_sync", "Model catalogues", sync_catalogs, timeout_seconds=900, max_attempts=3, target="account"),
    Job("token_refresh", "Renewal of logins", refresh_tokens, timeout_seconds=300, target="account"),
    Job("saved_resets", "Saved resets", read_saved_resets, timeout_seconds=900, target="account"),
    Job(
        "invite_mail",
        "Invites by mail",
        mail_invite,
        manual=False,
        timeout_seconds=120,
        max_attempts=5,
        target="invite",
    ),
    Job("pricing_import", "Prices", import_prices, schedule="0 * * * *", timeout_seconds=120, max_attempts=3),
    Job("retention", "Old history", let_history_go, schedule="25 3 * * *", timeout_seconds=1800, max_attempts=5),
    Job("runtime_cleanup", "Clean-up", clean_up, schedule="*/15 * * * *", timeout_seconds=300, max_attempts=3),
)


def retry_seconds(attempts: int) -> float:
    """How long to wait after so many failed attempts."""
    return min(FIRST_RETRY_SECONDS * 2.0 ** max(0, attempts - 1), LAST_RETRY_SECONDS)
