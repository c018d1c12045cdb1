"""Kills the collector, or its database, at random moments under load, and looks at what is there in the end."""

from __future__ import annotations

import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from tests.torture.collector import Collector
from tests.torture.network import Proxy
from tests.torture.nursery import Nursery
from tests.torture.server import Server
from tests.torture.verdict import answers, compare
from tests.torture.world import Senders


def killed_with_database(folder: Path, rounds: int, seed: int) -> str:
    """Collector and embedded database die together."""
    collector = Collector(folder / "killed")
    with ExitStack() as stack:
        stack.callback(collector.kill)
        senders = _kill(stack, collector, rounds, seed)
        _end(collector, senders)
        server = _serving(stack, folder / "killed" / "data" / "db")
        return _verdict(stack, folder, server, senders)


def killed_collector(folder: Path, rounds: int, seed: int) -> str:
    """The collector dies, its database lives on."""
    with ExitStack() as stack:
        server = _serving(stack, folder / "database")
        collector = Collector(folder / "killed", server.address("otel"), nursery=stack.enter_context(Nursery()))
        stack.callback(collector.kill)
        senders = _kill(stack, collector, rounds, seed)
        _end(collector, senders)
        return _verdict(stack, folder, server, senders)


def killed_database(folder: Path, rounds: int, seed: int) -> str:
    """The database dies and comes back; the collector lives on."""
    chance = random.Random(seed)
    server = Server(folder / "database")
    with ExitStack() as stack:
        stack.callback(server.kill)
        collector = Collector(folder / "collector", server.address("otel"), nursery=stack.enter_context(Nursery()))
        stack.callback(collector.kill)
        collector.start()  # before its database: it takes data all the same
        collector.listens()
        senders = stack.enter_context(Senders(collector.port, seed=seed))
        struck = 0
        for number in range(rounds):
            server.start()
            if chance.random() < 0.8:
                server.listens()
                struck += server.is_asked_to_insert(20.0)
                time.sleep(chance.uniform(0.0, 0.3))
            else:
                time.sleep(chance.uniform(0.0, 3.0))
            server.kill()
            print(f"round {number + 1}: {len(senders.acknowledged)} requests, killed at inserts: {struck}", flush=True)
        server.start()
        server.listens()
        _end(collector, senders, again=False)
        return _verdict(stack, folder, server, senders)


def cut_network(folder: Path, rounds: int, seed: int) -> str:
    """The way to the database resets, stalls and truncates, and is well again."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        server = _serving(stack, folder / "database")
        proxy = Proxy(server.port, seed)
        stack.callback(proxy.close)
        collector = Collector(folder / "collector", f"clickhouse://127.0.0.1:{proxy.port}/otel", nursery=stack.enter_context(Nursery()))
        stack.callback(collector.kill)
        collector.start()
        collector.listens()
        senders = stack.enter_context(Senders(collector.port, seed=seed))
        for number in range(rounds):
            proxy.evil = True
            time.sleep(chance.uniform(0.1, 1.0))
            proxy.evil = False
            time.sleep(chance.uniform(0.0, 0.5))
            print(f"round {number + 1}: {len(senders.acknowledged)} requests", flush=True)
        _end(collector, senders, again=False)
        return _verdict(stack, folder, server, senders)


def full_disk(folder: Path, rounds: int, seed: int) -> str:
    """No file can be written for a while, and then it can; now and then the collector is killed in between."""
    chance = random.Random(seed)
    with ExitStack() as stack:
        server = _serving(stack, folder / "database")
        collector = Collector(folder / "collector", server.address("otel"), nursery=stack.enter_context(Nursery()))
        stack.callback(collector.kill)
        collector.start()
        collector.listens()
        senders = stack.enter_context(Senders(collector.port, seed=seed))
        for number in range(rounds):
            collector.limit_files(0)
            time.sleep(chance.uniform(0.05, 0.5))
            if chance.random() < 0.1:
                collector.kill()
                collector.start()
                collector.listens()
            collector.limit_files(None)
            time.sleep(chance.uniform(0.1, 1.5))
            print(f"round {number + 1}: {len(senders.acknowledged)} requests", flush=True)
        _end(collector, senders, again=False)
        assert senders.again, "nobody was told to come again"
        return _verdict(stack, folder, server, senders)


def _serving(stack: ExitStack, folder: Path) -> Server:
    server = Server(folder)
    server.start()
    stack.callback(server.kill)
    server.listens()
    return server


def _kill(stack: ExitStack, collector: Collector, rounds: int, seed: int) -> Senders:
    chance = random.Random(seed)
    senders = stack.enter_context(Senders(collector.port, seed=seed))
    for number in range(rounds):
        begun = time.monotonic()
        collector.start()
        if chance.random() < 0.8:
            collector.listens()
            starts = time.monotonic() - begun
            time.sleep(chance.uniform(0, 2 * starts))
        else:
            time.sleep(chance.uniform(0.02, 1.0))  # while it starts: what is replayed is killed too
        code = collector.kill()
        assert code == -signal.SIGKILL, f"it ended with {code}: {collector.said()[-3000:]}"
        print(f"round {number + 1}: {len(senders.acknowledged)} requests", flush=True)
    return senders


def _end(collector: Collector, senders: Senders, again: bool = True) -> None:
    """Everything is sent and stored."""
    if again:
        collector.start()
        collector.listens()
    senders.finish(120.0)
    collector.settled()
    assert collector.stop() == 0, collector.said()[-3000:]
    assert "ERROR" not in collector.said(), collector.said()[-3000:]


def _verdict(stack: ExitStack, folder: Path, server: Server, senders: Senders) -> str:
    """The same requests go into a collector that is left alone, and what comes of them is compared."""
    other = Collector(folder / "undisturbed", server.address("undisturbed"))
    stack.callback(other.kill)
    other.start()
    other.listens()
    with Senders(other.port, most=len(senders.acknowledged), pause=0.0) as again:
        assert again.all_sent(60.0), other.said()[-3000:]
    other.settled()
    assert other.stop() == 0, other.said()[-3000:]  # what grows by single traces is told once a second, or at the stop
    return compare(answers(server.port, "otel"), answers(server.port, "undisturbed"), senders)
