"""Writes down that a turn began and how it ended, before either counts.  Never waits for the database."""

from __future__ import annotations

import asyncio

from codex_pooler.storage.spool import Spool


class Journal:
    """The request path's side of the log."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.arrived = asyncio.Event()  # the writer waits for this

    def begin(self, turn_id: str, record: bytes) -> None:
        """A turn was admitted.  ``record``: what settlement.begun_row made of it."""
        self._spool.begin(turn_id, record)

    def end(self, turn_id: str, record: bytes) -> None:
        """A turn is over.  ``record``: what settlement.final_row made of it."""
        self._spool.end(turn_id, record)
        self.arrived.set()
