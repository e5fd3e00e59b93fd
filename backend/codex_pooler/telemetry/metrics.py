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
JOBS = "codex_pooler_jobs_total"
RENEWALS = "codex_pooler_login_renewals_total"
SIGN_INS = "codex_pooler_sign_ins_total"
INVITES = "codex_pooler_invites_total"
USAGE_POLLS = "codex_pooler_usage_polls_total"
SAVED_RESETS = "codex_pooler_saved_resets_total"
ACCOUNTS = "codex_pooler_accounts"
LOGINS_NEEDED = "codex_pooler_accounts_needing_login"
LEADS = "codex_pooler_leads"
PROCESSES = "codex_pooler_processes"
INGRESS_REFUSED = "codex_pooler_ingress_refused_total"
ADMISSION_REFUSED = "codex_pooler_admission_refused_total"
ADMISSION_IN_USE = "codex_pooler_admission_in_use"
ADMISSION_WAITING = "codex_pooler_admission_waiting"
COUNTERS: Mapping[str, tuple[str, ...]] = {  # name -> what it counts, and its labels
    TURNS: ("Finished turns by status.", "status"),
    CALLS: ("Finished requests that are not turns (files, images, audio, helper routes) by status.", "status"),
    ATTEMPTS: ("Attempts on accounts by outcome.", "outcome"),
    ROWS: ("Request log rows moved into the database.", "kind"),
    JOBS: ("Ended attempts of background jobs by kind and outcome.", "kind", "outcome"),
    RENEWALS: ("Logins that were due or refused, by what the sign-in server made of them.", "outcome"),
    SIGN_INS: ("Sign-ins by browser or device code that are over, by how they ended.", "outcome"),
    INVITES: ("Invites that are over, by how they ended.", "outcome"),
    USAGE_POLLS: ("Questions for an account's usage by outcome.", "outcome"),
    SAVED_RESETS: ("Requests to spend a saved reset, by why and by what the backend answered.", "trigger", "outcome"),
    INGRESS_REFUSED: ("Requests the firewall turned away by reason.", "reason"),
    ADMISSION_REFUSED: ("Requests refused because the gateway was full, by reason.", "reason"),
}
GAUGES = {
    "codex_pooler_turns_in_flight": "Turns being served.",
    "codex_pooler_spool_backlog_bytes": "Journal bytes that have not reached the database yet.",
    "codex_pooler_spool_failures": "Journal writes the disk refused since start.",
    "codex_pooler_accounts_known": "Accounts in the routing snapshot.",
    ACCOUNTS: "Accounts in the routing snapshot by state.",
    LOGINS_NEEDED: "Accounts in the routing snapshot that serve nothing until a person signs in.",
    LEADS: "1 for each loop that this process runs for the whole installation, 0 for the others.",
    PROCESSES: "Processes of the installation that were heard of lately, by role.",
    ADMISSION_IN_USE: "Requests inside the bulkheads.",
    ADMISSION_WAITING: "Requests waiting at the bulkheads.",
}
GAUGE_LABELS = {
    ADMISSION_IN_USE: "route_class",
    ADMISSION_WAITING: "route_class",
    ACCOUNTS: "state",
    LEADS: "loop",
    PROCESSES: "role",
}
Gauges = Mapping[str, float | Mapping[str, float]]


@dataclass
class Metrics:
    """Counting is one dictionary update; nothing is formatted before a scrape."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def count(self, name: str, *values: str, amount: int = 1) -> None:
        """Count under the values of the labels that COUNTERS names."""
        self.counts[name, *values] += amount

    def text(self, gauges: Gauges) -> tuple[bytes, Mapping[str, str]]:
        """The exposition and its headers.  ``gauges``: current values by name, or by name and label."""
        registry = Registry()
        counters = {
            name: PrometheusCounter(name, help_text, registry=registry) for name, (help_text, *_) in COUNTERS.items()
        }
        for (name, *values), amount in self.counts.items():
            counters[name].set(dict(zip(COUNTERS[name][1:], values, strict=True)), amount)
        for name, held in gauges.items():
            gauge = Gauge(name, GAUGES[name], registry=registry)
            for value, number in held.items() if isinstance(held, Mapping) else [("", held)]:
                gauge.set({GAUGE_LABELS[name]: value} if value else {}, number)
        body, headers = render(registry, ["text/plain"])
        return body, headers
