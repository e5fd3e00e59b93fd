"""Writes down that a turn began and how it ended, before either counts.  Never waits for the database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from codex_pooler.storage.spool import Spool


class Journal:
    """The request path's side of the log."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.arrived = asyncio.Event()  # the writer waits for this

    def begin(self, turn_id: str, record: Mapping[str, Any]) -> None:
        """A turn was admitted.  ``record``: the columns of ``requests`` that are known by now."""
        self._spool.begin(turn_id, orjson.dumps(record))

    def end(self, turn_id: str, record: Mapping[str, Any]) -> None:
        """A turn is over.  ``record``: its whole row."""
        self._spool.end(turn_id, orjson.dumps(record))
        self.arrived.set()
