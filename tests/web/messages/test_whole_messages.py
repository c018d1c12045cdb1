"""`/traces/ID/messages` and its twin: what was said in a trace, whole, in parts, each thing once."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.web.conftest import Store, log_row, span_row, trace_row

TRACE = "a" * 32


def said(*messages: tuple[str, str]) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": content}]} for role, content in messages])


def call(span_id: str, start: float, into: str, out: str, parent: str = "", **columns: object) -> dict[str, object]:
    attributes = {"gen_ai.input.messages": into, "gen_ai.output.messages": out, "gen_ai.agent.name": "clerk", "unrelated": "x"}
    row = {"Kind": "llm", "Model": "gpt-5", "Input": "x", "Output": "y", "SpanAttributes": attributes} | columns
    return span_row(span_id, TRACE, parent, start, start + 1, **row)


def heard(answer: dict[str, object]) -> list[list[str]]:
    """The words that are new in each call."""
    calls: list[dict[str, list[dict[str, list[dict[str, str]]]]]] = answer["calls"]  # type: ignore[assignment]
    return [
        ["".join(part["text"] for part in one["parts"]) for one in call["input"][call["earlier"] :] + call["output"]]  # type: ignore[index]
        for call in calls
    ]


@pytest.fixture
def told(store: Store) -> Store:
    """Two calls, of which the second repeats the first; a tool between them and one behind; an outer span that tells the same again."""
    long = "word " * 20_000
    first, second = said(("user", "where is it?")), said(("user", "where is it?"), ("assistant", "let me see"), ("tool", "in Rome"))
    store.insert(
        "otel_traces",
        span_row("1" * 16, TRACE, start=0, end=9, Kind="agent", Input="where is it?", Output=long[:500]),
        call("2" * 16, 1, first, said(("assistant", "let me see")), "5" * 16),
        span_row("3" * 16, TRACE, "1" * 16, 3, 4, Kind="tool", Tool="find", Input="{}", Output="in Rome"),
        call("4" * 16, 5, second, said(("assistant", long)), "1" * 16),
        call("5" * 16, 1, first, said(("assistant", "let me see")), "1" * 16),
        span_row(
            "6" * 16, TRACE, "1" * 16, 7, 8, Kind="tool", Tool="note", Input="x", SpanAttributes={"tool.parameters": '{"k": "noted"}'}
        ),
    )
    store.insert("session_trace_rows", trace_row(TRACE))
    return store


def test_each_thing_once(told: Store, web: httpx.Client) -> None:
    """History is marked as such, an outer span of a call says nothing again, and tools behind the last call stand beside the calls."""
    answer = web.get(f"/traces/{TRACE}/messages.json").json()
    assert [call["span_id"][0] for call in answer["calls"]] == ["2", "4", "6"]
    assert [call["agent"] for call in answer["calls"]] == ["clerk", "clerk", ""]
    words = heard(answer)
    assert words[0] == ["where is it?", "let me see"]
    assert words[1] == ["in Rome", "word " * 20_000]
    assert "noted" in words[2][0]
    assert answer["next"] is None


def test_in_parts(told: Store, web: httpx.Client) -> None:
    found, after = [], ""
    while True:
        answer = web.get(f"/traces/{TRACE}/messages.json", params={"limit": 1, "after": after}).json()
        found += [call["span_id"][0] for call in answer["calls"]]
        if not (after := answer["next"] or ""):
            break
    assert found == ["2", "4", "6"]


def test_one_call(told: Store, web: httpx.Client) -> None:
    answer = web.get(f"/traces/{TRACE}/messages.json", params={"span": "5" * 16}).json()
    assert heard(answer) == [["where is it?", "let me see"]]


def test_the_page_cuts_what_is_long_and_leads_to_all_of_it(told: Store, web: httpx.Client) -> None:
    page = web.get(f"/traces/{TRACE}/messages").text
    assert "20,000 of 100,000 characters" in page
    assert f"/traces/{TRACE}/messages?span={'4' * 16}" in page
    assert page.count("2 earlier messages") == 1
    whole = web.get(f"/traces/{TRACE}/messages", params={"span": "4" * 16}).text
    assert "word " * 20_000 in whole
    assert "in Rome" in web.get(f"/traces/{TRACE}?span={'4' * 16}").text  # the waterfall shows the messages of its span


def test_records_carry_what_spans_do_not(store: Store, web: httpx.Client) -> None:
    """Instrumentations that tell contents in log records beside spans that carry none."""
    store.insert("otel_traces", span_row("1" * 16, TRACE, Kind="llm"))
    record = {"TraceId": TRACE, "SpanId": "1" * 16}
    store.insert(
        "otel_logs",
        log_row(1, 0.1, **record | {"Event": "gen_ai.user.message", "Body": '{"content": "roll"}'}),
        log_row(
            2, 0.2, **record | {"Event": "gen_ai.choice", "Body": '{"index": 0, "message": {"role": "assistant", "content": "a four"}}'}
        ),
        log_row(
            2, 0.2, **record | {"Event": "gen_ai.choice", "Body": '{"index": 0, "message": {"role": "assistant", "content": "a four"}}'}
        ),
        log_row(3, 0.3, **record | {"Event": "other", "Body": "not a message"}),
    )
    assert heard(web.get(f"/traces/{TRACE}/messages.json").json()) == [["roll", "a four"]]


@pytest.mark.parametrize(
    ("query", "status"), [("?limit=0", 400), ("?limit=21", 400), ("?after=x", 400), ("?span=nothing", 404), ("?other=1", 400)]
)
def test_what_cannot_be_asked(told: Store, web: httpx.Client, query: str, status: int) -> None:
    assert web.get(f"/traces/{TRACE}/messages.json{query}").status_code == status
    assert web.get(f"/traces/{TRACE}/messages{query}").status_code == status


def test_no_such_trace(web: httpx.Client) -> None:
    assert web.get(f"/traces/{'b' * 32}/messages.json").status_code == 404


def test_nobody_recorded_what_was_said(store: Store, web: httpx.Client) -> None:
    store.insert("otel_traces", span_row("1" * 16, TRACE, Kind="llm"))
    assert web.get(f"/traces/{TRACE}/messages.json").json()["calls"] == []
    assert "CAPTURE_MESSAGE_CONTENT" in web.get(f"/traces/{TRACE}/messages").text


def test_hostile_messages_stay_words(store: Store, web: httpx.Client) -> None:
    evil = "<script>alert(1)</script>"
    into = json.dumps(
        [{"role": evil, "name": evil, "parts": [{"type": "tool_call", "name": evil, "id": evil, "arguments": evil}, {"type": evil}]}]
    )
    store.insert("otel_traces", call("1" * 16, 0, into, "[" * 3_000, Model=evil, SpanName=evil))
    page = web.get(f"/traces/{TRACE}/messages")
    assert page.status_code == 200
    assert "<script>alert" not in page.text


def test_a_prompt_in_a_record_is_said_aloud(store: Store, web: httpx.Client) -> None:
    """The conversation of a command-line agent stands in its log records."""
    store.sessions({"session_id": "s"})
    prompt = "mend the roof, " * 40
    store.insert("otel_logs", log_row(1, 1, "s", Event="claude_code.user_prompt", LogAttributes={"prompt": prompt}))
    page = web.get("/sessions/s").text
    assert prompt.strip() in page
    assert 'class="message m-user"' in page
