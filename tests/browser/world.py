"""What stands in the database while browsers look at the page: a bit of everything that there is to show."""

from __future__ import annotations

import time
from typing import Any, Final

from tests.web.conftest import Store, at, log_row, session_row, span_row, trace_row

HOSTILE: Final = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "\u202egnp.exe",
    "n" * 300,
    "🦀👩‍👩‍👧‍👦",
    "a\u200bb\u200d\ufeff",
    "مرحبا بالعالم",
    "' onmouseover='alert(3)",
)
CHAT: Final = "chat-1"
TRACE: Final = "c0" + "0" * 30
SAID: Final = {
    "gen_ai.system_instructions": "Be brief.",
    "gen_ai.input.messages": '[{"role": "user", "content": "Where is it? <b>Now</b>"}]',
    "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "thinking", "content": "hm"}, '
    '{"type": "tool_call", "id": "call_1", "name": "find_order", "arguments": {"order": 81}}]}]',
}
BROAD: Final = "b0" + "0" * 30
SPANS: Final = 10_000


def eventually(window: Any, script: str, seconds: float = 60.0) -> None:
    """Wait until a script says something true. (playwright's own way would need `unsafe-eval` in our policy.)"""
    end = time.monotonic() + seconds
    while not window.evaluate(script):
        assert time.monotonic() < end, script
        window.wait_for_timeout(50)


def told(store: Store) -> None:
    _chat(store)
    _broad(store)
    names = (
        {"session_id": f"hostile {n}", "Name": text, "UserId": text, "Tags": [text], "Metadata": {text: text}}
        for n, text in enumerate(HOSTILE)
    )
    store.sessions(*names)


def _chat(store: Store) -> None:
    """A session of three turns in two segments, with tools, an error, a long silence, flags, scores of tokens, log records and events."""
    figures = {
        "InputTokens": 1200,
        "OutputTokens": 340,
        "CacheReadTokens": 300,
        "CostPico": 42 * 10**8,
        "CostSources": 2,
        "Turns": 3,
        "Traces": 3,
    }
    about = {
        "Name": "Torn jacket",
        "UserId": "ann@example.com",
        "Models": ["gpt-5"],
        "Services": ["shop"],
        "Tags": ["web"],
        "Metadata": {"plan": "gold"},
    }
    row = {"session_id": CHAT, "start": 0, "end": 3400, "State": "ended", "EndReason": "idle_timeout", "Segments": 2, "FirstTrace": TRACE}
    store.sessions(
        row
        | figures
        | about
        | {"Flags": ["conflicting_ids", "unpriced"], "Errors": 1, "ActiveNs": 60 * 10**9, "LogRecords": 2, "Alerts": ["dear"]}
    )
    store.insert("session_segment_rows", *(session_row(CHAT) | {"Segment": number, "Start": at(3000 * number)} for number in (0, 1)))
    traces = []
    for number, (start, end) in enumerate(((0, 20), (30, 50), (3380, 3400))):
        said = {"Input": f"Question {number}: where is it?", "Output": f"Answer {number}: here.", "Turn": 1, "Spans": 3, "InputTokens": 400}
        status = {"Status": "error", "Errors": 1} if number == 1 else {}
        traces.append(
            trace_row(
                f"c{number}" + "0" * 30, CHAT, start, end, Name="POST /chat", **said, **status, OtherIds=["other"] if not number else []
            )
        )
        store.insert("otel_traces", *_spans(f"c{number}" + "0" * 30, start, end))
    store.insert("session_trace_rows", *traces)
    store.insert("otel_logs", log_row(1, 22, CHAT, Body="a word"), log_row(2, 25, CHAT, Flags=1, SeverityText="ERROR"))
    events = [("session.start", 1, "", {}), ("session.alert", 20, "dear", {"alert.severity": "critical", "alert.condition": "cost > 1"})]
    events.append(("session.end", 3500, "idle_timeout", {}))
    rows = (
        {"Time": at(time), "SessionId": CHAT, "Event": event, "Reason": why, "Attributes": more, "Version": 1}
        for event, time, why, more in events
    )
    store.insert("session_event_rows", *rows)


def _spans(trace: str, start: float, end: float) -> list[dict[str, object]]:
    call = {"Kind": "llm", "Model": "gpt-5", "InputTokens": 400, "OutputTokens": 80, "CostPico": 14 * 10**8, "ServiceName": "shop"}
    tool = {
        "Kind": "tool",
        "Tool": "find_order",
        "Input": '{"order": 81}',
        "Output": "late",
        "Flags": 1,
        "StatusCode": "Error",
        "StatusMessage": "timed out",
    }
    return [
        span_row("1" * 16, trace, start=start, end=end, SpanName="POST /chat", ServiceName="shop"),
        span_row("2" * 16, trace, "1" * 16, start + 1, start + 4, SpanAttributes=SAID, Input="Where is it?", **call),
        span_row("3" * 16, trace, "1" * 16, start + 5, start + 9, SpanName="execute_tool find_order", **tool),
    ]


def _broad(store: Store) -> None:
    """A trace of very many spans, ten deep."""
    spans = [span_row(f"{n:016x}", BROAD, f"{n // 10:016x}" if n > 1 else "", n / 100, n / 100 + 1) for n in range(1, SPANS + 1)]
    store.insert("otel_traces", *spans)
    store.sessions({"session_id": "broad", "end": 101, "Spans": SPANS})
    store.insert("session_trace_rows", trace_row(BROAD, "broad", 0, 101, Spans=SPANS))
