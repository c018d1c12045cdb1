"""A description becomes a running collector, in an order in which nothing is lost, and goes away in the reverse one."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sojourn import SojournError
from sojourn.collector.service import running

from .parts import BODY, STORY, In, described

PLAIN = """
receivers: {in: }
exporters: {out: }
extensions: {beside: }
service: {extensions: [beside], pipelines: {traces: {receivers: [in], exporters: [out]}, logs: {receivers: [in], exporters: [out]}}}
"""


@pytest.fixture(autouse=True)
def _story() -> None:
    STORY.clear()


def get(address: str, path: str = "/") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_receivers_open_last_and_close_first() -> None:
    """Nothing is taken before it can be passed on, and what was taken is stored before anything closes."""
    with running(described(PLAIN)):
        In.taps["in"].send("traces", BODY)
        In.taps["in"].send("logs", BODY)
    assert STORY[:4] == ["open out", "open out", "open beside, healthy: False", "open in"]
    sent = [entry for entry in STORY if isinstance(entry, tuple)]
    assert sorted(sent) == [("out", "logs", (BODY,)), ("out", "traces", (BODY,))]
    assert [entry for entry in STORY[4:] if isinstance(entry, str)] == [
        "close in",
        "close beside, healthy: False",
        "close out",
        "close out",
    ]


def test_two_lanes_take_from_one_receiver() -> None:
    """One receiver is one instance; every pipeline that names it gets everything."""
    text = """
receivers: {in: }
exporters: {out: , out/b: {name: b}}
service: {pipelines: {traces: {receivers: [in], exporters: [out]}, traces/b: {receivers: [in], exporters: [out/b]}}}
"""
    with running(described(text)):
        assert len(In.taps["in"].lanes["traces"]) == 2
        In.taps["in"].send("traces", BODY)
    assert {("out", "traces", (BODY,)), ("b", "traces", (BODY,))} <= {entry for entry in STORY if isinstance(entry, tuple)}
    assert STORY.count("open in") == 1


def test_nothing_stays_behind() -> None:
    """Every thread is joined."""
    before = threading.active_count()
    with running(described(PLAIN, "service.telemetry.metrics.endpoint=127.0.0.1:0")):
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_failed_start_closes_what_was_opened() -> None:
    """The message names the component and says what to do; nothing stays open."""
    description = described(PLAIN.replace("receivers: [in]", "receivers: [in, in/b]"), "receivers.in/b.fails=true")
    with pytest.raises(SojournError, match=r"receivers::in/b: cannot start: .*in use.*choose another endpoint"), running(description):
        pass
    assert [entry.split(",")[0] for entry in STORY[-4:]] == ["close in", "close beside", "close out", "close out"]


def test_metrics_and_health_are_told(tmp_path: Path) -> None:
    """Both listen where endpoints.json says, and count what happened."""
    text = PLAIN.replace("extensions: {beside: }", "extensions: {health_check: {endpoint: '127.0.0.1:0'}}").replace(
        "[beside]", "[health_check]"
    )
    settings = (f"service.data_dir={tmp_path}/deep/data", "service.telemetry.metrics.endpoint=127.0.0.1:0", "service.collector=here")
    with running(described(text, *settings), tick=0.01) as service:
        told = json.loads((tmp_path / "deep/data/endpoints.json").read_text())
        assert told == service.endpoints
        assert set(told) == {"otlp_grpc", "health", "metrics"}
        In.taps["in"].send("traces", BODY)
        lane = service.lanes[0]
        assert lane.wait(lambda: lane.stored == 1, 10.0)
        status, health = get(told["health"])
        assert (status, json.loads(health)["state"], json.loads(health)["collector"]) == (200, "running", "here")
        assert json.loads(health)["components"]["exporters::out"] == {"status": "ok"}
        status, metrics = get(told["metrics"], "/metrics")
        assert status == 200
        assert 'sojourn_exporter_sent_requests_total{exporter="out",signal="traces"} 1' in metrics
        assert 'otelcol_receiver_accepted_spans_total{transport="test",receiver="in"} 7' in metrics
        assert "# TYPE sojourn_exporter_seconds histogram" in metrics
        assert get(told["metrics"], "/nowhere")[0] == 404
    assert not (tmp_path / "deep/data/endpoints.json").exists()


def test_data_directory_belongs_to_one_process(tmp_path: Path) -> None:
    """A second collector on the same directory is told who has it; the name survives a restart."""
    description = described(PLAIN, f"service.data_dir={tmp_path}")
    with running(description) as service:
        name = service.host.collector
        with pytest.raises(SojournError, match=r"is in use by another sojourn \(process \d+\): stop it, or choose"), running(description):
            pass
    with running(description) as service:
        assert service.host.collector == name


def test_unwritable_directory_is_told(tmp_path: Path) -> None:
    """A directory that cannot be made is named, with what to do."""
    (tmp_path / "file").write_text("")
    description = described(PLAIN, f"service.data_dir={tmp_path}/file/data")
    with pytest.raises(SojournError, match=r"service::data_dir: .*file/data: Not a directory: choose"), running(description):
        pass


def test_what_listens_beyond_this_machine_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """One clear line names everything that answers strangers; of what only this machine reaches nothing is said."""
    for host, warnings in (("127.0.0.1", 0), ("localhost", 0), ("[::1]", 0), ("0.0.0.0", 1), ("", 1), ("192.0.2.1", 1)):
        caplog.clear()
        with running(described(PLAIN, f"receivers.in.listens={host}:4317")):
            pass
        told = [record.message for record in caplog.records if "whoever reaches this" in record.message]
        assert len(told) == warnings
        assert all(f"receivers::in on {host}:4317: " in line for line in told)
