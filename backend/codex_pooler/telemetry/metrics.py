"""The process's metrics: plain numbers while it works, Prometheus text when somebody asks.

Label values come from closed sets only: the renderer does not escape them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from aioprometheus.collectors import Counter as PrometheusCounter
from aioprometheus.collectors import Gauge, Registry
from aioprometheus.renderer import render

TURNS = "codex_pooler_turns_total"
ATTEMPTS = "codex_pooler_attempts_total"
ROWS = "codex_pooler_log_rows_stored_total"
COUNTERS = {
    TURNS: ("Finished turns by status.", "status"),
    ATTEMPTS: ("Attempts on accounts by outcome.", "outcome"),
    ROWS: ("Request log rows moved into the database.", "kind"),
}
GAUGES = {
    "codex_pooler_turns_in_flight": "Turns being served.",
    "codex_pooler_spool_backlog_bytes": "Journal bytes that have not reached the database yet.",
    "codex_pooler_spool_failures": "Journal writes the disk refused since start.",
    "codex_pooler_accounts_known": "Accounts in the routing snapshot.",
}


@dataclass
class Metrics:
    """Counting is one dictionary update; nothing is formatted before a scrape."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, name: str, label: str, amount: int = 1) -> None:
        self.counts[name, label] += amount

    def text(self, gauges: Mapping[str, float]) -> tuple[bytes, Mapping[str, str]]:
        """The exposition and its headers.  ``gauges``: current values by name."""
        registry = Registry()
        for name, (help_text, label) in COUNTERS.items():
            counter = PrometheusCounter(name, help_text, registry=registry)
            for (counted, value), amount in self.counts.items():
                if counted == name:
                    counter.set({label: value}, amount)
        for name, number in gauges.items():
            Gauge(name, GAUGES[name], registry=registry).set({}, number)
        body, headers = render(registry, ["text/plain"])
        return body, headers
