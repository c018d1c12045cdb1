"""The webhook tells every event that was asked for, at least once, and never holds up who told it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from sojourn.component import Batch, Host
from sojourn.exporters.outbox import Outbox
from sojourn.exporters.webhook import Delivering, Webhook
from tests.processors.lifecycle_world import NOW, Clock

WAIT = 30.0
QUICK = {"initial_interval": "1ms", "max_interval": "2ms"}


class Server(ThreadingHTTPServer):
    """Answers as it is told to, 200 by default, and remembers what came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.got: list[tuple[dict[str, str], Any]] = []
        self.came = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/secret-path"

    def wait(self, count: int) -> list[Any]:
        """The bodies of so many requests."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, WAIT), f"{len(self.got)} requests came"
            return [body for _, body in self.got]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.came:
            status, headers = self.server.answers.pop(0) if self.server.answers else (200, {})
            self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.server.came.notify_all()
        self.send_response(status)
        for name, value in {"content-length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def events(*rows: dict[str, Any]) -> Batch:
    """Rows of session_event_rows."""
    time = pa.timestamp("ns", "UTC")
    plain = {"Tenant": "", "Project": "", "SessionId": "s", "Segment": 0, "Revision": 1, "Event": "session.alert", "Reason": ""}
    full = [{**plain, "Time": NOW, "SegmentStart": NOW - 1, "Attributes": {}, "_receivers": [], **row} for row in rows]
    kinds = {"Time": time, "SegmentStart": time, "Attributes": pa.map_(pa.string(), pa.string()), "_receivers": pa.list_(pa.string())}
    values = {name: [list(row[name].items()) if name == "Attributes" else row[name] for row in full] for name in full[0]}
    columns = {name: pa.array(column, kinds.get(name)) for name, column in values.items()}
    return Batch("session_event_rows", pa.RecordBatch.from_pydict(columns))


def alert(name: str = "expensive", **more: Any) -> dict[str, Any]:
    said = {"alert.severity": "critical", "alert.condition": "cost > 5", "alert.values": "cost=5.5"}
    return {"Reason": name, "Attributes": said, **more}


def opened(
    stack: ExitStack, server: Server, folder: Path | None = None, id: str = "webhook", clock: Clock | None = None, **keys: Any
) -> Delivering:
    description = Webhook.model_validate({"url": server.url, "retry_on_failure": QUICK, **keys})
    return stack.enter_context(description.open(Host(clock or Clock(), "here", folder, id=id)))


def test_an_alert_is_posted_as_json(server: Server, stack: ExitStack) -> None:
    webhook = opened(stack, server, page="https://sojourn.example.org/", headers={"Authorization": "Bearer x"})
    webhook.export(events(alert(SessionId="a/b", Project="shop", Revision=7)))
    (body,) = server.wait(1)
    assert body | {"id": ""} == {
        "id": "", "event": "session.alert", "reason": "expensive", "time": "2026-09-21T14:13:20.000000000Z", "tenant": "",
        "project": "shop", "session_id": "a/b", "segment": 0, "segment_start": "2026-09-21T14:13:19.999999999Z", "revision": 7,
        "collector": "here", "link": "https://sojourn.example.org/sessions/a%2Fb?project=shop",
        "attributes": {"alert.severity": "critical", "alert.condition": "cost > 5", "alert.values": "cost=5.5"},
    }  # fmt: skip
    headers, _ = server.got[0]
    assert headers["authorization"] == "Bearer x"
    assert headers["idempotency-key"] == body["id"]
    assert headers["content-type"] == "application/json"


def test_slack_understands_it(server: Server, stack: ExitStack) -> None:
    webhook = opened(stack, server, format="slack", events=["session.alert", "session.end"], page="http://p")
    webhook.export(events(alert("<!channel> `x`", SessionId="s&1"), {"Event": "session.end", "Reason": "idle_timeout"}))
    first, second = server.wait(2)
    assert first == {
        "text": ":rotating_light: *&lt;!channel&gt; 'x'* (critical): <http://p/sessions/s%261|session s&amp;1>\ncost=5.5 — `cost &gt; 5`"
    }
    assert second == {"text": "<http://p/sessions/s|session s>: end (idle_timeout)"}


def test_log_records_are_otlp(server: Server, stack: ExitStack) -> None:
    """The server's own parser reads them."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    webhook = opened(stack, server, format="otlp", events=["session.alert", "session.end"])
    webhook.export(events(alert(), {"Event": "session.end", "Reason": "idle_timeout", "Segment": 3}))
    records = []
    for body in server.wait(1):
        message = ParseDict(body, ExportLogsServiceRequest())
        (resource,) = message.resource_logs
        assert resource.scope_logs[0].scope.name == "sojourn"
        records += resource.scope_logs[0].log_records
    assert [(record.event_name, record.severity_number, record.time_unix_nano) for record in records] == [
        ("session.alert", 21, NOW),
        ("session.end", 9, NOW),
    ]
    said = {pair.key: pair.value for pair in records[1].attributes}
    assert (said["session.id"].string_value, said["sojourn.segment"].int_value) == ("s", 3)
    assert said["sojourn.reason"].string_value == "idle_timeout"


