"""Spends refresh tokens in a process beside this one, so that killing this one never costs a login.

Between the sign-in server's rotation and the disk the new token exists nowhere else.  The courier takes no signals,
goes on when its gateway is gone, writes down what it was given, and ends when nothing is left to do.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from codex_pooler.accounts.exchange import Exchanged, OwnExchange, Spending
from codex_pooler.accounts.kept_logins import KeptLogins
from codex_pooler.accounts.renewal import Renewed
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.storage.vault import SecretBox
from codex_pooler.upstream.oauth import TRANSIENT, RefreshRefused, SignIn

IDLE_SECONDS = 60.0  # without work, a courier is sent home
LINE_LIMIT_BYTES = 1024 * 1024
COMMAND = (sys.executable, "-m", "codex_pooler.accounts.courier")
CLOSE_SECONDS = 2.0  # longer than an idle child needs; one that is still at work is left to it


@dataclass(frozen=True)
class Equipment:
    """What a courier needs: the sign-in server, where to keep logins, and the newest key to seal them with."""

    origin: str
    timeout_seconds: float
    folder: Path
    purpose: str
    version: int
    root: bytes = field(repr=False)

    def packed(self) -> bytes:
        """As plain JSON."""
        told = vars(self) | {"folder": str(self.folder), "root": base64.b64encode(self.root).decode()}
        return orjson.dumps(told)

    @classmethod
    def unpacked(cls, raw: bytes) -> Equipment:
        """Inverse of ``packed``."""
        told = orjson.loads(raw)
        return cls(**told | {"folder": Path(told["folder"]), "root": base64.b64decode(told["root"])})

    def exchange(self) -> OwnExchange:
        """What the courier works with."""
        box = SecretBox(self.purpose, {self.version: self.root})
        return OwnExchange(SignIn(self.origin, self.timeout_seconds), KeptLogins(box, SecretSpool(self.folder)))


class Courier:
    """This process's side: a child is started when there is something to spend, and sent home when there is not."""

    def __init__(self, sign_in: SignIn, logins: KeptLogins, idle_seconds: float = IDLE_SECONDS) -> None:
        version, root = logins.box.newest
        self._equipment = Equipment(
            sign_in.origin, sign_in.timeout_seconds, logins.spool.folder, logins.box.purpose, version, root
        )
        self._idle_seconds = idle_seconds
        self._child: _Child | None = None
        self._starting = asyncio.Lock()
        self._goes_home: asyncio.TimerHandle | None = None

    async def spend(self, spending: Spending) -> Exchanged:
        """Spend the token.  Raises RefreshRefused."""
        try:
            child = await self._at_work()
        except OSError:
            raise RefreshRefused("sign_in_not_started", TRANSIENT) from None
        try:
            return await child.spend(spending)
        finally:
            self._rest(child)

    async def close(self) -> None:
        """Send the child home."""
        child = self._child
        self._send_home()
        if child:
            await asyncio.wait({child.listening}, timeout=CLOSE_SECONDS)

    async def _at_work(self) -> _Child:
        """The child, started if need be.  Raises OSError."""
        async with self._starting:
            self._stay()
            if self._child is None or self._child.gone:
                process = await asyncio.create_subprocess_exec(
                    *COMMAND, stdin=PIPE, stdout=PIPE, start_new_session=True, limit=LINE_LIMIT_BYTES
                )
                self._child = _Child(process, self._equipment)
            return self._child

    def _stay(self) -> None:
        if self._goes_home:
            self._goes_home.cancel()
            self._goes_home = None

    def _rest(self, child: _Child) -> None:
        if child is self._child and not child.waiting:
            self._stay()
            self._goes_home = asyncio.get_running_loop().call_later(self._idle_seconds, self._send_home)

    def _send_home(self) -> None:
        self._stay()
        child, self._child = self._child, None
        if child:
            child.send_home()


class _Child:
    """A running child, and who waits for its answers."""

    def __init__(self, process: Process, equipment: Equipment) -> None:
        assert process.stdin
        assert process.stdout
        self._process, self._orders, self._answers = process, process.stdin, process.stdout
        self._numbers = itertools.count()
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.listening = asyncio.create_task(self._listen(), name="courier")
        self._tell(equipment.packed())

    @property
    def gone(self) -> bool:
        return self.listening.done() or self._answers.at_eof()

    async def spend(self, spending: Spending) -> Exchanged:
        """Raises RefreshRefused."""
        number = next(self._numbers)
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        self._tell(b"%d\t%b" % (number, spending.packed()))
        try:
            return _read_answer(await answer)
        finally:
            del self.waiting[number]

    def send_home(self) -> None:
        """The end of its input tells the child that nothing more comes."""
        self._orders.close()

    def _tell(self, line: bytes) -> None:
        self._orders.write(line + b"\n")

    async def _listen(self) -> None:
        """Hand out answers until the child is gone; what it left unanswered may have been spent."""
        while line := await self._answers.readline():
            found = orjson.loads(line)
            answer = self.waiting.get(found["number"])
            if answer and not answer.done():
                answer.set_result(found)
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(RefreshRefused("sign_in_answer_lost", TRANSIENT))
        await self._process.wait()


def _read_answer(found: dict[str, Any]) -> Exchanged:
    if "code" in found:
        raise RefreshRefused(found["code"], found["meaning"])
    kept = Path(found["kept"]) if found["kept"] else None
    return Exchanged(Renewed.unpacked(base64.b64decode(found["renewed"])), kept, found["trouble"])


# -- the child


async def run() -> None:
    """Spend what comes in on standard input, each for itself, until there is no more."""
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    lines = await _standard_input()
    exchange = Equipment.unpacked(await lines.readline()).exchange()
    async with asyncio.TaskGroup() as tasks:
        while line := await lines.readline():
            number, _, order = line.partition(b"\t")
            tasks.create_task(carry(exchange, int(number), Spending.unpacked(order)))


async def carry(exchange: OwnExchange, number: int, spending: Spending) -> None:
    """One errand: spend the token and tell how that went."""
    try:
        done = await exchange.spend(spending)
    except RefreshRefused as exc:
        _answer({"number": number, "code": exc.code, "meaning": exc.meaning})
        return
    except Exception as exc:  # one errand that breaks off must not take the others with it
        sys.stderr.write(f"the courier could not renew a login: {type(exc).__name__}\n")
        _answer({"number": number, "code": "sign_in_answer_lost", "meaning": TRANSIENT})
        return
    new = base64.b64encode(done.renewed.packed()).decode()
    _answer({"number": number, "renewed": new, "kept": done.kept and str(done.kept), "trouble": done.trouble})


def _answer(told: dict[str, Any]) -> None:
    """Nobody may be there any more; the disk has what matters."""
    with suppress(BrokenPipeError):
        os.write(1, orjson.dumps(told) + b"\n")


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=LINE_LIMIT_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


if __name__ == "__main__":
    asyncio.run(run())
