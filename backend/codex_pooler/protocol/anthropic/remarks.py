"""What a client asked for and will not get, in names that can stand in the answer's head."""

from __future__ import annotations

import re

MOST_NAMES = 32
STRANGE = "unknown"  # stands for names that could not stand in a header

_presentable = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Remarks:
    """Collects the names, each once."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(self._names)[:MOST_NAMES]

    def ignore(self, name: str) -> None:
        self._names[name if _presentable.fullmatch(name) else STRANGE] = None
