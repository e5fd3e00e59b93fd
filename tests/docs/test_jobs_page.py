"""The pages about background work and roles name every job with its tries, every attention and every role."""

from __future__ import annotations

import re
from pathlib import Path

from codex_pooler.config import ROLES
from codex_pooler.jobs.schedule import JOBS
from codex_pooler.web.admin.schemas.jobs import ATTENTION, ROLE_MISSING

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "jobs.md").read_text()
TIMES = {"0 * * * *": "every hour", "25 3 * * *": "daily at 03:25", "*/15 * * * *": "every 15 minutes"}


def test_every_job_is_in_the_table_with_its_schedule_and_tries() -> None:
    rows = {
        name: (when, int(tries)) for name, when, tries in re.findall(r"^\| `(\w+)` \| (.+?) \| (\d+) \|", PAGE, re.M)
    }
    assert rows.keys() == JOBS.keys()
    for job in JOBS.values():
        when, tries = rows[job.name]
        assert tries == job.max_attempts, job.name
        assert when.startswith(TIMES[job.schedule] if job.schedule else "when "), job.name


def test_every_attention_is_explained() -> None:
    assert [word for word in (*ATTENTION, ROLE_MISSING) if f"| `{word}` |" not in PAGE] == []


def test_every_role_is_in_the_table() -> None:
    page = (DOCS / "deployment.md").read_text()
    assert [role for role in ROLES if f"| `{role}`" not in page] == []
