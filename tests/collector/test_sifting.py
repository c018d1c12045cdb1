"""One bad row does not take its group with it: it stands alone in the dead letters, with the reason, and can be sent again."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from sojourn import Batch
from sojourn.cli import main
from sojourn.collector.dead_letters import DeadLetters, read
from sojourn.errors import Rejected
from tests.collector.fakes import Bench, Group, Spy


class Picky(Spy):
    """An exporter that takes no batch with a row of this name."""

    refused = "bad"

    def export(self, batch: Any) -> None:
        names = batch.records.column("SpanName").to_pylist()
        if any(name.startswith(self.refused) for name in names):
            raise Rejected(f"no {self.refused} rows")
        self.told += names


class Stumbling(Spy):
    """A processor that fails with a row of this name."""

    def process(self, batch: Batch) -> Iterable[Batch]:
        if "bad" in batch.records.column("SpanName").to_pylist():
            raise KeyError("bad")
        return [batch]


def test_bad_rows_stand_alone_and_the_others_are_stored(tmp_path: Path) -> None:
    """In their order, each once; processors are told of each part that is stored, and of none that is not."""
    names = [f"bad {number}" if number in (3, 700) else f"good {number}" for number in range(1000)]
    step, sink = Spy(), Picky()
    with Bench({"a": step}, {"sink": sink}) as bench:
        bench.lane.letters = DeadLetters(tmp_path)
        assert bench.send(Group(*names)).outcome == ["committed"]
    assert sink.told == [name for name in names if name.startswith("good")]
    letters = list(read(tmp_path))
    assert [letter["row"]["SpanName"] for letter in letters] == ["bad 3", "bad 700"]
    assert {(letter["lane"], letter["table"], letter["reason"]) for letter in letters} == {
        ("traces", "otel_traces", "exporters::sink: no bad rows")
    }
    assert (bench.lane.stored, bench.lane.lost) == (998, 0)
    assert bench.meters.samples()['sojourn_lane_dead_rows_total{lane="traces"}'] == 2
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "dead-letters").iterdir())


def test_a_processor_that_fails_with_a_row_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.collector.persistence.MAX_SURPRISES", 1)
    sink = Picky()
    with Bench({"a": Stumbling()}, {"sink": sink}) as bench:
        bench.lane.letters = DeadLetters(tmp_path)
        assert bench.send(Group("x", "bad", "y")).outcome == ["committed"]
    assert sink.told == ["x", "y"]
    assert "KeyError" in next(read(tmp_path))["reason"]


def test_without_a_place_for_them_bad_rows_are_lost_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """The rest is stored all the same; if there is no rest, senders hear 'never'."""
    sink = Picky()
    with Bench({}, {"sink": sink}) as bench:
        assert bench.send(Group("x", "bad")).outcome == ["committed"]
        assert bench.send(Group("bad")).outcome == [("refused", "exporters::sink: no bad rows", None)]
    assert (sink.told, bench.lane.lost) == (["x"], 2)
    assert "1 rows can never be stored, and are lost: exporters::sink: no bad rows" in caplog.text


def test_what_no_row_is_to_blame_for_is_not_halved(tmp_path: Path) -> None:
    """Data that is given up after a time is written down as a whole."""
    sink = Spy(failures=[Rejected("given up", of_rows=False)])
    with Bench({}, {"sink": sink}) as bench:
        bench.lane.letters = DeadLetters(tmp_path)
        assert bench.send(Group("x", "y")).outcome == ["committed"]
    assert (sink.told, len(list(read(tmp_path)))) == ([], 2)


def test_a_group_of_bad_rows_does_not_take_for_ever(tmp_path: Path) -> None:
    """What is left after some hundred attempts is taken as bad."""
    sink = Picky()
    with Bench({}, {"sink": sink}) as bench:
        bench.lane.letters = DeadLetters(tmp_path)
        bench.send(Group(*["bad"] * 3000))
        exports = bench.meters.samples()['otelcol_exporter_send_failed_spans_total{exporter="sink"}']
    assert len(list(read(tmp_path))) == 3000
    assert exports < 3000 * 20


def test_dead_letters_are_listed_and_sent_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a collector takes is gone from the files; what it does not take stays."""
    folder = tmp_path / "dead-letters"
    folder.mkdir()
    span = {"SpanName": "chat", "TraceId": "0a" * 16, "SpanId": "0b" * 8, "Timestamp": 5, "Duration": 2, "SpanAttributes": [["k", "v"]]}
    span |= {"Events.Timestamp": [6], "Events.Name": ["said"], "Events.Attributes": [[["a", "b"]]]}
    about = {"time": "2026-01-05T09:00:00+00:00", "lane": "traces", "reason": "too odd"}
    rows = [{**about, "table": table, "row": span} for table in ("otel_traces", "otel_metrics_gauge")]
    (folder / "2026-01-05.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"cut o')
    data_dir = f"service.data_dir={tmp_path}"
    assert main(["dead-letters", "list", "--set", data_dir]) == 0
    assert "otel_traces  " + "0a" * 16 + "  'chat': too odd" in capsys.readouterr().out
    taken: list[Any] = []
    with _receiver(taken) as endpoint:
        assert main(["dead-letters", "retry", "--set", data_dir, "--endpoint", endpoint]) == 1
    assert "1 rows were taken, 2 are left" in capsys.readouterr().out
    sent = taken[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (sent["name"], sent["endTimeUnixNano"], sent["attributes"]) == ("chat", "7", [{"key": "k", "value": {"stringValue": "v"}}])
    assert sent["events"][0]["name"] == "said"
    assert [row["table"] for row in read(tmp_path)] == ["otel_metrics_gauge"]
    assert main(["dead-letters", "retry", "--set", data_dir, "--endpoint", "http://127.0.0.1:1"]) == 1  # nobody is there: nothing is lost
    assert len(list(read(tmp_path))) == 1


class _receiver:
    """An OTLP/HTTP receiver that takes everything."""

    def __init__(self, taken: list[Any]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
