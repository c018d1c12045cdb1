#!/usr/bin/env python3
"""Measures Sojourn, and the Go collector on the same requests: CPU-seconds per million spans, memory, and whether everything arrived.

usage: run.py [SCENARIO ...] [--repetitions 3] [--without-peer] [--peer FILE] [--subject sojourn|otelcol]

The process under test has core 1, sender and sink have core 0. CPU is user and system time of the process and its children, from the first
request until everything is delivered and the process is quiet again. Every repetition is a fresh process with a warm-up before it. What was
accepted is compared with what arrived, span by span count. Raw results go to bench/results/, the table to standard output.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import payloads
import table
from scenarios import SCENARIOS, Scenario
from subject import cpu, free_port, get_json, memory, query, started, until_quiet

HERE = Path(__file__).parent
BUILD = HERE / ".build"
WARM_UP = 3.0


class Bench:
    """The ports, the tools and the collectors of one run of the benchmark."""

    def __init__(self, peer: Path | None) -> None:
        names = ("GRPC", "HTTP", "CLICKHOUSE", "OTLP_SINK", "METRICS", "EMBEDDED")
        self.ports = {name: free_port() for name in names}
        self.commands = {"sojourn": [str(Path(sys.executable).with_name("sojourn")), "run", "--config"]}
        if peer:
            self.commands["otelcol"] = [str(peer), "--config"]

    def measure(self, scenario: Scenario, subject: str) -> dict:
        """One repetition in fresh processes."""
        configuration = HERE / "configs" / f"{subject}-{scenario.configuration}.yaml"
        with tempfile.TemporaryDirectory(prefix="bench-", dir=BUILD) as directory:
            environment = {f"BENCH_{name}": str(port) for name, port in self.ports.items()} | {"BENCH_DATA_DIR": f"{directory}/data"}
            sink = [str(BUILD / "sink"), "-clickhouse", f"127.0.0.1:{self.ports['CLICKHOUSE']}"]
            sink += ["-otlp", f"127.0.0.1:{self.ports['OTLP_SINK']}", "-delay", scenario.delay]
            command = [*self.commands[subject], str(configuration)]
            log = BUILD / f"{scenario.name}-{subject}.log"
            with (
                started(sink, "0", [self.ports["CLICKHOUSE"], self.ports["OTLP_SINK"]], BUILD / "sink.log", {}) as (sink_pid, _),
                started(command, scenario.cores, [self.ports["GRPC"]], log, environment) as (pid, start),
            ):
                row = {"scenario": scenario.name, "subject": subject, "start": round(start, 2), "start_cpu": round(cpu(pid), 2)}
                time.sleep(3)
                row["idle"] = memory(pid)
                before = cpu(pid)
                time.sleep(2)
                row["idle_share"] = round((cpu(pid) - before) / 2 * 100, 2)
                if scenario.load:
                    row |= self._under_load(scenario, pid, sink_pid)
                return row | {"load_average": os.getloadavg()[0]}

    def _under_load(self, scenario: Scenario, pid: int, sink_pid: int) -> dict:
        first = self._send(scenario, WARM_UP, scenario.rate)
        rate = round(first["accepted"] / first["wall"] / 2) if scenario.half else scenario.rate
        self._drain(scenario, first["accepted"])
        until_quiet(pid)
        already = self._delivered(scenario)
        syncs = sync_times() if scenario.synced else []
        before, sink_before, begun = cpu(pid), cpu(sink_pid), time.monotonic()
        sent = self._send(scenario, scenario.seconds, rate)
        busy, loaded = cpu(pid) - before, memory(pid)
        self._drain(scenario, already + sent["accepted"])
        flowed = time.monotonic() - begun
        until_quiet(pid)
        used, delivered = cpu(pid) - before, self._delivered(scenario) - already
        sync = over_syncs(sent["p99_ms"], syncs + sync_times()) if scenario.synced else {}
        return sync | {
            "accepted": sent["accepted"],
            "delivered": delivered,
            "refused": sent["refused"] + sent["rejected"],
            "lost": sent["lost"],
            "answers": sent.get("answers", {}),
            "cpu": round(used / max(delivered, 1) * 1e6, 3),
            "share": round(busy / sent["wall"] * 100, 1),
            "rate": round(sent["accepted"] / sent["wall"]),
            "flow": round(delivered / flowed),
            "loaded": loaded,
            "peak": memory(pid, "VmHWM"),
            "p50": sent["p50_ms"],
            "p99": sent["p99_ms"],
            "sink_cpu": round((cpu(sink_pid) - sink_before) / max(delivered, 1) * 1e6, 3),
            "sink": self._stats(),
        }

    def _send(self, scenario: Scenario, seconds: float, rate: int) -> dict:
        port = self.ports["GRPC" if scenario.protocol == "grpc" else "HTTP"]
        command = ["taskset", "-c", "0", str(BUILD / "load"), "-payload", str(BUILD / "payloads" / f"{scenario.workload}.otlp"), "-fresh"]
        command += [
            "-target",
            f"127.0.0.1:{port}",
            "-protocol",
            scenario.protocol,
            "-signal",
            scenario.signal,
            "-seconds",
            str(seconds),
            "-rate",
            str(rate),
        ]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def _stats(self) -> dict:
        return get_json(self.ports["CLICKHOUSE"], "/stats")

    def _delivered(self, scenario: Scenario) -> int:
        if not scenario.stored:
            return int(query(self.ports["EMBEDDED"], "SELECT count() FROM otel.otel_traces"))
        tables = self._stats()["tables"]
        return sum(table["rows"] for name, table in tables.items() if fnmatch.fnmatchcase(name, scenario.stored))

    def _drain(self, scenario: Scenario, expected: int) -> None:
        deadline = time.monotonic() + 90
        while self._delivered(scenario) < expected and time.monotonic() < deadline:
            time.sleep(0.3)


def sync_times() -> list[float]:
    """Milliseconds that each of 200 syncs takes, of a quarter of a mebibyte written over what was there."""
    file = os.open(BUILD / "sync", os.O_RDWR | os.O_CREAT)
    times = []
    try:
        for number in range(264):
            os.pwrite(file, os.urandom(1 << 18), number % 64 << 18)
            begun = time.perf_counter()
            os.fdatasync(file)
            times.append((time.perf_counter() - begun) * 1000)
    finally:
        os.close(file)
        os.unlink(BUILD / "sync")
    return times[64:]


def over_syncs(answer: float, syncs: list[float]) -> dict:
    """How much longer the p99 answer takes than three p99 syncs, in ms."""
    p99 = sorted(syncs)[len(syncs) * 99 // 100 - 1]
    return {"sync_p99": round(p99, 2), "over_sync": round(answer - 3 * p99, 1)}


def prepare() -> None:
    """Build sender and sink, write the payloads."""
    BUILD.mkdir(exist_ok=True)
    for tool in ("load", "sink"):
        subprocess.run(["go", "build", "-o", str(BUILD / tool), "."], cwd=HERE / tool, check=True)
    payloads.write(BUILD / "payloads")


def build_peer() -> Path:
    """The Go collector, put together by its own builder: once, some minutes."""
    binary = BUILD / "otelcol" / "otelcol"
    if not binary.exists():
        print("bench: building the Go collector, once: some minutes", file=sys.stderr)
        builder = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"
        subprocess.run(["go", "run", builder, "--config", str(HERE / "peer" / "builder.yaml")], cwd=BUILD, check=True)
    return binary


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(scenario.name for scenario in SCENARIOS))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--without-peer", action="store_true", help="measure Sojourn only")
    parser.add_argument("--peer", type=Path, help="the Go collector, if it is already built")
    parser.add_argument("--subject", choices=("sojourn", "otelcol"), help="measure only this collector")
    options = parser.parse_args()
    unknown = set(options.scenarios) - {scenario.name for scenario in SCENARIOS}
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}: there are {', '.join(scenario.name for scenario in SCENARIOS)}")
    if shutil.which("taskset") is None or (os.cpu_count() or 1) < 2:
        parser.error("taskset and two cores are needed: the collector has one, sender and sink the other")
    prepare()
    bench = Bench(None if options.without_peer else options.peer or build_peer())
    runs = [
        (scenario, subject)
        for scenario in SCENARIOS
        if not options.scenarios or scenario.name in options.scenarios
        for subject in bench.commands
        if (subject == "sojourn" or scenario.peer) and options.subject in (None, subject)
    ]
    rows = _measure_all(bench, runs, options.repetitions)
    print(table.render(rows))


def _measure_all(bench: Bench, runs: list[tuple[Scenario, str]], repetitions: int) -> list[dict]:
    """Repetitions outside, scenarios inside: what else happens on the machine hits all of them alike."""
    (HERE / "results").mkdir(exist_ok=True)
    file = HERE / "results" / time.strftime("%Y-%m-%dT%H-%M-%S.jsonl")
    rows, total = [], len(runs) * repetitions
    for repetition in range(repetitions):
        for number, (scenario, subject) in enumerate(runs, 1 + repetition * len(runs)):
            print(f"[{number}/{total}] {subject}: {scenario.question}", end=" … ", file=sys.stderr, flush=True)
            row = bench.measure(scenario, subject)
            rows.append(row)
            with file.open("a") as out:
                out.write(json.dumps(row) + "\n")
            print(table.brief(row), file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    main()
