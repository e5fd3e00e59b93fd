"""The ``codex-pooler`` command."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg2

from codex_pooler import __version__
from codex_pooler.config import Config, ConfigError, load
from codex_pooler.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from codex_pooler.storage.postgres_binaries import NoPostgres
from codex_pooler.storage.vault import SecretError
from codex_pooler.telemetry import logs

EXIT_FAILED, EXIT_USAGE, EXIT_OWNER_EXISTS = 1, 2, 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status."""
    options = _parser().parse_args(arguments)
    logs.set_up()
    try:
        return int(options.run(options, load()) or 0)
    except (ConfigError, SecretError, NoPostgres, EmbeddedPostgresError) as exc:
        print(f"codex-pooler: {exc}", file=sys.stderr)
        return EXIT_FAILED
    except psycopg2.OperationalError as exc:
        print(f"codex-pooler: cannot reach the database: {str(exc).strip()}", file=sys.stderr)
        print("Check DATABASE_URL, or run codex-pooler doctor.", file=sys.stderr)
        return EXIT_FAILED
    except PermissionError as exc:
        print(f"codex-pooler: no permission for {exc.filename}.", file=sys.stderr)
        print("Set CODEX_POOLER_STATE_DIR to a folder this user may write to.", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="codex-pooler", description="One gateway for many Codex accounts.")
    parser.add_argument("--version", action="version", version=f"codex-pooler {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace, Config], int | None], help: str) -> Any:
        added = commands.add_parser(name, help=help, description=help)
        added.set_defaults(run=run)
        return added

    serving = command("serve", serve, "run the gateway, the admin API and the console")
    serving.add_argument("--worker", type=int, help=argparse.SUPPRESS)  # set by the parent of several workers
    command("migrate", migrate_database, "bring the database to this version's schema")
    command("doctor", doctor, "check the installation and say what to do")
    command("demo", demo, "serve against the built-in simulator, with pools, accounts, a key and traffic")
    command("openapi", openapi, "print the admin API's OpenAPI document")

    simulate = command("simulate", simulate_backend, "run the simulated ChatGPT backend")
    simulate.add_argument("--host", default="127.0.0.1")
    simulate.add_argument("--port", type=int, default=4100)
    simulate.add_argument("--seed", type=int, default=1)
    simulate.add_argument("--accounts", type=int, default=3)

    bootstrap = command("bootstrap", create_owner, "create the first owner; exits with 3 when there is one")
    bootstrap.add_argument("--email", required=True)
    bootstrap.add_argument("--display-name")
    bootstrap.add_argument("--password-stdin", action="store_true", required=True, help="read it from standard input")

    token = commands.add_parser("token", help="operator access tokens").add_subparsers(required=True, metavar="ACTION")
    create = token.add_parser("create", help="print a new operator access token and nothing else")
    create.add_argument("--email", required=True, help="the operator it acts for")
    create.add_argument("--label", required=True)
    create.add_argument("--days", type=int, required=True, help="from 1 to 365")
    create.add_argument("--scope", action="append", default=[], help="may be repeated; none: all of the operator's")
    create.set_defaults(run=create_token)

    keys = commands.add_parser("keys", help="the keys that secrets are sealed with")
    rotate = keys.add_subparsers(required=True, metavar="ACTION").add_parser(
        "rotate", help="move everything sealed under the newest key, while the gateway runs"
    )
    rotate.add_argument(
        "--check", action="store_true", help="only count; exits with 1 when something is under an old key"
    )
    rotate.add_argument("--generate", action="store_true", help="first add a new key to the one in the state directory")
    rotate.set_defaults(run=rotate_keys)
    return parser


@contextmanager
def postgres(config: Config) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """The DSN: the configured server's, or that of the embedded one, started or attached to."""
    if config.database_url:
        yield config.database_url, None
        return
    server = EmbeddedPostgres(config.state_dir)
    try:
        yield server.start(), server
    finally:
        server.stop()


def run_async(work: Coroutine[Any, Any, int]) -> int:
    """On uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def serve(options: argparse.Namespace, config: Config) -> int:
    from codex_pooler.storage import migrate
    from codex_pooler.workers import run_workers

    with postgres(config) as (dsn, server):
        migrate.upgrade(dsn)
        if config.workers > 1:
            return run_workers(config, dsn, server)
        return run_async(_serve(config, dsn, server, options.worker))


async def _serve(config: Config, dsn: str, server: EmbeddedPostgres | None, worker: int | None) -> int:
    """``worker``: which of several processes on the same port this is; None when it is the only one."""
    from codex_pooler.app import health_app, listening, settle_memory, until_signal, web_app
    from codex_pooler.jobs.roles import serves
    from codex_pooler.process import process

    shared, make_app = worker is not None, web_app if serves(config.role) else health_app
    await _check_keys(config, dsn)
    async with process(config, dsn) as running, _supervised(server):
        try:
            async with listening(make_app(running), config.http_host, config.http_port, shared=shared):
                settle_memory()
                if not worker:
                    _greet(config, running.context.bootstrap_token)
                await until_signal()
        except OSError as exc:
            where = f"{config.http_host}:{config.http_port}"
            print(f"codex-pooler: cannot listen on {where}: {os.strerror(exc.errno or 0)}.", file=sys.stderr)
            print("Stop what uses the port, or set CODEX_POOLER_HTTP_PORT to another.", file=sys.stderr)
            return EXIT_FAILED
    return 0


async def _check_keys(config: Config, dsn: str) -> None:
    """Better no gateway than one that cannot open a single login.  Raises SecretError."""
    from codex_pooler.jobs.key_rotation import refusal_to_start
    from codex_pooler.process.installation import keyring_of
    from codex_pooler.storage.database import Database

    database = await Database.open(dsn, maxsize=1)
    try:
        refusal = await refusal_to_start(database, keyring_of(config), config.state_dir)
    finally:
        await database.close()
    if refusal:
        raise SecretError(refusal)


@asynccontextmanager
async def _supervised(server: EmbeddedPostgres | None) -> AsyncIterator[None]:
    """Start the embedded server again should it die while the gateway runs."""

    async def watch(owned: EmbeddedPostgres) -> None:
        while True:
            await asyncio.sleep(1)
            owned.keep_running()

    task = asyncio.create_task(watch(server), name="postgres-supervisor") if server else None
    try:
        yield
    finally:
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _greet(config: Config, token: str | None) -> None:
    if config.role not in ("web", "all"):
        print(
            f"Codex Pooler {__version__} works as {config.role}; its health is at port {config.http_port}", flush=True
        )
        return
    print(f"Codex Pooler {__version__} is ready at {config.origin}", flush=True)
    if token:
        print(f"First run: open {config.origin} and create the owner with this bootstrap token: {token}", flush=True)


def migrate_database(options: argparse.Namespace, config: Config) -> int:
    from codex_pooler.storage import migrate

    with postgres(config) as (dsn, _):
        migrate.upgrade(dsn)
        print(f"the database is at revision {migrate.revisions(dsn)[0]}")
    return 0


def doctor(options: argparse.Namespace, config: Config) -> int:
    from codex_pooler.doctor import examine

    return EXIT_FAILED if examine(config, print) else 0


def demo(options: argparse.Namespace, config: Config) -> int:
    from codex_pooler.demo import run_demo
    from codex_pooler.storage import migrate

    with postgres(config) as (dsn, _):
        migrate.upgrade(dsn)
        return run_async(run_demo(config, dsn))


def openapi(options: argparse.Namespace, config: Config) -> int:
    from codex_pooler.web.admin.app import openapi as document

    sys.stdout.write(document())
    return 0


def simulate_backend(options: argparse.Namespace, config: Config) -> int:
    from codex_pooler.simulator.app import serve as serve_simulator

    async def run() -> int:
        await serve_simulator(options.host, options.port, seed=options.seed, accounts=options.accounts)
        return 0

    return run_async(run())


def create_owner(options: argparse.Namespace, config: Config) -> int:
    from codex_pooler.operators.commands import AlreadyBootstrapped, WeakPassword, create_first_owner

    password = sys.stdin.readline().rstrip("\r\n")

    async def create(database: Any, keyring: Any) -> int:
        try:
            await create_first_owner(database, keyring, options.email, options.display_name, password)
        except AlreadyBootstrapped:
            print("codex-pooler: an owner exists already; sign in and add operators there", file=sys.stderr)
            return EXIT_OWNER_EXISTS
        except WeakPassword as exc:
            print(f"codex-pooler: {exc}", file=sys.stderr)
            return EXIT_USAGE
        print(f"created the owner {options.email}", file=sys.stderr)
        return 0

    return _with_database(config, create)


def create_token(options: argparse.Namespace, config: Config) -> int:
    from codex_pooler.operators import commands

    async def create(database: Any, keyring: Any) -> int:
        try:
            secret = await commands.create_token(
                database, keyring, options.email, options.label, options.days, options.scope
            )
        except commands.TokenRefused as exc:
            print(f"codex-pooler: {exc}", file=sys.stderr)
            return EXIT_USAGE
        print(secret)
        return 0

    return _with_database(config, create)


def rotate_keys(options: argparse.Namespace, config: Config) -> int:
    from codex_pooler.jobs.key_rotation import Rotation, sealed_places
    from codex_pooler.storage.keyring import add_generated_key

    if options.generate:
        if config.upstream_secret_key:
            print(
                "codex-pooler: the key comes from CODEX_POOLER_UPSTREAM_SECRET_KEY; add a new one there",
                file=sys.stderr,
            )
            return EXIT_USAGE
        version = add_generated_key(config.state_dir, config.upstream_secret_key_version)
        print(f"key {version} was added in {config.state_dir / 'keys' / 'upstream'}; keep a copy of that file")

    async def rotate(database: Any, keyring: Any) -> int:
        rotation = Rotation(database, keyring, sealed_places(config.state_dir), print)
        done = await (rotation.check() if options.check else rotation.run())
        return 0 if done else EXIT_FAILED

    return _with_database(config, rotate)


def _with_database(config: Config, work: Callable[[Any, Any], Coroutine[Any, Any, int]]) -> int:
    """Run against the database, which is started, or attached to, and migrated first."""
    from codex_pooler.process.installation import keyring_of
    from codex_pooler.storage import migrate
    from codex_pooler.storage.database import Database

    async def run(dsn: str) -> int:
        database = await Database.open(dsn, maxsize=2)
        try:
            return await work(database, keyring_of(config))
        finally:
            await database.close()

    with postgres(config) as (dsn, _):
        migrate.upgrade(dsn)
        return run_async(run(dsn))
