"""A program run to its end, as a person would at a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

SHOWN = 4000  # characters of what a failed program said last


async def printed(command: Sequence[str], work: Path, environment: Mapping[str, str], seconds: float) -> str:
    """What it wrote to standard output.  Fails the test when the program fails; raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=work,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, (out + b"\n" + err).decode()[-SHOWN:]
    return out.decode()
