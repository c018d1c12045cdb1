"""Which attributes become which columns."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from sojourn.schema import FACETS, FLAGS
from sojourn.sessions import attributes as table
from tests.native.decoding import Decoder, decode, facets, facts, lifted, request
from tests.native.wire import AT

COLUMNS = {
    "UserId": table.USER,
    "Model": table.MODEL,
    "Provider": table.PROVIDER,
    "Tool": table.TOOL,
    "ResponseId": table.RESPONSE,
    "InputTokens": table.INPUT_TOKENS,
    "OutputTokens": table.OUTPUT_TOKENS,
    "CacheReadTokens": table.CACHE_READ,
    "CacheWriteTokens": table.CACHE_WRITE,
    "ReasoningTokens": table.REASONING,
    "_total_tokens": table.TOTAL_TOKENS,
    "SessionId": table.SESSION_ID,
}
PLAIN = [(column, entry) for column, entries in COLUMNS.items() for entry in entries if isinstance(entry, str)]
INSIDE = [(column, entry) for column, entries in COLUMNS.items() for entry in entries if isinstance(entry, table.Inside)]


def flags(attributes: dict[str, Any], **span: Any) -> set[str]:
    value = int(facts(decode(request(attributes=attributes, **span)))["flags"][0])
    return {name for name, bit in FLAGS.items() if value & bit}


def told(column: str, value: str) -> Any:
    return int(value) if column.endswith(("Tokens", "_tokens")) else value


@pytest.mark.parametrize(("column", "key"), PLAIN)
def test_every_key_of_the_table_fills_its_column(column: str, key: str) -> None:
    """A key alone is enough, as a text or as a number."""
    assert lifted({key: "17"})[column] == told(column, "17")
    assert lifted({key: 17})[column] == told(column, "17")


@pytest.mark.parametrize(("column", "entry"), [pair for pair in INSIDE if "generations" not in pair[1].name])
def test_every_member_of_the_table_fills_its_column(column: str, entry: table.Inside) -> None:
    """Members of JSON objects, nested by dots, are found in the text."""
    value = "17"
    for name in reversed(entry.name.split(".")):
        value = f'{{"other": [1, {{"x": "}}"}}], "{name}": {value}}}'
    assert lifted({entry.key: value})[column] == told(column, "17")


def test_the_first_valid_value_wins_in_whatever_order_keys_come() -> None:
    """The order of the list counts, not that on the wire; what is invalid is as if absent."""
    keys = [entry for entry in table.SESSION_ID if isinstance(entry, str)]
    assert lifted({key: f"id-{key}" for key in reversed(keys)})["SessionId"] == f"id-{keys[0]}"
    assert lifted({keys[0]: " NULL ", keys[1]: "***", keys[2]: " x "})["SessionId"] == "x"
    assert lifted({"gen_ai.usage.input_tokens": "many", "gen_ai.usage.prompt_tokens": "5"})["InputTokens"] == 5


@pytest.mark.parametrize(
    "value", ["", "  ", "null", "None", "undefined", "UNKNOWN", "nan", "<null>", "{}", "<REDACTED>", "[Redacted]", "__REDACTED__", "***"]
)
def test_placeholders_are_no_ids(value: str) -> None:
    """In any case, and with blanks around."""
    found = lifted({"session.id": f" {value} ", "user.id": value})
    assert (found["SessionId"], found["IdClass"], found["UserId"]) == ("", 255, "")


@pytest.mark.parametrize(("value", "text"), [(7, "7"), (7.0, "7"), (0.5, "0.5"), (True, ""), (b"x", ""), (["x"], ""), ({"a": 1}, "")])
def test_only_texts_and_numbers_are_ids(value: Any, text: str) -> None:
    """Numbers become their shortest text."""
    assert lifted({"session.id": value})["SessionId"] == text


@pytest.mark.parametrize(
    ("key", "rank"),
    [
        ("agentmark.session_id", 0),
        ("session.id", 0),
        ("mlflow.trace.session", 0),
        ("gen_ai.conversation.id", 1),
        ("langsmith.metadata.thread_id", 1),
        ("shop.metadata.deep.sessionId", 0),
        ("my.context.session_id", 0),
    ],
)
def test_ids_have_a_class(key: str, rank: int) -> None:
    """0 for a session's own key, 1 for conversations and threads; unknown frameworks are understood."""
    found = lifted({key: "x"})
    assert (found["SessionId"], found["IdClass"]) == ("x", rank)


