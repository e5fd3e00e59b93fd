"""What a client asked for and will not get, by the names that it knows."""

from __future__ import annotations


class Remarks:
    """Collects the names, each once."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(self._names)

    def ignore(self, name: str) -> None:
        self._names[name] = None
