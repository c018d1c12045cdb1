"""What log records tell the session rules: packed rows, log traces, marks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from sojourn import _native
from sojourn.schema import FACETS, FLAGS, KINDS
from sojourn.storage.database import Database
from tests.native.decoding import SPAN, TRACE, Decoder, decode, facets, facts, put, request
from tests.native.log_records import decode_logs, event, flags, record, row
from tests.native.test_facts_again import again
from tests.native.test_logs_properties import log_requests
from tests.native.wire import AT

MINUTE = 60 * 10**9


def fact(*messages: Any, **plan: Any) -> Any:
    return facts(decode_logs(*messages, **plan))[-1]


def test_a_record_is_an_instant_below_the_span_it_names() -> None:
    """Known by its digest; its name is its event's."""
    decoder = Decoder()
    decoder.push(event("happened", {"user.id": "u", "session.id": "s"}, trace_id=TRACE, span_id=SPAN, scope="lib"))
    columns = decoder.logs()
    assert columns is not None
    found = facts(columns)[0]
    assert fact(record(span_id=SPAN))["parent"] == 0  # a span without its trace is none
    assert found["span"] == found["digest"] == columns.column("Digest")[0].as_py() != 0
    assert found["parent"] == int.from_bytes(SPAN, "big")
    assert found["start"] == found["end"] == found["sent_end"] == AT - 1_000_000_000
    assert (found["arrival"], KINDS[found["kind"]], found["id_class"], found["cost"]) == (AT, "span", 0, -1)
    texts = {name: decoder.text(found[name]) for name in ("name", "user", "scope", "session", "service")}
    assert texts == {"name": "happened", "user": "u", "scope": "lib", "session": "\0\0s", "service": ""}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"attributes": {"event.name": "attribute"}, "event_name": "field"}, "attribute"),
        ({"event_name": "field"}, "field"),
        ({}, ""),
        ({"attributes": {"event.name": "api_request"}, "scope": "com.anthropic.claude_code.events"}, "claude_code.api_request"),
        ({"attributes": {"event.name": "other.api_request"}, "scope": "com.anthropic.claude_code.events"}, "other.api_request"),
        ({"attributes": {"event.name": "api_request"}, "scope": "another"}, "api_request"),
        ({"scope": "com.anthropic.claude_code.events"}, ""),
    ],
)
def test_the_name_of_an_event(fields: dict[str, Any], name: str) -> None:
    """Its attribute, else its field; Claude Code leaves its own prefix out."""
    assert row(record(**fields))["Event"] == name


CALLS = [
    (
        "gemini_cli.api_response",
        {
            "model": "gemini-2.5-pro",
            "input_token_count": 100,
            "output_token_count": 20,
            "cached_content_token_count": 40,
            "thoughts_token_count": 9,
        },
        ("llm", "gemini-2.5-pro", 100, 20, 40, 9),
    ),
    (
        "claude_code.api_request",
        {"model": "claude-sonnet-4", "input_tokens": "12", "output_tokens": "30", "cache_read_tokens": "500", "cost_usd": "0.25"},
        ("llm", "claude-sonnet-4", 12, 30, 500, 0),
    ),
    (
        "codex.sse_event",
        {
            "event.kind": "response.completed",
            "model": "gpt-5",
            "input_token_count": "70",
            "output_token_count": "8",
            "cached_token_count": 60,
            "reasoning_token_count": 5,
        },
        ("llm", "gpt-5", 70, 8, 60, 5),
    ),
    (
        "gen_ai.client.inference.operation.details",
        {
            "gen_ai.response.model": "m",
            "gen_ai.usage.input_tokens": 3,
            "gen_ai.usage.output_tokens": 4,
            "gen_ai.operation.name": "embeddings",
        },
        ("embedding", "m", 3, 4, 0, 0),
    ),
    (
        "codex.sse_event",
        {"event.kind": "response.output_item.done", "model": "gpt-5", "input_token_count": "70"},
        ("span", "gpt-5", 0, 0, 0, 0),
    ),
    ("claude_code.api_request", {"model": "claude-sonnet-4"}, ("span", "claude-sonnet-4", 0, 0, 0, 0)),
    ("gen_ai.anything", {"gen_ai.usage.input_tokens": 3}, ("llm", "", 3, 0, 0, 0)),
    ("gen_ai.anything", {"gen_ai.usage.input_tokens": 3, "gen_ai.operation.name": "invoke_agent"}, ("span", "", 0, 0, 0, 0)),
    ("anything", {"gen_ai.usage.input_tokens": 3, "gen_ai.operation.name": "chat"}, ("span", "", 0, 0, 0, 0)),
]