@pytest.mark.parametrize("key", ["langsmith.trace.session_id", "mcp.session.id", "shop.session_id", "metadata.x.session", "session_id"])
def test_other_keys_are_no_ids(key: str) -> None:
    """Projects, transports, and what stands below nothing known."""
    assert lifted({key: "x"})["SessionId"] == ""


def test_unknown_keys_come_last_bytewise_least_first() -> None:
    """After the list; the resource's session.id only when the span has none."""
    generic = {"b.metadata.session_id": "b", "a.metadata.session_id": "a"}
    assert lifted(generic)["SessionId"] == "a"
    assert lifted(generic | {"gen_ai.conversation.id": "c"})["SessionId"] == "c"
    message = request({"session.id": "resource"})
    row = decode(message).to_pylist()[0]
    assert (row["SessionId"], row["IdClass"]) == ("resource", 2)


def test_long_ids_are_shortened() -> None:
    """The first 200 characters, ~, and a digest of the whole; flagged."""
    long = "é" * 257
    expected = "é" * 200 + "~" + hashlib.sha256(long.encode()).hexdigest()[:16]
    assert lifted({"session.id": f" {long} "})["SessionId"] == expected
    assert flags({"session.id": long}) == {"root", "truncated_id"}
    assert lifted({"session.id": "é" * 256})["SessionId"] == "é" * 256
    message = request({"session.id": long})
    assert decode(message).to_pylist()[0]["SessionId"] == expected


def test_own_keys_replace_the_list() -> None:
    """`id_attributes` is the list then; projects and transports stay out."""
    own = ["my.id", "mcp.session.id"]
    assert lifted({"my.id": "mine", "session.id": "theirs"}, id_attributes=own)["SessionId"] == "mine"
    assert lifted({"session.id": "theirs", "mcp.session.id": "m"}, id_attributes=own)["SessionId"] == ""


def test_the_project_is_an_attribute_or_a_constant() -> None:
    """It is part of the session's key."""
    message = request({"service.namespace": "shop", "team": "x"}, attributes={"session.id": "s"})
    decoder = Decoder(project={"attribute": "team"})
    decoder.push(message)
    columns = decoder.columns()
    assert columns is not None
    assert columns.to_pylist()[0]["Project"] == "x"
    fact = facts(columns)[0]
    assert (decoder.text(fact["session"]), decoder.text(fact["project"])) == ("\0x\0s", "\0x")
    assert decode(message).to_pylist()[0]["Project"] == "shop"
    assert decode(message, project={"value": "all"}).to_pylist()[0]["Project"] == "all"


@pytest.mark.parametrize(
    ("value", "tokens", "limited"),
    [
        ("12", 12, False),
        (" 12 ", 12, False),
        ('{"intValue": "12"}', 12, False),
        (12.0, 12, False),
        (-3, 0, True),
        (2**40, 2**32 - 1, True),
        (1e300, 2**32 - 1, True),
    ],
)
def test_counts_are_read_in_all_spellings_and_bounded(value: Any, tokens: int, limited: bool) -> None:
    """What does not fit is clamped and flagged."""
    attributes = {"gen_ai.usage.input_tokens": value}
    assert lifted(attributes)["InputTokens"] == tokens
    assert ("limited" in flags(attributes)) == limited
    assert ("usage" in flags(attributes)) == (tokens > 0)


