"""Lends databases that have every migration and nothing else: making one costs ten times as much as emptying one."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg2

TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
# Whatever a test could have changed and emptying does not undo.
SHAPE = """
SELECT (SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
       (SELECT count(*) FROM pg_attribute), (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_trigger),
       (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_db_role_setting)
"""
EVERYBODY_OUT = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
RESTART_SEQUENCES = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"


class Databases:
    """Those of one server whose database ``template`` is the model."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._numbers = itertools.count(1)
        self._spare: list[str] = []
        template = self._connect("template")
        with template, template.cursor() as cursor:
            self._tables = _tables(cursor)
            cursor.execute("CREATE SCHEMA model")
            emptied = [_emptied(cursor, table) for table in sorted(self._tables)]
            self._empty = "; ".join(("SET session_replication_role = replica", *emptied))
            self._shape = _shape(cursor)
        template.close()

    def lend(self) -> str:
        """The DSN of a database that nobody else has."""
        name = self._spare.pop() if self._spare else self._made()
        return dsn_of(self._dsn, name)

    def take_back(self, dsn: str) -> None:
        """Empty it for the next; one that is not what it was is dropped."""
        name = dsn.partition("?")[0].rpartition("/")[2]
        if self._cleaned(name):
            self._spare.append(name)
        else:
            execute(self._dsn, f"DROP DATABASE {name} WITH (FORCE)")

    def _made(self) -> str:
        name = f"t{next(self._numbers)}"
        execute(self._dsn, f"CREATE DATABASE {name} TEMPLATE template")
        return name

    def _cleaned(self, name: str) -> bool:
        try:
            connection = self._connect(name)
        except psycopg2.OperationalError:
            return False
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(EVERYBODY_OUT)
                for added in _tables(cursor) - self._tables:
                    cursor.execute(f'DROP TABLE IF EXISTS "{added}" CASCADE')
                if _shape(cursor) != self._shape:
                    return False
                cursor.execute(self._empty)
                cursor.execute(RESTART_SEQUENCES)
                return True
        finally:
            connection.close()

    def _connect(self, name: str) -> Any:
        return psycopg2.connect(dsn_of(self._dsn, name))


def be_careless(dsn: str) -> None:
    """Let the server write when it likes: processes are killed here, but nothing has to outlive the machine."""
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        execute(dsn, f"ALTER SYSTEM SET {setting} = off")
    execute(dsn, "SELECT pg_reload_conf()")


def execute(dsn: str, statement: str) -> None:
    """By itself, outside of any transaction."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def dsn_of(dsn: str, name: str) -> str:
    """The same server, another database."""
    return dsn.replace("/codex_pooler?", f"/{name}?")


def _tables(cursor: Any) -> set[str]:
    cursor.execute(TABLES)
    return {name for (name,) in cursor.fetchall()}


def _shape(cursor: Any) -> Any:
    cursor.execute(SHAPE)
    return cursor.fetchone()


def _emptied(cursor: Any, table: str) -> str:
    """The statements that bring a table back to the rows the model has, of which a schema beside it keeps a copy."""
    cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}")')
    (has_rows,) = cursor.fetchone()
    if not has_rows:
        return f'DELETE FROM "{table}"'
    cursor.execute(f'CREATE TABLE model."{table}" AS TABLE public."{table}"')
    return f'DELETE FROM "{table}"; INSERT INTO "{table}" SELECT * FROM model."{table}"'
