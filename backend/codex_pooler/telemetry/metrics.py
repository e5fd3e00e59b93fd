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
CALLS = "codex_pooler_calls_total"
ATTEMPTS = "codex_pooler_attempts_total"
ROWS = "codex_pooler_log_rows_stored_total"
INGRESS_REFUSED = "codex_pooler_ingress_refused_total"
ADMISSION_REFUSED = "codex_pooler_admission_refused_total"
ADMISSION_IN_USE = "codex_pooler_admission_in_use"
ADMISSION_WAITING = "codex_pooler_admission_waiting"
COUNTERS = {
    TURNS: ("Finished turns by status.", "status"),
    CALLS: ("Finished requests that are not turns (files, images, audio, helper routes) by status.", "status"),
    ATTEMPTS: ("Attempts on accounts by outcome.", "outcome"),
    ROWS: ("Request log rows moved into the database.", "kind"),
    INGRESS_REFUSED: ("Requests the firewall turned away by reason.", "reason"),
    ADMISSION_REFUSED: ("Requests refused because the gateway was full, by reason.", "reason"),
}
GAUGES = {
    "codex_pooler_turns_in_flight": "Turns being served.",
    "codex_pooler_spool_backlog_bytes": "Journal bytes that have not reached the database yet.",
    "codex_pooler_spool_failures": "Journal writes the disk refused since start.",
    "codex_pooler_accounts_known": "Accounts in the routing snapshot.",
    ADMISSION_IN_USE: "Requests inside the bulkheads.",
    ADMISSION_WAITING: "Requests waiting at the bulkheads.",
}
GAUGE_LABELS = {ADMISSION_IN_USE: "route_class", ADMISSION_WAITING: "route_class"}
Gauges = Mapping[str, float | Mapping[str, float]]


@dataclass
class Metrics:
    """Counting is one dictionary update; nothing is formatted before a scrape."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, name: str, label: str, amount: int = 1) -> None:
        self.counts[name, label] += amount

    def text(self, gauges: Gauges) -> tuple[bytes, Mapping[str, str]]:
        """The exposition and its headers.  ``gauges``: current values by name, or by name and label."""
        registry = Registry()
        for name, (help_text, label) in COUNTERS.items():
            counter = PrometheusCounter(name, help_text, registry=registry)
            for (counted, value), amount in self.counts.items():
                if counted == name:
                    counter.set({label: value}, amount)
        for name, held in gauges.items():
            gauge = Gauge(name, GAUGES[name], registry=registry)
            for value, number in held.items() if isinstance(held, Mapping) else [("", held)]:
                gauge.set({GAUGE_LABELS[name]: value} if value else {}, number)
        body, headers = render(registry, ["text/plain"])
        return body, headers
