"""Migrations lead to exactly the tables the code describes, and the last one can be undone."""

from __future__ import annotations

import subprocess
import sys

import psycopg2

from codex_pooler.storage import migrate


def test_tables_and_migrations_agree(dsn: str) -> None:
    migrate.check(dsn)


def test_the_last_revision_can_be_undone_and_redone(dsn: str) -> None:
    migrate.downgrade(dsn)
    assert migrate.revisions(dsn)[0] != migrate.head_revision()
    migrate.upgrade(dsn)
    assert migrate.revisions(dsn)[0] == migrate.head_revision()


def test_processes_that_migrate_at_once_all_succeed(dsn: str) -> None:
    migrate.downgrade(dsn)
    script = "import sys; from codex_pooler.storage import migrate; migrate.upgrade(sys.argv[1])"
    running = [subprocess.Popen([sys.executable, "-c", script, dsn]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert migrate.revisions(dsn)[0] == migrate.head_revision()


def test_undoing_the_job_queue_leaves_nothing_of_it(dsn: str) -> None:
    while migrate.revisions(dsn)[0] != "0003":
        migrate.downgrade(dsn)
    connection = psycopg2.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '^(procrastinate|job_)'"
            " UNION ALL SELECT proname FROM pg_proc WHERE proname ~ '^procrastinate'"
            " UNION ALL SELECT typname FROM pg_type WHERE typname ~ '^_?procrastinate'"
        )
        assert cursor.fetchall() == []
    connection.close()
    migrate.upgrade(dsn)
    migrate.check(dsn)
