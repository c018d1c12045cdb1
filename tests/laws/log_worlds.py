"""Random log records beside the spans of `worlds`: with their own id, only a trace id, or neither; naming spans and response ids; telling
calls, tool calls, prompts, errors and marks.

Apart from marks no two records have one time: what the specification orders by time and then by digest is not tried here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

from tests.laws import worlds
from tests.laws.worlds import MINUTE, NOW, SECOND, Sent, any_value, put


@dataclass(frozen=True, repr=False)
class Logged:
    """One log record as it is sent: with the resource and the scope it stands under."""

    resource: tuple[tuple[str, Any], ...]
    scope: str
    record: bytes
    """The LogRecord message, serialised."""

    def message(self) -> LogRecord:
        return LogRecord.FromString(self.record)

    def changed(self, change: Callable[[LogRecord], None]) -> Logged:
        record = self.message()
        change(record)
        return replace(self, record=record.SerializeToString())

    def __repr__(self) -> str:
        record = self.message()
        said = {attribute.key: str(attribute.value).strip() for attribute in record.attributes}
        ids = f"{int.from_bytes(record.trace_id)}/{record.span_id[-1:].hex() or '-'}"
        at = (record.time_unix_nano - NOW) / SECOND
        return f"\n  log {ids} {record.event_name!r} {self.scope} {dict(self.resource)} {at} {said} severity={record.severity_number}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis shows it."""
        printer.text(repr(self))


Anything = Sent | Logged


def requests(group: list[Anything]) -> list[tuple[str, bytes]]:
    """(signal, request) of a group: one request per signal, in the order in which the group has them first."""
    spans = [each for each in group if isinstance(each, Sent)]
    records = [each for each in group if isinstance(each, Logged)]
    bodies = {"traces": worlds.request(spans) if spans else b"", "logs": request(records) if records else b""}
    order = ("traces", "logs") if isinstance(group[0], Sent) else ("logs", "traces")
    return [(signal, bodies[signal]) for signal in order if bodies[signal]]


def request(records: list[Logged]) -> bytes:
    """One ExportLogsServiceRequest; neighbours of one resource and scope share them."""
    message = ExportLogsServiceRequest()
    resource: ResourceLogs | None = None
    scope: ScopeLogs | None = None
    last: Logged | None = None
    for logged in records:
        if resource is None or last is None or last.resource != logged.resource:
            resource, scope = message.resource_logs.add(), None
            resource.resource.attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in logged.resource)
        if scope is None or last is None or last.scope != logged.scope:
            scope = resource.scope_logs.add()
            scope.scope.name = logged.scope
        scope.log_records.add().ParseFromString(logged.record)
        last = logged
    return message.SerializeToString()


def without_ids(logged: Logged) -> Logged:
    """The same record without anything that names a session, in one project: it is bound through its trace, or not at all."""
    resource = tuple(pair for pair in logged.resource if pair[0] not in ("session.id", "service.namespace"))
    return replace(logged.changed(lambda record: worlds.drop(record, *worlds.ID_KEYS)), resource=resource)


def placed(logged: Logged, project: int) -> Logged:
    """The same record in a project of its own, in traces that no other project has."""

    def move(record: LogRecord) -> None:
        if record.trace_id:
            record.trace_id = project.to_bytes(8) + record.trace_id[8:]

    resource = tuple(pair for pair in logged.resource if pair[0] != "service.namespace")
    return replace(logged.changed(move), resource=(*resource, ("service.namespace", f"p{project}")))


def placed_too(each: Anything, project: int) -> Anything:
    return worlds.placed(each, project) if isinstance(each, Sent) else placed(each, project)


# --- what records are made of

