"""What is measured: each scenario is one question, with the promise that the answer has to keep."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scenario:
    name: str
    question: str
    configuration: str
    """File below configs/, without the collector's name in front."""
    workload: str = "w1"
    signal: str = "traces"
    protocol: str = "grpc"
    rate: int = 0
    """Spans, records or points a second, 0 = as fast as it goes."""
    half: bool = False
    """At half the rate that the warm-up reached, as fast as it goes."""
    seconds: float = 6
    cores: str = "1"
    delay: str = "0s"
    """How long the sink takes for an insert."""
    stored: str = "otel_traces"
    """Table of the sink whose rows are the delivered spans, records or points (* for several); '' for the embedded database."""
    synced: bool = False
    """Whether to measure what a sync of the disk takes, before and after it."""
    peer: bool = False
    """Whether the Go collector answers the same question."""
    load: bool = True
    promises: dict[str, tuple[str, float]] = field(default_factory=dict)
    """metric → (≤ or ≥, bound)."""


SCENARIOS = (
    Scenario("sessions", "gRPC in, sessions, lz4 inserts out", "clickhouse", peer=True, promises={"cpu": ("≤", 2.9)}),
    Scenario("sessions-http", "the same, OTLP/HTTP in", "clickhouse", protocol="http", peer=True),
    Scenario("two-cores", "the same as the first, on two cores", "clickhouse", cores="0,1", peer=True, promises={"extra": ("≤", 20)}),
    Scenario("one-span", "1 span a request", "clickhouse", workload="w2", peer=True, promises={"cpu": ("≤", 15)}),
    Scenario("durable", "the same as the first, answered from the write-ahead log", "durable", promises={"cpu": ("≤", 2.5)}),
    Scenario(
        "durable-paced",
        "the same at half the load that it can take: how long senders wait",
        "durable",
        half=True,
        seconds=10,
        synced=True,
        promises={"over_sync": ("≤", 5)},
    ),
    Scenario("durable-one-span", "1 span a request, durable", "durable", workload="w2", promises={"cpu": ("≤", 20)}),
    Scenario("prompts", "64 spans a request, each with a prompt of 4 KB", "clickhouse", workload="w3", peer=True),
    Scenario(
        "logs",
        "500 log records a request",
        "signals",
        workload="logs",
        signal="logs",
        stored="otel_logs",
        peer=True,
        promises={"cpu": ("≤", 2.0)},
    ),
    Scenario(
        "metrics",
        "500 metric points a request",
        "signals",
        workload="metrics",
        signal="metrics",
        stored="otel_metrics_*",
        peer=True,
        promises={"cpu": ("≤", 2.5)},
    ),
    Scenario(
        "embedded",
        "into the embedded database, merges included",
        "embedded",
        stored="",
        promises={"cpu": ("≤", 8), "peak": ("≤", 550)},
    ),
    Scenario("forward", "OTLP in, OTLP out, nothing looks inside", "forward", stored="otlp", peer=True),
    Scenario(
        "paced",
        "steady 20 000 spans/s",
        "clickhouse",
        rate=20_000,
        seconds=15,
        peer=True,
        promises={"peak": ("≤", 200), "share": ("≤", 8)},
    ),
    Scenario(
        "slow",
        "a database that takes 300 ms for an insert",
        "clickhouse",
        seconds=30,
        delay="300ms",
        promises={"flow": ("≥", 100_000)},
    ),
    Scenario(
        "idle-embedded",
        "idle, embedded database",
        "embedded",
        stored="",
        load=False,
        promises={"idle": ("≤", 400), "start_cpu": ("≤", 2)},
    ),
    Scenario(
        "idle-remote",
        "idle, processors and a remote database",
        "clickhouse",
        load=False,
        peer=True,
        promises={"idle": ("≤", 100), "start_cpu": ("≤", 1)},
    ),
    Scenario(
        "idle-forward",
        "idle, forwarding",
        "forward",
        load=False,
        peer=True,
        promises={"idle": ("≤", 45), "start_cpu": ("≤", 1)},
    ),
)
