"""What a person gives to a program with a prompt: a form for the answer, and a picture."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "lines": {"type": "integer"}},
    "required": ["answer", "lines"],
    "additionalProperties": False,
}


def picture(path: Path, side: int = 1300) -> None:
    """A PNG of noise: so little of it can be packed that a turn with it comes to 6.8 MB."""
    noise = random.Random(7)
    rows = zlib.compress(b"".join(b"\0" + noise.randbytes(side * 3) for _ in range(side)), 1)
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    written = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(written))