@pytest.mark.parametrize(
    ("attributes", "pico"),
    [
        ({"operation.cost": 0.000123}, 123_000_000),
        ({"operation.cost": "0.0000000000025"}, 2),
        ({"operation.cost": "0.0000000000035"}, 4),
        ({"operation.cost": 0.1}, 100_000_000_000),
        ({"operation.cost": 0}, 0),
        ({"operation.cost": -1.0}, -1),
        ({"operation.cost": float("nan")}, -1),
        ({"operation.cost": "free", "llm.cost.total": 0.5}, 500_000_000_000),
        ({"langfuse.observation.cost_details": '{"input": 0.1, "output": 0.2}'}, 300_000_000_000),
        ({"langfuse.observation.cost_details": '{"input": 0.1, "total": 0.25}'}, 250_000_000_000),
        ({"gen_ai.usage.input_cost": 0.1, "gen_ai.usage.output_cost": "0.2"}, 300_000_000_000),
        ({"operation.cost": 10**9}, 10**18),
        ({}, -1),
    ],
)
def test_money_is_exact(attributes: dict[str, Any], pico: int) -> None:
    """Whole picodollars, rounded half to even once; -1 where nothing is told."""
    found = lifted(attributes)
    assert (found["CostPico"], found["CostSource"]) == (pico, int(pico >= 0))


@pytest.mark.parametrize(
    ("attributes", "name", "kind"),
    [
        ({"openinference.span.kind": "LLM"}, "x", "llm"),
        ({"gen_ai.operation.name": "chat"}, "x", "llm"),
        ({"gen_ai.operation.name": "llm_call"}, "x", "llm"),
        ({"gen_ai.operation.name": "execute_tool"}, "x", "tool"),
        ({"ai.operationId": "ai.generateText.doGenerate"}, "x", "llm"),
        ({"ai.operationId": "ai.generateText"}, "x", "chain"),
        ({"ai.operationId": "ai.embedMany.doEmbed"}, "x", "embedding"),
        ({"traceloop.span.kind": "workflow"}, "x", "chain"),
        ({"traceloop.span.kind": "unknown", "llm.request.type": "chat"}, "x", "llm"),
        ({"openinference.span.kind": "UNKNOWN"}, "x", ""),
        ({"gen_ai.operation.name": "invoke_agent"}, "x", "agent"),
        ({"gen_ai.operation.name": "invoke_agent", "langfuse.observation.type": "generation"}, "x", "agent"),
        ({"gen_ai.operation.name": "invoke_workflow", "openinference.span.kind": "LLM"}, "x", "chain"),
        ({"openinference.span.kind": "LLM"}, "agent_step", "agent"),
        ({}, "agent_step", "agent"),
        ({"span.type": "llm_request"}, "x", "llm"),
        ({"span.type": "claude_code.tool"}, "x", "tool"),
    ],
)
def test_kinds_are_told_by_tables(attributes: dict[str, Any], name: str, kind: str) -> None:
    """The first key with a value that names a kind; an agent's span is never a model call."""
    assert decode(request(attributes=attributes, name=name)).to_pylist()[0]["Kind"] == kind


def test_tools_are_named_by_entity_and_span_name() -> None:
    """Where no key names them, on spans of tools only."""
    assert lifted({"traceloop.span.kind": "tool", "traceloop.entity.name": "lookup"})["Tool"] == "lookup"
    assert lifted({"traceloop.span.kind": "task", "traceloop.entity.name": "step"})["Tool"] == ""
    message = request(attributes={"gen_ai.operation.name": "execute_tool"}, name="execute_tool lookup")
    assert decode(message).to_pylist()[0]["Tool"] == "lookup"


def test_a_response_id_in_the_raw_response_counts_on_model_spans_only() -> None:
    """OpenInference has it nowhere else; a tool's result may have an id too."""
    raw = {"output.value": '{"id": "chatcmpl-1", "choices": []}'}
    assert lifted(raw | {"openinference.span.kind": "LLM"})["ResponseId"] == "chatcmpl-1"
    assert lifted(raw | {"openinference.span.kind": "TOOL"})["ResponseId"] == ""
    assert lifted(raw | {"openinference.span.kind": "LLM", "gen_ai.response.id": "r"})["ResponseId"] == "r"