@pytest.mark.parametrize(("name", "attributes", "told"), CALLS)
def test_calls_of_models_are_told_by_known_events(name: str, attributes: dict[str, Any], told: tuple[Any, ...]) -> None:
    """With the figures as they stand there, texts or numbers; without usage, or by another event, no call is told."""
    found = row(event(name, attributes))
    columns = ("Kind", "Model", "InputTokens", "OutputTokens", "CacheReadTokens", "ReasoningTokens")
    assert tuple(found[column] for column in columns) == told
    assert ("usage" in flags(event(name, attributes))) is (told[0] != "span")


def test_users_of_records() -> None:
    """Accounts go before user.id, which may be a device there, and an installation is nobody; spans keep their own order."""
    told = {"user.id": "device", "installation.id": "i", "agentmark.user_id": "m"}
    assert row(record(attributes=told | {"user.account_id": "a"}))["UserId"] == "a"
    assert (row(record(attributes=told))["UserId"], row(record(attributes={"installation.id": "i"}))["UserId"]) == ("m", "")
    assert decode(request(attributes={"installation.id": "i"})).column("UserId").to_pylist() == ["i"]


def test_records_give_no_metadata_names_or_tags() -> None:
    """They may be thousands, and say nothing of the session that its spans do not."""
    told = {"agentmark.metadata.plan": "pro", "tags": "a,b", "agentmark.session_name": "n", "metadata": '{"a": 1}'}
    assert facets(decode_logs(record(attributes=told))) == []


def test_cost_is_taken_as_told() -> None:
    """In picodollars; without a call there is none."""
    cost = {"cost_usd": "0.25"}
    assert (fact(event("claude_code.api_request", cost))["cost"], fact(event("x", cost))["cost"]) == (250_000_000_000, -1)


@pytest.mark.parametrize(
    ("name", "attributes", "tool", "texts"),
    [
        ("gemini_cli.tool_call", {"function_name": "read", "function_args": '{"a": 1}'}, "read", ('{"a": 1}', "")),
        ("claude_code.tool_result", {"tool_name": "Bash", "tool_parameters": "ls"}, "Bash", ("ls", "")),
        ("codex.tool_result", {"tool_name": "shell", "arguments": "ls", "output": "a b"}, "shell", ("ls", "a b")),
    ],
)
def test_calls_of_tools_are_told_by_known_events(name: str, attributes: dict[str, Any], tool: str, texts: tuple[str, str]) -> None:
    """With what they were given, and what came out."""
    found = row(event(name, attributes))
    assert (found["Kind"], found["Tool"], (found["Input"], found["Output"])) == ("tool", tool, texts)


@pytest.mark.parametrize("agent", ["claude_code", "codex", "gemini_cli"])
def test_prompts_are_marked(agent: str) -> None:
    """They make turns; a prompt that was left out of the record is one too."""
    said = event(f"{agent}.user_prompt", {"prompt": "make it so"})
    assert (row(said)["Input"], flags(said)) == ("make it so", {"prompt", "input"})
    assert flags(event(f"{agent}.user_prompt", {"prompt": "<REDACTED>"})) == {"prompt"}


def test_messages_of_older_events_are_read_from_the_body() -> None:
    """gen_ai.user.message and gen_ai.choice carry no usage, but texts."""
    assert row(record(event_name="gen_ai.user.message", body={"content": "hello"}))["Input"] == "hello"
    assert row(record(event_name="gen_ai.choice", body={"message": {"content": "hi"}}))["Output"] == '{"content":"hi"}'


# --- sessions


@pytest.mark.parametrize(
    ("resource", "attributes", "expected"),
    [
        ({}, {"session.id": " s "}, ("s", 0)),
        ({}, {"conversation.id": "c"}, ("c", 1)),
        ({"session.id": "r"}, {}, ("r", 2)),
        ({"session.id": "r"}, {"conversation.id": "c", "session.id": "null"}, ("c", 1)),
        ({}, {}, ("", 255)),
    ],
)
def test_a_record_names_its_session_as_a_span_does(resource: dict[str, str], attributes: dict[str, str], expected: tuple[str, int]) -> None:
    """Its own attributes, then its resource."""
    found = row(record(resource, attributes=attributes))
    assert (found["SessionId"], found["IdClass"]) == expected


def test_a_record_without_a_trace_is_in_the_log_trace_of_its_session_service_and_minute(database: Database) -> None:
    """The id follows from their texts alone, so that every collector finds the same one, and SQL too."""
    found = row(record({"service.name": "cli", "service.namespace": "p"}, attributes={"session.id": "s"}))
    minute = (AT - 10**9) // MINUTE
    asked = {"text": f"\0p\0s\0cli\0{minute}".encode().hex()}
    (hashed,) = database.rows("SELECT lower(hex(xxh3_128(unhex({text:String})))) AS id", asked)
    assert found["LogTrace"] == hashed["id"]
    assert (found["TraceId"], found["_trace"]) == ("", found["LogTrace"])


