"""Applies one kind of load to one target and reads what it cost."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.measure import Cost, cost_of
from tests.bench.scenarios import FLAGS, PATHS, Scenario, Unit
from tests.bench.targets import CannotStart, Target, free_port

NATIVE = Path(__file__).resolve().parent / "native"
NO_COST = Cost(0.0, 0.0, 0.0, 0)
# A round in which the target waited for a core longer than this share of its CPU time says little.
TOO_DISTURBED = 0.5


@dataclass(frozen=True)
class Sample:
    """One measured round.  CPU in µs per unit of the scenario, memory in KB per connection, latencies in µs."""

    scenario: str
    target: str
    units: float
    cpu_us: float
    database_us: float
    kb_per_client: float
    latency_us: dict[str, float]
    disturbed: bool
    failures: int
    first_error: str


@dataclass(frozen=True)
class Tools:
    """The compiled load generator and the running mock upstream."""

    load_generator: Path
    upstream_port: int

    def configure_upstream(self, scenario: Scenario) -> None:
        """Set length and pace of the turns that start from now on."""
        settings = f"n={scenario.events_per_turn}&d={scenario.event_gap_us}&s=220&f=0"
        urllib.request.urlopen(f"http://127.0.0.1:{self.upstream_port}/__ctl?{settings}", timeout=5).read()


def compiler() -> str | None:
    """The C compiler, or None where there is none."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@contextmanager
def tools(folder: Path) -> Iterator[Tools]:
    """Compile both native programs and keep the mock upstream running."""
    for name in ("upstream", "loadgen"):
        subprocess.run([compiler() or "cc", "-O2", "-o", folder / name, NATIVE / f"{name}.c"], check=True)
    port = free_port()
    mock = Target("upstream", port, [str(folder / "upstream"), "-p", str(port)], folder=folder)
    mock.start()
    try:
        yield Tools(folder / "loadgen", port)
    finally:
        mock.stop()


def measure(name: str, scenario: Scenario, target: Target, kit: Tools, scale: float) -> Sample:
    """Run one round; `scale` shortens it.  Raises CannotStart when a target does not come back after a restart."""
    if scenario.fresh_process:
        restart_warm(target, kit)
    kit.configure_upstream(scenario)
    before = reading(target)
    begin = end = before
    result: dict[str, Any] = {}
    with subprocess.Popen(arguments(scenario, target, kit, scale), stdout=subprocess.PIPE, text=True) as generator:
        for line in generator.stdout or ():
            if line.startswith("MARK begin"):
                begin = reading(target)
            elif line.startswith("MARK end"):
                end = reading(target)
            elif line.startswith("{"):
                result = json.loads(line)
    if not result:
        raise CannotStart(f"the load generator ended with {generator.returncode} against {target.name}")
    return sample(name, scenario, target, result, spent=end - begin, grown=end - before)


def sample(name: str, scenario: Scenario, target: Target, result: dict[str, Any], spent: Cost, grown: Cost) -> Sample:
    """Put the load generator's figures and the target's cost together."""
    units = units_done(scenario.unit, result)
    return Sample(
        scenario=name,
        target=target.name,
        units=units,
        cpu_us=spent.cpu * 1e6 / units if units else 0.0,
        database_us=spent.database_cpu * 1e6 / units if units else 0.0,
        kb_per_client=grown.memory / 1024 / max(1, int(result["up"])),
        latency_us={quantile: float(result["event_us"][quantile]) for quantile in ("p50", "p99")},
        disturbed=not scenario.fresh_process and spent.waited > TOO_DISTURBED * spent.cpu,
        failures=int(result["errors"]) + int(result["incomplete"]),
        first_error=str(result["first_error"]),
    )


def units_done(unit: Unit, result: dict[str, Any]) -> float:
    """How much work the marked window held."""
    return {"turn": result["turns"], "event": result["events"], "MB": result["bytes_out"] / 1e6}[unit] or 0.0


def reading(target: Target) -> Cost:
    """The target's cost so far; nothing for a target without a process."""
    return cost_of(target.pid) if target.pid else NO_COST


def restart_warm(target: Target, kit: Tools) -> None:
    """A new process that has served a few turns, so that what is built on first use is not counted per connection."""
    warm_up = Scenario("warm-up", "sse", "turn", clients=8, seconds=0.7, events_per_turn=5, settle_seconds=0.1)
    kit.configure_upstream(warm_up)  # before the start, which waits for the end of a turn
    target.stop()
    target.start()
    subprocess.run(arguments(warm_up, target, kit, 1.0), stdout=subprocess.DEVNULL, check=False, timeout=60)
    time.sleep(0.3)


def arguments(scenario: Scenario, target: Target, kit: Tools, scale: float) -> list[str]:
    """The load generator's command line."""
    options: dict[str, object] = {
        "-m": scenario.mode,
        "-p": target.port,
        "-P": PATHS[scenario.shape],
        "-k": target.key,
        "-c": scenario.clients,
        "-t": scenario.seconds * scale,
        "-r": scenario.ramp_seconds,
        "-w": scenario.settle_seconds,
        "-b": scenario.body_bytes,
    }
    words = [str(word) for pair in options.items() for word in pair]
    return [str(kit.load_generator), *words, *FLAGS[scenario.shape]]
