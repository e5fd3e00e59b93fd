"""The benchmark: the gateway next to nginx and a plain aiohttp proxy, in one run, rounds interleaved.

The figure to compare is the CPU that a target's processes used divided by the work done in that time; absolute values
move with the machine, ratios of one run do not.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from tests.bench import load, measure, report, targets
from tests.bench.load import Sample, Tools
from tests.bench.scenarios import SCENARIOS, USUAL, WEBSOCKET
from tests.bench.targets import CannotStart, Target

QUICK_SCALE = 0.4


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=…", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: about two minutes")
    parser.add_argument("--websocket", action="store_true", help="also the websocket scenarios")
    parser.add_argument("--scenarios", help=f"comma-separated, of {', '.join(SCENARIOS)}")
    parser.add_argument("--targets", default="gateway,nginx,plain,direct", help="comma-separated")
    parser.add_argument("--rounds", type=int, help="rounds per scenario and target (default 3, quick 2)")
    parser.add_argument("--json", type=Path, help="also write every round's figures to this file, one per line")
    return parser.parse_args()


def chosen(options: argparse.Namespace) -> list[str]:
    """The scenarios to run."""
    if options.scenarios:
        return [name for name in options.scenarios.split(",") if name in SCENARIOS]
    return [*USUAL, *(WEBSOCKET if options.websocket else ())]


def available(wanted: str, folder: Path, upstream: int) -> Iterator[Target]:
    """The wanted targets that exist here; the others are named with the reason."""
    makers = {"gateway": targets.gateway, "nginx": targets.nginx, "plain": targets.plain}
    for name in wanted.split(","):
        if name == "direct":
            yield targets.direct(upstream)
            continue
        own = folder / name
        own.mkdir()
        own.chmod(0o755)
        target = makers[name](own, upstream)
        if target:
            yield target
        else:
            print(f"{name} is not installed and is left out", flush=True)


def run_rounds(names: list[str], taking_part: list[Target], kit: Tools, rounds: int, scale: float) -> Iterator[Sample]:
    """Measure every scenario on every target, in alternating order so that slow drifts of the machine cancel out."""
    for name in names:
        scenario = SCENARIOS[name]
        for number in range(rounds):
            for target in taking_part if number % 2 == 0 else taking_part[::-1]:
                if target.name == "direct" and name != "sse_paced":
                    continue
                if target.name != "gateway" and scenario.shape != "native":
                    continue
                sample = load.measure(name, scenario, target, kit, scale)
                print(describe(sample), flush=True)
                yield sample


def describe(sample: Sample) -> str:
    """One round in one line."""
    words = [f"{sample.scenario:<10} {sample.target:<8} {sample.cpu_us:9.1f} µs/{SCENARIOS[sample.scenario].unit}"]
    words.append(f"{sample.units:9.0f} {SCENARIOS[sample.scenario].unit}s")
    if SCENARIOS[sample.scenario].fresh_process:
        words.append(f"{sample.kb_per_client:.1f} KB each")
    if sample.database_us:
        words.append(f"Postgres {sample.database_us:.1f} µs")
    if sample.disturbed:
        words.append("(disturbed)")
    if sample.failures:
        words.append(f"{sample.failures} FAILURES: {sample.first_error[:200]}")
    return "  ".join(words)


def bench(options: argparse.Namespace, folder: Path) -> int:
    """Run the benchmark in a temporary folder.  Returns 1 when turns failed."""
    rounds = options.rounds or (2 if options.quick else 3)
    samples: list[Sample] = []
    started: list[str] = []
    with ExitStack() as stack:
        kit = stack.enter_context(load.tools(folder))
        taking_part = []
        for target in available(options.targets, folder, kit.upstream_port):
            stack.callback(target.stop)
            seconds = target.start()
            taking_part.append(target)
            if target.name == "gateway" and target.pid:
                started = report.start(seconds, measure.cost_of(target.pid).memory / 1e6)
        for sample in run_rounds(chosen(options), taking_part, kit, rounds, QUICK_SCALE if options.quick else 1.0):
            samples.append(sample)
            if options.json:
                with options.json.open("a") as file:
                    file.write(json.dumps(asdict(sample)) + "\n")
    print("\n" + "\n".join([*report.table(samples), *report.translated(samples), *report.latency(samples), *started]))
    return int(any(sample.failures for sample in samples))


def main() -> int:
    """Run the benchmark.  Returns the exit code."""
    options = arguments()
    if not sys.platform.startswith("linux"):
        print("The benchmark reads /proc and needs Linux; skipped")
        return 0
    if load.compiler() is None:
        print("The benchmark's load generator needs a C compiler (cc), which is not installed; skipped")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped on the way out
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory(prefix="codex-pooler-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            return bench(options, folder)
        except CannotStart as failure:
            print(f"The benchmark stopped: {failure}")
            return 1


if __name__ == "__main__":
    sys.exit(main())