def test_what_makes_another_log_trace() -> None:
    """Another minute, session, service or project; nothing else."""

    def log_trace(resource: dict[str, str] | None = None, session: str = "s", **fields: Any) -> str:
        return str(row(record(resource, attributes={"session.id": session}, **fields))["LogTrace"])

    start = AT // MINUTE * MINUTE
    same = log_trace(time_unix_nano=start)
    assert same == log_trace(time_unix_nano=start + MINUTE - 1, body="x", severity_number=17)
    others = [
        log_trace(time_unix_nano=start + MINUTE),
        log_trace(time_unix_nano=start, session="t"),
        log_trace({"service.name": "x"}, time_unix_nano=start),
        log_trace({"service.namespace": "x"}, time_unix_nano=start),
        log_trace(time_unix_nano=5),
    ]
    assert len({same, *others}) == 6
    assert row(record())["LogTrace"] == row(record(attributes={"session.id": "s"}, trace_id=TRACE))["LogTrace"] == ""


@pytest.mark.parametrize("time", [0, 5])
def test_a_time_out_of_range_or_not_told_is_the_same_for_every_copy(time: int) -> None:
    """The stored time follows the arrival; what tells copies apart does not."""
    message = record(attributes={"session.id": "s"}, time_unix_nano=time)
    first, later = (facts(decode_logs(message, at=at))[0] for at in (AT, AT + 10**12))
    assert first["start"] != later["start"]
    assert (first["sent_end"], first["digest"]) == (later["sent_end"], later["digest"]) == (0, later["digest"])
    assert decode_logs(message).column("LogTrace") == decode_logs(message, at=AT + 10**12).column("LogTrace")


# --- marks


def test_marks_begin_and_end_sessions() -> None:
    """A start may say which session it continues; its id is read as every session id is."""
    start = event("session.start", {"session.id": "s", "session.previous_id": " r "})
    assert flags(start) == {"session_start"}
    assert facets(decode_logs(start)) == [(FACETS["previous_id"], "", "r")]
    end = record(event_name="session.end", attributes={"session.id": "s", "session.previous_id": "r"})
    assert (flags(end), facets(decode_logs(end))) == ({"session_end"}, [])
    assert flags(record(attributes={"session.end": True})) == set()


def test_our_own_events_are_no_marks() -> None:
    """They may come back through another collector."""
    assert flags(event("session.end", {"session.id": "s"}, scope="sojourn")) == set()


def test_spans_are_marked_by_their_events_and_one_attribute() -> None:
    """With the time of each event, since the span's own is another."""
    message = request(attributes={"session.id": "s"})
    span = message.resource_spans[0].scope_spans[0].spans[0]
    put(span.events.add(name="session.start", time_unix_nano=AT - 7).attributes, {"session.previous_id": "r"})
    span.events.add(name="session.end", time_unix_nano=AT - 3)
    columns = decode(message)
    marks = FLAGS["session_start"] | FLAGS["session_end"]
    assert facts(columns)["flags"][0] & marks == marks
    assert facets(columns) == [
        (FACETS["mark"], "session.start", str(AT - 7)),
        (FACETS["mark"], "session.end", str(AT - 3)),
        (FACETS["previous_id"], "", "r"),
    ]
    for value, ends in [(True, True), ("true", True), (False, False), ("yes", False)]:
        found = facts(decode(request(attributes={"session.end": value})))["flags"][0]
        assert bool(found & FLAGS["session_end"]) is ends


# --- the law: what is stored is folded again as it was decoded


@given(log_requests())
@settings(max_examples=60, deadline=None)
def test_packing_again_gives_what_decoding_gave(message: Any) -> None:
    """Bit for bit, for any records."""
    decoder = Decoder()
    decoder.push(message)
    columns = decoder.logs()
    if columns is not None:
        same(columns, decoder.texts)


@pytest.mark.parametrize("time", [0, 5, AT, 2**63, 2**64 - 1])
def test_packing_again_with_odd_times(time: int) -> None:
    """What the stored row does not say follows from what it says."""
    decoder = Decoder()
    decoder.push(event("claude_code.api_request", {"session.id": "s", "input_tokens": 3, "cost_usd": 1}, time_unix_nano=time))
    columns = decoder.logs()
    assert columns is not None
    same(columns, decoder.texts)


def same(columns: Any, texts: _native.Texts) -> None:
    packed = again(columns, texts)
    assert packed.column("_fact").equals(columns.column("_fact"))
    assert packed.column("_facets").equals(columns.column("_facets"))