def test_only_what_was_asked_for_is_told(server: Server, stack: ExitStack) -> None:
    """And alerts that name receivers only to these."""
    one = opened(stack, server, id="webhook/one", events=["session.end"])
    one.export(events(alert("mine", _receivers=["webhook/one", "webhook/two"]), alert("theirs", _receivers=["webhook/two"])))
    one.export(events(alert("anybody's"), {"Event": "session.start"}, {"Event": "session.end", "Reason": "explicit"}))
    assert [body["reason"] for body in server.wait(2)] == ["mine", "explicit"]
    two = opened(stack, server, id="webhook/two")
    two.export(events(alert("everybody's")))
    two.export(Batch("session_rows", pa.RecordBatch.from_pydict({"a": [1]})))
    assert server.wait(3)[-1]["reason"] == "everybody's"


def test_two_alerts_of_one_revision_are_two(server: Server, stack: ExitStack) -> None:
    opened(stack, server).export(events(alert("a"), alert("b"), alert("a", Revision=2), alert("a")))
    ids = [body["id"] for body in server.wait(4)]
    assert len(set(ids)) == 3
    assert ids[0] == ids[3], "what is told again has the same key"


def test_it_is_tried_again_in_order_until_it_is_taken(server: Server, stack: ExitStack) -> None:
    server.answers = [(503, {}), (429, {"retry-after": "0"}), (408, {}), (200, {})]
    webhook = opened(stack, server)
    webhook.export(events(alert("a"), alert("b")))
    assert [body["reason"] for body in server.wait(5)] == ["a", "a", "a", "a", "b"]


@pytest.mark.parametrize("status", [400, 401, 404, 410, 302])
def test_what_is_refused_for_good_is_given_up(server: Server, stack: ExitStack, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Redirects too: they are not followed."""
    server.answers = [(status, {"location": server.url} if status == 302 else {})]
    webhook = opened(stack, server)
    with caplog.at_level(logging.ERROR):
        webhook.export(events(alert("a"), alert("b")))
        assert [body["reason"] for body in server.wait(2)] == ["a", "b"]
    assert f"1 events are not told: answers {status}" in caplog.text
    assert "secret-path" not in caplog.text


def test_who_tells_it_never_waits_and_what_waits_is_bounded(server: Server) -> None:
    """Nobody listens where it is sent to."""
    url = server.url
    server.server_close()
    with Webhook.model_validate({"url": url, "queue_size": 5}).open(Host(Clock(), "here", None)) as webhook:
        for number in range(10):
            webhook.export(events(alert(str(number))))
        meters = webhook.meters()
        assert (meters["sojourn_webhook_waiting"], meters["sojourn_webhook_given_up_total"]) == (5, 5)


def test_what_is_too_old_is_not_told_any_more(server: Server, stack: ExitStack) -> None:
    webhook = opened(stack, server, max_age="1h", clock=Clock(NOW + 3601 * 10**9))
    webhook.export(events(alert("old"), alert("new", Time=NOW + 10**9)))
    assert [body["reason"] for body in server.wait(1)] == ["new"]


def test_what_was_not_told_before_the_end_is_told_after_the_next_start(server: Server, tmp_path: Path) -> None:
    server.answers = [(503, {})]
    with ExitStack() as stack:
        webhook = opened(stack, server, tmp_path, retry_on_failure={"initial_interval": "1h"})
        webhook.export(events(alert("a"), alert("b")))
        server.wait(1)
    with ExitStack() as stack:
        opened(stack, server, tmp_path)
        assert [body["reason"] for body in server.wait(3)] == ["a", "a", "b"]
    with ExitStack() as stack:
        opened(stack, server, tmp_path).export(events(alert("c")))
        assert [body["reason"] for body in server.wait(4)][3:] == ["c"], "what was told is not told again"


def message(number: int) -> dict[str, Any]:
    return {"id": str(number)}


def test_the_outbox_survives_the_death_of_its_process_at_any_byte(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    outbox = Outbox(path, 100)
    outbox.put([message(number) for number in range(3)])
    outbox.done(1)
    outbox.put([message(3)])
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        copy = tmp_path / "copy.jsonl"
        copy.write_bytes(whole[:length])
        found = [each["id"] for each in Outbox(copy, 100).front(10, 0)]
        assert found == sorted(found)
        assert set(found) <= {"0", "1", "2", "3"}
    assert found == ["1", "2", "3"]
    outbox.done(3)
    assert path.read_bytes() == b"", "nothing is kept of what is done"


def test_the_outbox_stays_small_where_something_always_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.exporters.outbox._TIDY", 1000)
    outbox = Outbox(tmp_path / "outbox.jsonl", 100)
    outbox.put([message(number) for number in range(10)])
    for number in range(10, 500):
        outbox.put([message(number)])
        outbox.done(1)
        assert (tmp_path / "outbox.jsonl").stat().st_size < 3000
    assert [each["id"] for each in Outbox(tmp_path / "outbox.jsonl", 100).front(100, 0)] == [str(number) for number in range(490, 500)]


def test_rubbish_in_the_outbox_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "outbox.jsonl"
    path.write_bytes(b'+{"id":"1"}\n+{]\n\xff\n-x\n+3\n+{"id":"2"}\n')
    assert [each["id"] for each in Outbox(path, 100).front(10, 0)] == ["1", "2"]


def test_an_outbox_that_cannot_be_written_is_one_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outbox = Outbox(tmp_path / "missing" / "outbox.jsonl", 100)
    outbox.put([message(1)])
    assert len(outbox.front(10, 0)) == 1
    outbox.done(1)
    assert "in memory only" in caplog.text


@pytest.mark.parametrize("url", ["ftp://x/y", "x", "https://", "http://[::1", "", "http://h:0/"])
def test_an_address_is_one_of_the_web(url: str) -> None:
    with pytest.raises(ValidationError, match="is not the address of a webhook"):
        Webhook.model_validate({"url": url})
