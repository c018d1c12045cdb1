"""Counting at the edges of the pipelines, and `/metrics` in the Prometheus text format.

Names are the Collector's (`otelcol_…`) where the meaning is the same, `sojourn_…` otherwise. A name that ends in `_total` is a counter.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

Samples = dict[str, float]
BOUNDS: Final = (0.001, 0.005, 0.02, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0)
"""Upper bounds of the buckets of durations, in seconds."""
HELP: Final = {
    "otelcol_receiver_accepted_spans_total": "spans taken into a pipeline",
    "otelcol_receiver_refused_spans_total": "spans that were not taken",
    "otelcol_exporter_sent_spans_total": "spans stored or sent on",
    "otelcol_exporter_send_failed_spans_total": "spans given up",
    "otelcol_exporter_queue_size": "bytes that wait or are on their way in a lane",
    "otelcol_exporter_queue_capacity": "bytes that a lane may hold",
    "otelcol_process_uptime": "seconds since the start",
    "otelcol_process_cpu_seconds_total": "CPU seconds used",
    "otelcol_process_memory_rss": "bytes resident",
    "sojourn_lane_oldest_unwritten_seconds": "age of the oldest data that is on its way and not yet written",
    "sojourn_lane_group_seconds": "from taking a group to its commit",
    "sojourn_lane_retries_total": "attempts that a component made necessary because it was not available",
    "sojourn_session_drift_total": "sessions whose stored rows were not what their stored spans say",
    "sojourn_session_checks_skipped_total": "sessions that ended and were not folded again, for want of time",
    "sojourn_lane_given_up_rows_total": "rows that were neither stored nor sent on",
}
_NAME = re.compile(r"([^{]+)(?:\{(.*)\})?", re.DOTALL)


def labelled(name: str, labels: Mapping[str, str]) -> str:
    """`name{label="value"}`; labels of the name come first."""
    parts = _NAME.fullmatch(name)
    assert parts is not None
    own = [parts[2]] if parts[2] else []
    more = [f'{key}="{_escape(value)}"' for key, value in labels.items()]
    return f"{parts[1]}{{{','.join(own + more)}}}" if own or more else parts[1]


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class Meters:
    """Counters and durations since the start, and sources that are asked when somebody looks."""

    def __init__(self) -> None:
        self._counts: Samples = {}
        self._lock = threading.Lock()
        self._sources: list[tuple[Callable[[], Mapping[str, float]], dict[str, str]]] = []
        self._started = time.monotonic()

    def add(self, name: str, value: float = 1.0, **labels: str) -> None:
        key = labelled(name, labels)
        with self._lock:
            self._counts[key] = self._counts.get(key, 0.0) + value

    def took(self, name: str, seconds: float, **labels: str) -> None:
        """One observation of a duration."""
        with self._lock:
            for bound in (*BOUNDS, float("inf")):
                key = labelled(f"{name}_bucket", {**labels, "le": "+Inf" if bound == float("inf") else f"{bound:g}"})
                self._counts[key] = self._counts.get(key, 0.0) + (seconds <= bound)
            for suffix, value in (("_count", 1.0), ("_sum", seconds)):
                key = labelled(name + suffix, labels)
                self._counts[key] = self._counts.get(key, 0.0) + value

    def ask(self, source: Callable[[], Mapping[str, float]], **labels: str) -> None:
        """Take in the samples of `source` too, with these labels, whenever somebody looks."""
        self._sources.append((source, labels))

    def samples(self) -> Samples:
        with self._lock:
            samples = dict(self._counts)
        for source, labels in self._sources:
            samples |= {labelled(name, labels): value for name, value in source().items()}
        return samples | self._process()

    def text(self) -> str:
        """The Prometheus text format, version 0.0.4."""
        families: dict[str, list[tuple[str, float]]] = {}
        for name, value in self.samples().items():
            families.setdefault(_family(name), []).append((name, value))
        lines: list[str] = []
        for family, members in sorted(families.items()):
            if family in HELP:
                lines.append(f"# HELP {family} {HELP[family]}")
            lines.append(f"# TYPE {family} {_type(family, members)}")
            lines += [f"{name} {value:.17g}" for name, value in members]
        return "\n".join(lines) + "\n"

    def _process(self) -> Samples:
        usage = os.times()
        return {
            "otelcol_process_uptime": time.monotonic() - self._started,
            "otelcol_process_cpu_seconds_total": usage.user + usage.system,
            "otelcol_process_memory_rss": float(_resident()),
        }


def _family(name: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", name.partition("{")[0])


def _type(family: str, members: list[tuple[str, float]]) -> str:
    if any(name.startswith(f"{family}_bucket") for name, _ in members):
        return "histogram"
    return "counter" if family.endswith("_total") else "gauge"


def _resident() -> int:
    """Bytes of memory that are resident; 0 where /proc does not say."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