def test_facets_are_metadata_tags_and_names() -> None:
    """Prefixes are stripped; what identifies is not told again; all tags, sorted."""
    attributes = {
        "agentmark.metadata.plan": "pro",
        "agentmark.metadata.session_id": "s",
        "langfuse.trace.metadata.plan": '"team"',
        "langfuse.trace.metadata.region": '"eu"',
        "metadata": '{"seats": 12, "beta": true, "user_id": "u", "nested": {"a": [1, 2]}, "none": null, "cut": "of',
        "langfuse.trace.tags": ["b", "a"],
        "agentmark.tags": '["c"]',
        "langsmith.span.tags": "d, a",
        "agentmark.session_name": "Trip",
        "gen_ai.prompt.name": "travel",
    }
    columns = decode(request(attributes=attributes))
    kind = FACETS
    assert facets(columns) == [
        (kind["metadata"], "beta", "true"),
        (kind["metadata"], "nested", '{"a":[1,2]}'),
        (kind["metadata"], "none", ""),
        (kind["metadata"], "plan", "pro"),
        (kind["metadata"], "region", "eu"),
        (kind["metadata"], "seats", "12"),
        *[(kind["tag"], "", tag) for tag in "abcd"],
        (kind["session_name"], "", "Trip"),
        (kind["prompt_name"], "", "travel"),
    ]
    assert columns.to_pylist()[0]["UserId"] == "u"


def test_metadata_is_bounded() -> None:
    """64 keys, bytewise least first, 256 characters each."""
    attributes = {f"agentmark.metadata.k{n:03}": "é" * 300 for n in range(70)}
    found = facets(decode(request(attributes=attributes)))
    assert [key for _, key, _ in found] == [f"k{n:03}" for n in range(64)]
    assert {value for _, _, value in found} == {"é" * 256}
    assert flags(attributes) == {"root", "truncated"}


@pytest.mark.parametrize(
    ("attributes", "shown", "user"),
    [
        ({"gen_ai.input.messages": " [1] "}, "[1]", True),
        ({"input.value": "é" * 600}, "é" * 500, True),
        ({"agentmark.response.output": "x", "input.value": '"quoted \\n"'}, "quoted \n", True),
        (
            {"llm.input_messages.0.message.content": "system", "llm.input_messages.10.message.content": "last", "input.value": "raw"},
            "last",
            True,
        ),
        ({"gen_ai.tool.call.arguments": '{"a": 1}'}, '{"a": 1}', False),
        ({"gen_ai.prompt": {"a": 1}}, '{"a":1}', True),
        ({"ai.prompt": ""}, "", True),
        ({"input.value": "{}"}, "", False),
        ({}, "", False),
    ],
)
def test_previews_and_user_inputs(attributes: dict[str, Any], shown: str, user: bool) -> None:
    """500 characters of the input; a tool's arguments are shown, but are no turn of a user."""
    assert lifted(attributes)["Input"] == shown
    assert ("input" in flags(attributes)) == user


def test_events_tell_inputs_outputs_and_errors() -> None:
    """Of several messages the last input and the first output are shown."""
    message = request()
    span = message.resource_spans[0].scope_spans[0].spans[0]
    for name, key, text in [
        ("gen_ai.user.message", "content", "one"),
        ("gen_ai.user.message", "content", "two"),
        ("gen_ai.choice", "message", "answer"),
        ("gen_ai.choice", "message", "other"),
        ("exception", "exception.type", "Oops"),
    ]:
        span.events.add(name=name, time_unix_nano=AT).attributes.add(key=key).value.string_value = text
    columns = decode(message)
    row = columns.to_pylist()[0]
    assert (row["Input"], row["Output"]) == ("two", "answer")
    assert int(facts(columns)["flags"][0]) == FLAGS["root"] | FLAGS["input"] | FLAGS["error"]


@pytest.mark.parametrize(
    ("span", "error"), [({"attributes": {"error.type": "X"}}, True), ({"status": {"code": 2}}, True), ({"status": {"code": 1}}, False)]
)
def test_errors(span: dict[str, Any], error: bool) -> None:
    """Status ERROR, error.type, or an exception event."""
    value = int(facts(decode(request(**span)))["flags"][0])
    assert bool(value & FLAGS["error"]) == error


def test_a_wrong_plan_is_refused() -> None:
    """With a word about what is wrong."""
    from sojourn import _native
    from tests.native.wire import LIMITS

    for plan, message in [("{", "lift plan"), ("{}", "id_max_length")]:
        with pytest.raises(ValueError, match=message):
            _native.Lane(texts=_native.Texts(1 << 20), lift=plan, **LIMITS)
