"""Whatever is declared can be counted, and is written as Prometheus reads it."""

from __future__ import annotations

from codex_pooler.telemetry.metrics import COUNTERS, GAUGE_LABELS, GAUGES, JOBS, TURNS, Gauges, Metrics


def test_every_metric_can_be_written() -> None:
    metrics = Metrics()
    for name, (_, *labels) in COUNTERS.items():
        metrics.count(name, *labels)
    gauges: Gauges = {name: {"some": 2.0} if name in GAUGE_LABELS else 2.0 for name in GAUGES}
    lines = [line for line in metrics.text(gauges)[0].decode().splitlines() if not line.startswith("#")]
    assert len(lines) == len(COUNTERS) + len(GAUGES)
    assert f'{JOBS}{{kind="kind",outcome="outcome"}} 1' in lines


def test_counts_add_up_by_their_labels() -> None:
    metrics = Metrics()
    metrics.count(TURNS, "succeeded")
    metrics.count(TURNS, "succeeded", amount=2)
    metrics.count(TURNS, "failed")
    text = metrics.text({})[0].decode()
    assert f'{TURNS}{{status="succeeded"}} 3' in text
    assert f'{TURNS}{{status="failed"}} 1' in text
