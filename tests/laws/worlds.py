"""Random worlds: a few traces of odd spans, as OTLP messages. Pools are small so that collisions, ties and clashes are the rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

SECOND = 10**9
MINUTE = 60 * SECOND
NOW = 1_795_000_000 * SECOND
"""When everything arrives: one time, because the clamping of impossible times depends on it."""


@dataclass(frozen=True, repr=False)
class Sent:
    """One span as it is sent: with the resource and the scope it stands under."""

    resource: tuple[tuple[str, Any], ...]
    scope: str
    span: bytes
    """The Span message, serialised: hashable, and never changed by accident."""

    def message(self) -> Span:
        return Span.FromString(self.span)

    def __repr__(self) -> str:
        span = self.message()
        attributes = {attribute.key: str(attribute.value).strip() for attribute in span.attributes}
        ids = f"{int.from_bytes(span.trace_id)}/{span.span_id[-1]} below {span.parent_span_id[-1:].hex() or '-'}"
        at = (span.start_time_unix_nano - NOW) / SECOND, (span.end_time_unix_nano - NOW) / SECOND
        events = [event.name for event in span.events]
        return f"\n  {ids} {span.name!r} {self.scope} {dict(self.resource)} {at} {attributes} status={span.status.code} {events}"

    def changed(self, change: Callable[[Span], None]) -> Sent:
        span = self.message()
        change(span)
        return Sent(self.resource, self.scope, span.SerializeToString())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """How Hypothesis shows it."""
        printer.text(repr(self))


def any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, (list, tuple)):
        return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))
    return AnyValue(string_value=value)


def put(span: Any, key: str, value: Any) -> None:
    """Set an attribute; one that is there already is replaced."""
    kept = [attribute for attribute in span.attributes if attribute.key != key]
    del span.attributes[:]
    span.attributes.extend([*kept, KeyValue(key=key, value=any_value(value))])


def drop(span: Any, *keys: str) -> None:
    kept = [attribute for attribute in span.attributes if attribute.key not in keys]
    del span.attributes[:]
    span.attributes.extend(kept)


def request(spans: list[Sent]) -> bytes:
    """One ExportTraceServiceRequest; neighbours of one resource and scope share them."""
    message = ExportTraceServiceRequest()
    resource: ResourceSpans | None = None
    scope: ScopeSpans | None = None
    last: Sent | None = None
    for sent in spans:
        if resource is None or last is None or last.resource != sent.resource:
            resource, scope = message.resource_spans.add(), None
            resource.resource.attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in sent.resource)
        if scope is None or last is None or last.scope != sent.scope:
            scope = resource.scope_spans.add()
            scope.scope.name = sent.scope
        scope.spans.add().ParseFromString(sent.span)
        last = sent
    return message.SerializeToString()


def without_ids(sent: Sent) -> Sent:
    """The same span without anything that names a session, in one project."""
    resource = tuple(pair for pair in sent.resource if pair[0] not in ("session.id", "service.namespace"))
    return replace(sent.changed(lambda span: drop(span, *ID_KEYS)), resource=resource)


def ids_on_some_and_all(spans: list[Sent], choose: Callable[[list[int]], int]) -> tuple[list[Sent], list[Sent]]:
    """The same spans with a session id on one chosen span of each trace, and on every span."""
    everywhere = [sent.changed(lambda span: put(span, "session.id", f"s{span.trace_id[-1] % 2}")) for sent in spans]
    by_trace: dict[bytes, list[int]] = {}
    for at, sent in enumerate(spans):
        by_trace.setdefault(sent.message().trace_id, []).append(at)
    chosen = [choose(members) for members in by_trace.values()]
    return [everywhere[at] if at in chosen else sent for at, sent in enumerate(spans)], everywhere


def placed(sent: Sent, project: int) -> Sent:
    """The same span in a project of its own, in traces that no other project has."""

    def move(span: Span) -> None:
        span.trace_id = project.to_bytes(8) + span.trace_id[8:]

    resource = tuple(pair for pair in sent.resource if pair[0] != "service.namespace")
    return replace(sent.changed(move), resource=(*resource, ("service.namespace", f"p{project}")))


def one_copy_each(world: list[Sent]) -> list[Sent]:
    """Of several copies of a span only the first."""
    copies: dict[tuple[bytes, bytes], Sent] = {}
    for sent in world:
        span = sent.message()
        copies.setdefault((span.trace_id, span.span_id), sent)
    return list(copies.values())


# --- what spans are made of

ID_KEYS = (
    "session.id",
    "langfuse.session.id",
    "ai.telemetry.metadata.sessionId",
    "mlflow.trace.session",
    "some.new.metadata.session_id",
    "gen_ai.conversation.id",
    "traceloop.association.properties.thread_id",
    "wandb.thread_id",
    "langsmith.trace.session_id",
    "mcp.session.id",
)
ID_VALUES = ("s1", "s1", "s2", " s1 ", "null", "", "None", "[REDACTED]", "***", "x" * 300, "ü" * 257, 42, 7.5, True)
INPUT_KEYS = ("gen_ai.usage.input_tokens", "llm.token_count.prompt", "ai.usage.promptTokens", "gen_ai.usage.prompt_tokens")
OUTPUT_KEYS = ("gen_ai.usage.output_tokens", "llm.token_count.completion", "ai.usage.completionTokens", "gen_ai.usage.completion_tokens")
COUNTS: tuple[Any, ...] = (0, 10, 10, 20, 30, 1000, "25", "x", -5, 10.0)
READ_KEYS = ("gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read")
WRITE_KEYS = ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens")
REASONING_KEYS = ("gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens")
KINDS: tuple[tuple[tuple[str, Any], ...], ...] = (
    (),
    (("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-4o-mini"), ("gen_ai.provider.name", "openai")),
    (("openinference.span.kind", "LLM"), ("llm.model_name", "claude-sonnet-4-5"), ("llm.provider", "anthropic")),
    (("gen_ai.operation.name", "chat"), ("gen_ai.response.model", "nobody-1"), ("gen_ai.provider.name", "openai")),
    (("langfuse.observation.type", "generation"),),
    (("gen_ai.operation.name", "embeddings"), ("gen_ai.request.model", "text-embedding-3-small"), ("gen_ai.provider.name", "openai")),
    (("openinference.span.kind", "RERANKER"),),
    (("gen_ai.operation.name", "invoke_agent"), ("gen_ai.request.model", "gpt-4o-mini"), ("gen_ai.provider.name", "openai")),
    (("openinference.span.kind", "CHAIN"),),
    (("traceloop.span.kind", "workflow"),),
    (("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", "search")),
    (("openinference.span.kind", "TOOL"), ("tool.name", "lookup")),
    (("gen_ai.tool.name", "search"),),
    (("gen_ai.request.model", "gpt-4o-mini"), ("gen_ai.provider.name", "openai")),
    (("gen_ai.operation.name", "execute_event_loop_cycle"),),
)
COSTS: tuple[Any, ...] = (0, 0.25, "0.125", 0.1, 1e-12, -1.0, "much", 3)
TAGS: tuple[dict[str, Any], ...] = ({}, {}, {"tag.tags": ("b", "a")}, {"agentmark.tags": '["a","c"]'}, {"langsmith.span.tags": "d, e"})
USERS = (("user.id", "u1"), ("user.id", "u2"), ("enduser.id", "u3"), ("agentmark.user_id", "u4"), ("user.id", "unknown"))
DESCRIPTIONS = (
    ("agentmark.session_name", "Trip"),
    ("ai.telemetry.metadata.sessionName", "Orders"),
    ("agentmark.prompt_name", "travel"),
    ("gen_ai.prompt.name", "greet"),
    ("input.value", "hello"),
    ("input.value", ""),
    ("gen_ai.input.messages", "[1]"),
    ("output.value", "bye"),
    ("output.value", "long " * 200),
    ("agentmark.metadata.plan", "pro"),
    ("agentmark.metadata.attempt", 2),
    ("ai.telemetry.metadata.plan2", "free"),
    ("langfuse.trace.metadata.region", '"eu"'),
    ("langsmith.metadata.long", "y" * 300),
    ("langsmith.metadata.flag", True),
    ("tool.parameters", "x"),
    ("error.type", "ValueError"),
)
RESOURCES = (
    (("service.name", "shop"),),
    (("service.name", "shop"),),
    (("service.name", "desk"), ("service.namespace", "p1")),
    (("service.name", "shop"), ("session.id", "r1")),
    (("service.name", "desk"), ("app.team", "red"), ("enduser.id", "u5")),
    (),
)
MEASURED = ("app.pages", "app.retry", "app.room")
INTEGERS: tuple[Any, ...] = (1, 2, 2, "3", 4.0, -7, 2.5, "two", True, 2**62, "9223372036854775808")
TEAMS = ("red", "red", " blue ", "unknown", 7)
SCORE_NAMES = ("polite", "polite", "right", "", 5)
SCORE_VALUES: tuple[Any, ...] = (0.1, 0.2, 0.1, 1, "0.3", -2.5, 1e12, "good", True, "0.0000000005")


def _times(random: Random) -> tuple[int, int]:
    """(start, end): near each other with many ties; hours apart; rarely impossible."""
    chance = random.random()
    if chance < 0.75:
        start = NOW - 10 * MINUTE + random.randint(0, 12) * SECOND
    elif chance < 0.95:
        start = NOW - 30 * MINUTE + random.choice((-5, -3, -1, 0)) * 31 * MINUTE
    else:
        start = random.choice((0, 1, NOW - 401 * 86_400 * SECOND, NOW + 2 * 86_400 * SECOND, 2**63, 2**64 - 1))
    length = random.choice((0, 0, SECOND, 2 * SECOND, 5 * SECOND, -SECOND, 40 * MINUTE))
    return start, min(max(start + length, 0), 2**64 - 1)


def _some(random: Random, keys: tuple[str, ...], values: tuple[Any, ...], most: int) -> dict[str, Any]:
    return {random.choice(keys): random.choice(values) for _ in range(random.randint(0, most))}


def _attributes(random: Random) -> dict[str, Any]:
    found: dict[str, Any] = dict(random.choice(KINDS))
    if random.random() < 0.5:
        found |= _some(random, ID_KEYS, ID_VALUES, 3)
    if random.random() < 0.6:
        for keys, most in ((INPUT_KEYS, 2), (OUTPUT_KEYS, 2), (READ_KEYS, 1), (WRITE_KEYS, 1), (REASONING_KEYS, 1)):
            found |= _some(random, keys, COUNTS, most)
        found |= _some(random, ("gen_ai.usage.total_tokens",), (20, 40, 1020), 1)
        found |= _some(random, ("gen_ai.usage.cost", "operation.cost"), COSTS, 1)
    found |= _some(random, ("gen_ai.response.id",), ("r1", "r2"), 1)
    if random.random() < 0.3:
        found |= _some(random, MEASURED, INTEGERS, 2) | _some(random, ("app.team",), TEAMS, 1)
    if random.random() < 0.2:
        for _ in range(random.randint(1, 3)):
            way = random.choice(("annotations.{}.annotation", "trace.annotations.{}.annotation", "evaluations.{}.evaluation"))
            key = way.format(random.randint(0, 2))
            found |= {f"{key}.name": random.choice(SCORE_NAMES), f"{key}.score": random.choice(SCORE_VALUES)}
    found |= dict(random.sample(USERS, random.randint(0, 1)))
    return found | dict(random.sample(DESCRIPTIONS, random.randint(0, 3))) | random.choice(TAGS)


def evaluation(random: Random) -> dict[str, Any]:
    """What the event says of a judgement."""
    return {"gen_ai.evaluation.name": random.choice(SCORE_NAMES), "gen_ai.evaluation.score.value": random.choice(SCORE_VALUES)}


def one_span(trace: int, span_id: int, parent: int, seed: int) -> Sent:
    """A span with these ids; all else follows from the seed, so that a failing example shrinks to few spans quickly."""
    random = Random(seed)
    start, end = _times(random)
    span = Span(
        trace_id=trace.to_bytes(16),
        span_id=(span_id << 56 | span_id).to_bytes(8),
        parent_span_id=(parent << 56 | parent).to_bytes(8) if parent else b"",
        name=random.choice(("root", "chat", "execute_tool search", "agent_step")),
        start_time_unix_nano=start,
        end_time_unix_nano=end,
    )
    for key, value in _attributes(random).items():
        put(span, key, value)
    if random.random() < 0.2:
        span.status.code = Status.STATUS_CODE_ERROR
    if random.random() < 0.2:
        event = span.events.add(name=random.choice(("exception", "gen_ai.user.message", "other")), time_unix_nano=start)
        put(event, "content", random.choice(("asked", "[]")))
    if random.random() < 0.1:
        event = span.events.add(name="gen_ai.evaluation.result", time_unix_nano=start)
        for key, value in evaluation(random).items():
            put(event, key, value)
    return Sent(random.choice(RESOURCES), random.choice(("a", "b")), span.SerializeToString())


SEEDS = st.integers(0, 2**32 - 1)


def random_spans(random: Random) -> list[Sent]:
    """A world without Hypothesis, for tests that play many of them at once."""
    size = random.randint(1, 10)
    return [one_span(random.randint(1, 3), random.randint(1, 7), random.randint(0, 8), random.getrandbits(32)) for _ in range(size)]


def spans(traces: int = 3) -> st.SearchStrategy[list[Sent]]:
    """Spans of a few traces. Parents may be missing, their own child, or one another's; the same span may come as several copies."""
    trace, span_id, parent = st.integers(1, traces), st.integers(1, 7), st.integers(0, 8)
    return st.lists(st.builds(one_span, trace, span_id, parent, SEEDS), min_size=1, max_size=14)


@st.composite
def deliveries(draw: st.DrawFn, world: list[Any], most: int = 100) -> list[list[Any]]:
    """The spans, and log records, in any order, some sent again, cut into groups anywhere: at most so many."""
    random = Random(draw(SEEDS))
    order = world + random.choices(world, k=random.randint(0, 4))
    random.shuffle(order)
    groups = []
    while order:
        size = random.randint(1, len(order)) if len(groups) < most - 1 else len(order)
        groups.append(order[:size])
        order = order[size:]
    return groups
