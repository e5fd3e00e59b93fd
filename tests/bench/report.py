"""Turns the samples of a run into the table of figures against their goals."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from functools import partial

from tests.bench.load import Sample
from tests.bench.scenarios import (
    ADDED_LATENCY_GOAL_US,
    GOALS,
    IDLE_MEGABYTES_GOAL,
    READY_SECONDS_GOAL,
    SCENARIOS,
    TIMES_NATIVE_GOAL,
    TRANSLATED,
    TRANSLATED_REAL,
    Goal,
)

TARGETS = ("gateway", "nginx", "plain")
HEAD = f"{'figure':<42}{'gateway':>9}{'nginx':>9}{'plain':>9}{'/nginx':>8}{'goal':>8}{'/plain':>8}{'goal':>8}  verdict"


def table(samples: Iterable[Sample]) -> list[str]:
    """One line per scenario, in the order of the scenarios' table."""
    taken = list(samples)
    native = [name for name, scenario in SCENARIOS.items() if scenario.shape == "native"]
    names = [name for name in native if any(sample.scenario == name for sample in taken)]
    return [HEAD, *(line(name, [sample for sample in taken if sample.scenario == name]) for name in names)]


def line(name: str, samples: list[Sample]) -> str:
    """The figures of one scenario, its ratios and whether they reach the goals."""
    scenario, goal = SCENARIOS[name], GOALS.get(name, Goal())
    if scenario.fresh_process:
        title, read = f"{scenario.title}: KB each", lambda sample: sample.kb_per_client
    else:
        title, read = f"{scenario.title}: µs/{scenario.unit}", lambda sample: sample.cpu_us
    figures = {target: median(samples, target, read) for target in TARGETS}
    ours, to_nginx = figures["gateway"], ratio(figures["gateway"], figures["nginx"])
    to_plain = ratio(figures["gateway"], figures["plain"])
    bounds = ((to_nginx, goal.times_nginx), (to_plain, goal.times_plain), (ours, goal.at_most))
    cells = [
        *(number(figures[target]) for target in TARGETS),
        number(to_nginx, 8, 2),
        number(goal.times_nginx, 8, 2),
        number(to_plain, 8, 2),
        number(goal.times_plain, 8, 2),
    ]
    at_most = f" (at most {goal.at_most:g})" if goal.at_most else ""
    return f"{title:<42}{''.join(cells)}  {verdict(bounds)}{at_most}{remark(samples)}"


def median(samples: list[Sample], target: str, read: Callable[[Sample], float]) -> float | None:
    """The median over a target's rounds, over the undisturbed ones where there are any."""
    own = [sample for sample in samples if sample.target == target]
    calm = [sample for sample in own if not sample.disturbed]
    return statistics.median(map(read, calm or own)) if own else None


def ratio(figure: float | None, reference: float | None) -> float | None:
    """How many times the reference, or None when one of them is missing."""
    return figure / reference if figure is not None and reference else None


def verdict(bounds: Iterable[tuple[float | None, float | None]]) -> str:
    """`ok` or `MISSED` when something was to be reached, else nothing."""
    known = [figure <= bound for figure, bound in bounds if figure is not None and bound is not None]
    return "" if not known else "ok" if all(known) else "MISSED"


def remark(samples: list[Sample]) -> str:
    """What makes the figures doubtful: failed turns, or a machine that was busy with other work."""
    words = [f"{s.target}: {s.failures} failures, first: {s.first_error[:120]}" for s in samples if s.failures]
    noisy = sorted(
        {s.target for s in samples if s.disturbed and all(o.disturbed for o in samples if o.target == s.target)}
    )
    if noisy:
        words.append(f"disturbed by other work: {', '.join(noisy)}")
    return "  ! " + "; ".join(words) if words else ""


def number(value: float | None, width: int = 9, digits: int = 1) -> str:
    """A right-aligned figure, or a dash."""
    return f"{value:>{width}.{digits}f}" if value is not None else f"{'-':>{width}}"


def translated(samples: Iterable[Sample]) -> list[str]:
    """What a turn of another protocol costs, in native turns of the same length."""
    taken, lines = list(samples), []
    for name, native in {**TRANSLATED, **TRANSLATED_REAL}.items():
        own = [sample for sample in taken if sample.scenario == name]
        reference = [sample for sample in taken if sample.scenario == native]
        times = ratio(median(own, "gateway", cpu_of), median(reference, "gateway", cpu_of))
        if times is not None:
            title = f"{name}: times a native turn"
            lines.append(f"{title:<42}{times:>9.2f}  {verdict([(times, TIMES_NATIVE_GOAL)])}{remark(own)}")
    return lines


def cpu_of(sample: Sample) -> float:
    """µs per unit."""
    return sample.cpu_us


def latency(samples: Iterable[Sample]) -> list[str]:
    """What the gateway adds to each event's way, over the load going straight to the upstream."""
    paced = [sample for sample in samples if sample.scenario == "sse_paced"]
    lines = []
    for quantile, goal in ADDED_LATENCY_GOAL_US.items():
        read = partial(latency_of, quantile)
        ours, straight = median(paced, "gateway", read), median(paced, "direct", read)
        if ours is not None and straight is not None:
            lines.append(single(f"added latency per event, {quantile}: µs", ours - straight, goal))
    return lines


def latency_of(quantile: str, sample: Sample) -> float:
    """A quantile of a round's event latency, in µs."""
    return sample.latency_us[quantile]


def single(title: str, figure: float, goal: float) -> str:
    """A line for a figure of the gateway alone."""
    return f"{title:<42}{figure:>9.1f}  {verdict([(figure, goal)])} (at most {goal:g})"


def start(ready_seconds: float, idle_megabytes: float) -> list[str]:
    """How fast the gateway starts with a migrated database, and what it occupies before any load."""
    return [
        single("start to the first answered turn: s", ready_seconds, READY_SECONDS_GOAL),
        single("memory of the idle gateway: MB", idle_megabytes, IDLE_MEGABYTES_GOAL),
    ]
