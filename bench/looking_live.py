#!/usr/bin/env python3
"""How much longer the page and the API take while spans come in: `python bench/looking_live.py [--sessions 1000000] [--rate 20000]`.

A collector with the embedded database, in which so many sessions lie, answers each question of looking.py in turn: first with nothing
else to do, then while so many spans a second are sent to it. Prints the p95 of each, in milliseconds, and their ratio.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
from looking import QUESTIONS, filled, measured
from run import BUILD, HERE, prepare
from subject import free_port, query, started, until_quiet

from sojourn.storage.address import Address
from sojourn.storage.database import Database

PORTS = ("GRPC", "HTTP", "EMBEDDED", "METRICS", "WEB")
Times = dict[str, list[float]]


def fill(directory: str, sessions: int) -> None:
    """In a process of its own: the embedded database belongs to one at a time."""
    with Database(Address("otel", path=Path(directory) / "db")) as database:
        filled(database, sessions)


def asked(web: httpx.Client, rounds: int) -> Times:
    """Every question in turn, so that whatever else happens hits all of them alike."""
    times: Times = {name: [] for name in QUESTIONS}
    for _ in range(rounds):
        for name, path in QUESTIONS.items():
            times[name] += [wall for wall, _ in measured(web, path, 1)]
    return times


def asked_under_load(web: httpx.Client, ports: dict[str, int], rate: int, rounds: int) -> tuple[Times, float]:
    """The same while spans come in, and how many a second were stored meanwhile."""
    payload = BUILD / "payloads" / "w1.otlp"
    load = [str(BUILD / "load"), "-payload", str(payload), "-fresh", "-target", f"127.0.0.1:{ports['GRPC']}", "-protocol", "grpc"]
    load += ["-signal", "traces", "-seconds", "3600", "-rate", str(rate)]
    with subprocess.Popen(load, stdout=subprocess.DEVNULL) as sender:
        try:
            asked(web, 1)
            begun, before = time.monotonic(), _stored(ports)
            times = asked(web, rounds)
            return times, (_stored(ports) - before) / (time.monotonic() - begun)
        finally:
            sender.terminate()


def _stored(ports: dict[str, int]) -> int:
    return int(query(ports["EMBEDDED"], "SELECT count() FROM otel.otel_traces"))


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


def report(quiet: Times, busy: Times, rate: float) -> None:
    print(f"{rate:,.0f} spans/s were stored while the questions were asked again")
    print(f"{'p95, ms':24} {'quiet':>8} {'busy':>8} {'times':>6}")
    for name in QUESTIONS:
        print(f"{name.strip():24} {p95(quiet[name]):8.0f} {p95(busy[name]):8.0f} {p95(busy[name]) / p95(quiet[name]):6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=20_000, help="spans a second")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--copy", metavar="DIRECTORY", help="begin with a copy of what `looking.py --keep DIRECTORY` left")
    args = parser.parse_args()
    prepare()
    with tempfile.TemporaryDirectory(prefix="looking-", dir=BUILD) as directory:
        if args.copy is not None:
            shutil.copytree(args.copy, directory, symlinks=True, dirs_exist_ok=True)
        else:
            filling = multiprocessing.get_context("spawn").Process(target=fill, args=(directory, args.sessions))
            filling.start()
            filling.join()
        ports = {name: free_port() for name in PORTS}
        environment = {f"BENCH_{name}": str(port) for name, port in ports.items()} | {"BENCH_DATA_DIR": directory}
        command = [str(Path(sys.executable).with_name("sojourn")), "run", "--config", str(HERE / "configs" / "sojourn-looking.yaml")]
        with (
            started(command, "0,1", [ports["GRPC"], ports["WEB"]], BUILD / "looking.log", environment) as (pid, _),
            httpx.Client(base_url=f"http://127.0.0.1:{ports['WEB']}", timeout=120, trust_env=False) as web,
        ):
            until_quiet(pid)
            asked(web, 2)
            report(asked(web, args.rounds), *asked_under_load(web, ports, args.rate, args.rounds))


if __name__ == "__main__":
    main()
