"""A terminal for interactive programs: a pseudo-terminal that answers what they ask of one, and its text."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

ROWS, COLUMNS = 40, 120
ANSWERS = {
    b"\x1b[6n": b"\x1b[1;1R",  # where the cursor is
    b"\x1b[c": b"\x1b[?62;c",  # what it can do
    b"\x1b[?u": b"\x1b[?0u",  # how it reports keys
    b"\x1b]10;?": b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",  # its colours
    b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
}
CONTROL = re.compile(
    rb"\x1b\[[0-9;?<>= ]*[A-Za-z]"  # moves, colours, modes
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and the like
    rb"|\x1b[()][A-Z0-9]|\x1b[=>78M]"
)
BETWEEN_KEYS = 0.3  # seconds; Codex takes what comes faster for a paste, in which Enter is a new line


class Terminal:
    """One program in a terminal of its own.  Times are in seconds."""

    def __init__(self, handle: int) -> None:
        self._handle, self._raw = handle, b""
        self._heard = asyncio.Event()
        asyncio.get_running_loop().add_reader(handle, self._read)

    @property
    def text(self) -> str:
        """Everything that was ever drawn, in that order, with a space for whatever moved the cursor."""
        return " ".join(CONTROL.sub(b" ", self._raw).decode("utf-8", "replace").split())

    async def shows(self, text: str, seconds: float = 30) -> None:
        """Wait until the text has been drawn; fails the test when it is not."""
        try:
            async with asyncio.timeout(seconds):
                while text not in self.text:
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            raise AssertionError(f"the terminal does not show {text!r}, but: {self.text[-2000:]}") from None

    async def enter(self, line: str) -> None:
        """Type a line and send it."""
        os.write(self._handle, line.encode())
        await self.shows(line)
        await asyncio.sleep(BETWEEN_KEYS)
        os.write(self._handle, b"\r")

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)

    def _read(self) -> None:
        try:
            data = os.read(self._handle, 65536)
        except OSError:  # the program has gone
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._handle)
            return
        self._raw += data
        self._heard.set()
        for question, answer in ANSWERS.items():
            os.write(self._handle, answer * data.count(question))


@asynccontextmanager
async def running(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> AsyncIterator[Terminal]:
    """The program in its terminal; it is ended with all that it has started."""
    handle, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdin=side, stdout=side, stderr=side, start_new_session=True
    )
    os.close(side)
    terminal = Terminal(handle)
    try:
        yield terminal
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        terminal.close()