CLAUDE_SCOPE = "com.anthropic.claude_code.events"
_DETAILS = {"event.name": "gen_ai.client.inference.operation.details"}
CALLS: tuple[dict[str, Any], ...] = (
    _DETAILS | {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"},
    _DETAILS | {"gen_ai.response.model": "gpt-4o-mini"},
    _DETAILS | {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "text-embedding-3-small"},
    _DETAILS | {"gen_ai.operation.name": "invoke_agent"},
    {"gen_ai.request.model": "gpt-4o-mini", "gen_ai.operation.name": "chat"},
)
OWN_CALLS: tuple[dict[str, Any], ...] = (
    {"event.name": "gemini_cli.api_response", "model": "gemini-2.5-flash"},
    {"event.name": "claude_code.api_request", "model": "claude-sonnet-4-5"},
    {"event.name": "codex.sse_event", "event.kind": "response.completed", "model": "gpt-5"},
    {"event.name": "codex.sse_event", "event.kind": "response.created"},
)
COUNTS: tuple[Any, ...] = (0, 10, 10, 20, 30, 1000, "25", "10", "x")
TOKENS = (
    ("gen_ai.usage.input_tokens", "input_tokens", "input_token_count"),
    ("gen_ai.usage.output_tokens", "output_tokens", "output_token_count"),
    ("gen_ai.usage.cache_read.input_tokens", "cache_read_tokens", "cached_token_count", "cached_content_token_count"),
    ("gen_ai.usage.reasoning.output_tokens", "reasoning_token_count", "thoughts_token_count"),
)
TOOLS = ("gemini_cli.tool_call", "claude_code.tool_result", "codex.tool_result")
PROMPTS = ("gemini_cli.user_prompt", "claude_code.user_prompt", "codex.user_prompt")
OTHERS: tuple[dict[str, Any], ...] = (
    {},
    {"event.name": "gen_ai.user.message"},
    {"event.name": "claude_code.api_error", "status_code": "529"},
    {"error.type": "TimeoutError"},
    {"exception.message": "no"},
    {"event.name": "gemini_cli.config", "error": "none"},
)


def _when(random: Random, of_trace: bool) -> int:
    """Near the spans, hours apart, or rarely impossible; never twice the same.

    Impossible times are moved to one moment, where the order of log traces is open, which only matters where one of them lasts for hours:
    so a record of a trace has none.
    """
    chance = random.random()
    if chance < 0.8:
        time = NOW - 10 * MINUTE + random.randint(0, 120) * SECOND
    elif chance < 0.97 or of_trace:
        time = NOW - 30 * MINUTE + random.choice((-5, -3, -1, 0)) * 31 * MINUTE
    else:
        time = random.choice((1, NOW - 401 * 86_400 * SECOND, NOW + 2 * 86_400 * SECOND))
    return time + random.randint(1, SECOND - 1)


def _said(random: Random) -> dict[str, Any]:
    chance = random.random()
    if chance < 0.45:
        found = dict(random.choice(OWN_CALLS if random.random() < 0.3 else CALLS))
        for keys in TOKENS:
            found |= {random.choice(keys): random.choice(COUNTS)} if random.random() < 0.6 else {}
        found |= {random.choice(("gen_ai.usage.cost", "cost_usd")): random.choice((0, 0.25, "0.125"))} if random.random() < 0.3 else {}
        return found | ({"gen_ai.response.id": random.choice(("r1", "r2"))} if random.random() < 0.3 else {})
    if chance < 0.55:
        return {"event.name": random.choice(TOOLS), "function_name": "search", "success": random.choice(("true", "false"))}
    if chance < 0.65:
        return {"event.name": random.choice(PROMPTS), "prompt": random.choice(("first", "second", "<REDACTED>"))}
    if chance < 0.7:
        return {"event.name": "gen_ai.evaluation.result"} | worlds.evaluation(random)
    if chance < 0.77:
        return random.choice(({"event.name": "session.end"}, {"event.name": "session.start", "session.previous_id": "s1"}))
    return dict(random.choice(OTHERS))


def one_record(trace: int, span_id: int, seed: int) -> Logged:
    """A record that names this span of this trace, or none for 0; all else follows from the seed."""
    random = Random(seed)
    said = _said(random)
    if random.random() < 0.5:
        said |= {random.choice(("session.id", "gen_ai.conversation.id", "conversation.id")): random.choice(worlds.ID_VALUES)}
    said |= dict(random.sample([*worlds.USERS, ("user.account_uuid", "a1"), ("installation.id", "i1")], random.randint(0, 1)))
    name = said.pop("event.name", "") if random.random() < 0.3 else ""
    exact = str(said.get("event.name", name)).split(".")[-1] in ("end", "start", "user_prompt")
    time = NOW - 10 * MINUTE + random.randint(0, 12) * SECOND if exact and random.random() < 0.7 else _when(random, trace > 0)
    if exact and "user_prompt" in str(said.get("event.name", name)):
        time += random.randrange(SECOND)
    record = LogRecord(
        trace_id=trace.to_bytes(16) if trace else b"",
        span_id=(span_id << 56 | span_id).to_bytes(8) if trace and span_id else b"",
        event_name=name,
        severity_number=random.choice((0, 9, 9, 17, 21)),  # type: ignore[arg-type]
    )
    observed = random.random() < 0.2
    record.observed_time_unix_nano, record.time_unix_nano = time, 0 if observed else time
    for key, value in said.items():
        put(record, key, value)
    scope = random.choice(("a", "b", CLAUDE_SCOPE, "sojourn")) if random.random() < 0.3 else "a"
    return Logged(random.choice(worlds.RESOURCES), scope, record.SerializeToString())


def records(traces: int = 3) -> st.SearchStrategy[list[Logged]]:
    """Records of the traces of `worlds.spans`, of one more, and of none."""
    return st.lists(st.builds(one_record, st.integers(0, traces + 1), st.integers(0, 8), worlds.SEEDS), max_size=10)


@st.composite
def everything(draw: st.DrawFn) -> list[Anything]:
    return [*draw(worlds.spans()), *draw(records())]


def random_records(random: Random) -> list[Logged]:
    """Without Hypothesis, for tests that play many worlds at once."""
    return [one_record(random.randint(0, 4), random.randint(0, 8), random.getrandbits(32)) for _ in range(random.randint(0, 8))]


def one_mark(seed: int) -> Logged:
    """A mark of a session that `worlds.ids_on_some_and_all` makes: between its spans, behind them, in silences."""
    random = Random(seed)
    own, other = random.choice((("s0", "s1"), ("s1", "s0")))
    said = random.choice(({"event.name": "session.end"}, {"event.name": "session.start", "session.previous_id": other}))
    time = NOW + random.choice((-10, -10, -10, -8, 0, 20, -195, -170, -71)) * MINUTE + random.choice((0, 1, 2, 3, 5, 8, 14)) * SECOND
    record = LogRecord(time_unix_nano=time, event_name=said.pop("event.name") if random.random() < 0.5 else "")
    for key, value in (said | {"session.id": own}).items():
        put(record, key, value)
    return Logged((("service.name", "shop"),), "sojourn" if random.random() < 0.1 else "a", record.SerializeToString())


def marked(sent: Sent, seed: int) -> Sent:
    """The span with a mark on it, or with an event that is one; often unchanged."""
    random = Random(seed)

    def change(span: Any) -> None:
        at, chance = span.end_time_unix_nano + random.choice((-1, 0, 0, 1, 3)) * SECOND, random.random()
        if chance < 0.1:
            put(span, "session.end", random.choice((True, "true", "True", False, "no", 1)))
        elif chance < 0.2:
            event = span.events.add(name=random.choice(("session.end", "session.start")), time_unix_nano=min(max(at, 0), 2**64 - 1))
            put(event, "session.previous_id", random.choice(("s0", "s1", "null")))

    return sent.changed(change)


@st.composite
def marked_worlds(draw: st.DrawFn) -> list[Anything]:
    """Spans of two sessions, with marks of every kind."""
    spans = [worlds.without_ids(sent) for sent in worlds.one_copy_each(draw(worlds.spans(5)))]
    _, spans = worlds.ids_on_some_and_all(spans, lambda members: members[0])
    marks = draw(st.lists(st.builds(one_mark, worlds.SEEDS), min_size=1, max_size=4))
    return [*(marked(sent, draw(worlds.SEEDS)) for sent in spans), *marks]


def one_copy(trace: int, span_id: int, parent: int, seed: int) -> Sent:
    """A span that names one of two sessions, or none, and may say when one ends or continues the other: its copies differ."""
    random = Random(seed)
    sent = worlds.without_ids(worlds.one_span(trace, span_id, parent, seed))
    session = random.choice(("s0", "s1", None, None))
    return marked(sent if session is None else sent.changed(lambda span: put(span, "session.id", session)), seed)


def one_own_record(trace: int, span_id: int, seed: int) -> Logged:
    """A record that names a session itself, or by its resource alone, or none."""
    random = Random(seed)
    logged = without_ids(one_record(trace, span_id, seed))
    session, place = random.choice(("s0", "s1")), random.random()
    if place < 0.7:
        return logged.changed(lambda record: put(record, "session.id", session))
    return replace(logged, resource=(*logged.resource, ("session.id", session))) if place < 0.85 else logged


@st.composite
def crossing_worlds(draw: st.DrawFn) -> list[Anything]:
    """Few spans in many copies, and records and marks of two sessions in the same traces: whose part of a trace is whose changes often."""
    trace, span_id = st.integers(1, 2), st.integers(1, 3)
    copies = st.lists(st.builds(one_copy, trace, span_id, st.integers(0, 3), worlds.SEEDS), max_size=8)
    own = st.lists(st.builds(one_own_record, st.integers(0, 2), st.integers(0, 3), worlds.SEEDS), max_size=6)
    marks = st.lists(st.builds(one_mark, worlds.SEEDS), max_size=2)
    found: list[Anything] = [*draw(copies), *draw(own), *draw(marks)]
    return found or [draw(st.builds(one_copy, trace, span_id, st.just(0), worlds.SEEDS))]
