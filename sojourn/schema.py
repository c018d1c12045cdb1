"""Every table and every column with its meaning and unit: the one definition that the native core, Python, SQL and the docs follow.

`OTEL_TRACES`, `OTEL_LOGS` and `OTEL_METRICS` begin with the columns of the contrib ClickHouse exporter, unchanged. Behind them stand the
facts that the session rules work on, so that rows can be folded again. `FACT` and `FACET` are the same facts packed, one fixed-size row per
span or log record, as the native core hands them over and numpy views them without copying.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    """The ClickHouse type."""
    meaning: str
    codec: str = "ZSTD(1)"


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    meaning: str
    columns: tuple[Column, ...]
    days: str = ""
    """The time whose day is the partition; '' for tables that are not parted by days."""

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def _columns(*rows: tuple[str, ...]) -> tuple[Column, ...]:
    return tuple(Column(*row) for row in rows)


ATTRIBUTES = "Map(LowCardinality(String), String)"
CODE = "LowCardinality(String)"
TIME = "DateTime64(9)"

_TOLD = (  # what a span or log record says of a call, as the rules of sessions read it
    ("Model", CODE, "model that answered, else the one asked for"),
    ("Provider", CODE, "provider of the model, normalised"),
    ("Tool", CODE, "name of the tool"),
    ("UserId", "String", "the user it names, '' if none"),
    ("ResponseId", "String", "the provider's id of the response, '' if none"),
    ("InputTokens", "UInt32", "input tokens it reports, cached ones included", "T64, ZSTD(1)"),
    ("OutputTokens", "UInt32", "output tokens it reports, reasoning included", "T64, ZSTD(1)"),
    ("CacheReadTokens", "UInt32", "of the input: read from a cache", "T64, ZSTD(1)"),
    ("CacheWriteTokens", "UInt32", "of the input: written to a cache", "T64, ZSTD(1)"),
    ("ReasoningTokens", "UInt32", "of the output: reasoning", "T64, ZSTD(1)"),
    ("CostPico", "Int64", "cost it reports, or computed from prices, in 10^-12 US dollars, -1 if unknown", "T64, ZSTD(1)"),
    ("CostSource", "UInt8", "0 none, 1 reported by the producer, 2 computed from prices"),
    ("TimeToFirstTokenNs", "UInt64", "from the start of the call to its first token, ns; 0 if not told", "T64, ZSTD(1)"),
    ("Input", "String", "preview of the input, at most 500 code points"),
    ("Output", "String", "preview of the output, at most 500 code points"),
    ("Facets.What", "Array(UInt8)", "what each facet is: see FACETS"),
    ("Facets.Key", f"Array({CODE})", "key of each facet (metadata), '' otherwise"),
    ("Facets.Value", "Array(String)", "value of each facet"),
    ("Flags", "UInt32", "bits: see FLAGS"),
    ("Arrival", TIME, "when the first copy of the request arrived", "Delta(8), ZSTD(1)"),
)

OTEL_TRACES = Table(
    "otel_traces",
    "one row per span",
    _columns(
        ("Timestamp", TIME, "start of the span, ns since 1970, UTC", "Delta(8), ZSTD(1)"),
        ("TraceId", "String", "32 lower-case hex digits"),
        ("SpanId", "String", "16 lower-case hex digits"),
        ("ParentSpanId", "String", "16 lower-case hex digits, '' for a root"),
        ("TraceState", "String", "W3C trace state"),
        ("SpanName", CODE, "name of the span"),
        ("SpanKind", CODE, "Unspecified, Internal, Server, Client, Producer or Consumer"),
        ("ServiceName", CODE, "service.name of the resource, '' if absent"),
        ("ResourceAttributes", ATTRIBUTES, "attributes of the resource, values as text"),
        ("ScopeName", "String", "instrumentation scope"),
        ("ScopeVersion", "String", "version of the instrumentation scope"),
        ("SpanAttributes", ATTRIBUTES, "attributes of the span, values as text"),
        ("Duration", "UInt64", "end - start, ns; 0 for a span that ends before it starts", "T64, ZSTD(1)"),
        ("StatusCode", CODE, "Unset, Ok or Error"),
        ("StatusMessage", "String", "message of the status"),
        ("Events.Timestamp", f"Array({TIME})", "times of the span's events"),
        ("Events.Name", f"Array({CODE})", "names of the span's events"),
        ("Events.Attributes", f"Array({ATTRIBUTES})", "attributes of the span's events"),
        ("Links.TraceId", "Array(String)", "trace ids of the span's links"),
        ("Links.SpanId", "Array(String)", "span ids of the span's links"),
        ("Links.TraceState", "Array(String)", "trace states of the span's links"),
        ("Links.Attributes", f"Array({ATTRIBUTES})", "attributes of the span's links"),
        # What follows is Sojourn's.
        ("Tenant", CODE, "the authenticated sender's tenant, '' without authentication"),
        ("Project", CODE, "project inside the tenant, '' if none"),
        ("SessionId", "String", "the span's own session id (not the bound one), '' if none"),
        ("IdClass", "UInt8", "rank of the key that gave SessionId: 0 session, 1 conversation, 2 resource, 255 no id"),
        ("Collector", CODE, "the collector that stored the row"),
        ("Kind", CODE, "llm, embedding, rerank, tool, agent, chain, retriever, guardrail, evaluator, prompt or span"),
        *_TOLD,
        ("Version", "UInt128", "(end as sent << 64) | digest of the content: of two copies of a span the greatest counts"),
    ),
    days="Timestamp",
)

_RESOURCE = (
    ("ResourceAttributes", ATTRIBUTES, "attributes of the resource, values as text"),
    ("ResourceSchemaUrl", "String", "schema URL of the resource"),
    ("ScopeName", "String", "instrumentation scope"),
    ("ScopeVersion", "String", "version of the instrumentation scope"),
    ("ScopeAttributes", ATTRIBUTES, "attributes of the scope, values as text"),
    ("ScopeDroppedAttrCount", "UInt32", "attributes of the scope that its SDK dropped"),
    ("ScopeSchemaUrl", "String", "schema URL of the scope"),
    ("ServiceName", CODE, "service.name of the resource, '' if absent"),
)

OTEL_LOGS = Table(
    "otel_logs",
    "one row per log record; with FINAL each record once, however often it was sent",
    _columns(
        ("Timestamp", TIME, "time of the record, else when it was observed, ns since 1970, UTC", "Delta(8), ZSTD(1)"),
        ("TraceId", "String", "32 lower-case hex digits, '' if the record names none"),
        ("SpanId", "String", "16 lower-case hex digits, '' if the record names none"),
        ("TraceFlags", "UInt8", "W3C trace flags"),
        ("SeverityText", CODE, "severity in the words of the producer"),
        ("SeverityNumber", "UInt8", "1 to 24: trace, debug, info, warn, error, fatal with four steps each; 0 if not told"),
        ("ServiceName", CODE, "service.name of the resource, '' if absent"),
        ("Body", "String", "the body as text, lists and maps as JSON"),
        ("ResourceSchemaUrl", CODE, "schema URL of the resource"),
        ("ResourceAttributes", ATTRIBUTES, "attributes of the resource, values as text"),
        ("ScopeSchemaUrl", CODE, "schema URL of the scope"),
        ("ScopeName", "String", "instrumentation scope"),
        ("ScopeVersion", CODE, "version of the instrumentation scope"),
        ("ScopeAttributes", ATTRIBUTES, "attributes of the scope, values as text"),
        ("LogAttributes", ATTRIBUTES, "attributes of the record, values as text"),
        ("EventName", "String", "the record's own field for the name of its event"),
        # What follows is Sojourn's.
        ("Tenant", CODE, "the authenticated sender's tenant, '' without authentication"),
        ("Project", CODE, "project inside the tenant, '' if none"),
        ("SessionId", "String", "the record's own session id (not the bound one), '' if none"),
        ("IdClass", "UInt8", "rank of the key that gave SessionId: 0 session, 1 conversation, 2 resource, 255 no id"),
        ("Collector", CODE, "the collector that stored the row"),
        ("Event", CODE, "name of the event: attribute event.name, else EventName, '' for a plain record"),
        (
            "LogTrace",
            "String",
            "of a record without TraceId that names a session: 32 hex digits of session, service and UTC minute; else ''",
        ),
        ("Kind", CODE, "llm, embedding or rerank for a call of a model, tool for a call of a tool, else span"),
        *_TOLD,
        ("Digest", "UInt64", "of tenant, resource, scope and content as sent: two records with one digest are one"),
    ),
    days="Timestamp",
)

_SERIES = (
    *_RESOURCE,
    ("MetricName", CODE, "name of the metric"),
    ("MetricDescription", "String", "what it says about itself"),
    ("MetricUnit", "String", "unit, in UCUM"),
    ("Attributes", ATTRIBUTES, "attributes of the point, values as text"),
    ("StartTimeUnix", TIME, "since when the point counts, ns since 1970, UTC; 1970 if not told", "Delta(8), ZSTD(1)"),
    ("TimeUnix", TIME, "time of the point, ns since 1970, UTC", "Delta(8), ZSTD(1)"),
)
_POINT_FLAGS = ("Flags", "UInt32", "bits of the point: 1 no value was recorded")
_EXEMPLARS = (
    ("Exemplars.FilteredAttributes", f"Array({ATTRIBUTES})", "attributes of each exemplar that the point does not have"),
    ("Exemplars.TimeUnix", f"Array({TIME})", "times of the exemplars"),
    ("Exemplars.Value", "Array(Float64)", "values of the exemplars"),
    ("Exemplars.SpanId", "Array(String)", "span ids of the exemplars"),
    ("Exemplars.TraceId", "Array(String)", "trace ids of the exemplars"),
)
_TEMPORALITY = ("AggregationTemporality", "Int32", "0 not told, 1 delta, 2 cumulative")
_RANGE = (
    ("Min", "Float64", "least value, 0 if not told"),
    ("Max", "Float64", "greatest value, 0 if not told"),
)
_COUNT_AND_SUM = (
    ("Count", "UInt64", "number of values", "Delta(8), ZSTD(1)"),
    ("Sum", "Float64", "sum of the values, 0 if not told"),
)
_OWNER = (  # Sojourn's
    ("Tenant", CODE, "the authenticated sender's tenant, '' without authentication"),
    ("Project", CODE, "project inside the tenant, '' if none"),
    ("SessionId", "String", "the point's own session id, '' if none"),
    ("IdClass", "UInt8", "rank of the key that gave SessionId: 0 session, 1 conversation, 2 resource, 255 no id"),
    ("Collector", CODE, "the collector that stored the row"),
    ("Arrival", TIME, "when the first copy of the request arrived", "Delta(8), ZSTD(1)"),
    ("Digest", "UInt64", "of tenant, resource, scope, metric and content as sent: two points with one digest are one"),
)


def _metrics(kind: str, meaning: str, *own: tuple[str, ...]) -> Table:
    rows = f"one row per point of a {meaning}; with FINAL each point once, however often it was sent"
    return Table(f"otel_metrics_{kind}", rows, _columns(*_SERIES, *own, *_OWNER), days="TimeUnix")


OTEL_METRICS = (
    _metrics("gauge", "gauge", ("Value", "Float64", "the value"), _POINT_FLAGS, *_EXEMPLARS),
    _metrics(
        "sum",
        "sum",
        ("Value", "Float64", "the value"),
        _POINT_FLAGS,
        *_EXEMPLARS,
        _TEMPORALITY,
        ("IsMonotonic", "Bool", "whether it never falls"),
    ),
    _metrics(
        "histogram",
        "histogram",
        *_COUNT_AND_SUM,
        ("BucketCounts", "Array(UInt64)", "number of values in each bucket"),
        ("ExplicitBounds", "Array(Float64)", "upper bounds of the buckets, all but the last one's"),
        *_EXEMPLARS,
        _POINT_FLAGS,
        *_RANGE,
        _TEMPORALITY,
    ),
    _metrics(
        "exponential_histogram",
        "exponential histogram",
        *_COUNT_AND_SUM,
        ("Scale", "Int32", "the bounds are powers of 2^(2^-Scale)"),
        ("ZeroCount", "UInt64", "number of values that are zero"),
        ("PositiveOffset", "Int32", "power of the first positive bucket"),
        ("PositiveBucketCounts", "Array(UInt64)", "number of values in each positive bucket"),
        ("NegativeOffset", "Int32", "power of the first negative bucket"),
        ("NegativeBucketCounts", "Array(UInt64)", "number of values in each negative bucket"),
        *_EXEMPLARS,
        _POINT_FLAGS,
        *_RANGE,
        _TEMPORALITY,
    ),
    _metrics(
        "summary",
        "summary",
        *_COUNT_AND_SUM,
        ("ValueAtQuantiles.Quantile", "Array(Float64)", "quantiles, 0 to 1"),
        ("ValueAtQuantiles.Value", "Array(Float64)", "the value at each"),
        _POINT_FLAGS,
    ),
)

FLAGS = {  # bits of FACT.flags, otel_traces.Flags and otel_logs.Flags; the upper half becomes names in `Flags` of the views
    "error": 1 << 0,
    "root": 1 << 1,  # no parent id
    "input": 1 << 2,  # carries a user input
    "usage": 1 << 3,  # reports tokens or a cost
    "undated": 1 << 4,  # a record that tells no time: that of its arrival stands for it, which is another one if it is sent again
    "record": 1 << 5,  # a log record, not a span
    "prompt": 1 << 6,  # a record that tells what a user asked
    "session_start": 1 << 7,  # marks: the session begins here, or ended before (facet previous_id)
    "session_end": 1 << 8,  # … ends here
    "traceless": 1 << 10,  # a record without a trace id: it belongs to a log trace
    "cache_beside": 1 << 11,  # its input leaves cached tokens out, by the key that tells them (settled by `session`)
    "only_marks": 1 << 9,  # a trace row that says nothing but marks: no activity
    "bad_time": 1 << 16,
    "clock_skew": 1 << 17,
    "truncated_id": 1 << 18,
    "truncated": 1 << 19,
    "limited": 1 << 20,
    # set by the fold, on traces and sessions only
    "conflicting_ids": 1 << 21,
    "told_twice": 1 << 22,
    "unpriced": 1 << 23,
    "cycle": 1 << 24,
    "activity_after_end": 1 << 25,
    "late_data": 1 << 26,
    "over_tokens": 1 << 27,
    "over_cost": 1 << 28,
    "over_traces": 1 << 29,
    "over_duration": 1 << 30,
}

FLAG_MEANINGS = {
    "activity_after_end": "Activity went on after the session had been ended.",
    "bad_time": "A span's time was impossible and was clamped.",
    "clock_skew": "A sender's clock runs ahead.",
    "conflicting_ids": "Some traces name more than one session.",
    "cycle": "Spans name each other as parents; the loop was cut.",
    "late_data": "Data came after the session had ended for good.",
    "limited": "More came than is kept.",
    "over_cost": "The cost limit is exceeded.",
    "over_duration": "The duration limit is exceeded.",
    "over_tokens": "The token limit is exceeded.",
    "over_traces": "The limit of traces is exceeded.",
    "told_twice": "Some calls were told more than once and are counted once.",
    "truncated": "A long value was cut.",
    "truncated_id": "The session id was too long and was shortened.",
    "unpriced": "Some calls have no known price: the cost is of the others.",
}

MOST_TRACES = 200_000
"""Rows of one session that are counted, the first by their start; a session that has so many is flagged `limited`. They take 100 MB."""

FACETS = {  # what a facet row says about its span, or (from `service` on) about its trace
    "metadata": 1,  # key, value
    "tag": 2,  # value
    "session_name": 3,  # value
    "prompt_name": 4,  # value: a name to fall back on
    "previous_id": 5,  # value: the id of the session that a session.start continues; at: when (also a note)
    "gap": 7,  # what names the session of a trace without an id: key an attribute of `gap_attributes`, value its text
    "mark": 6,  # a session.start or session.end that a span has as event or attribute: key its name, value its time in ns since 1970
    # notes of a trace in a session (Notes of session_trace_rows)
    "prompt": 8,  # value: the text of a user's prompt; at, span: its time and digest; key: the last time of a record of the row before it
    "end_mark": 9,  # at: the session is ended at this time by a mark; span: who said so
    "continued_mark": 10,  # at: a session that continues this one began at this time
    "telling": 11,  # value: a service that tells its calls in log records; key: TELLING bits
    "muted": 12,  # value: a service part of whose telling is left out of this row, because its records tell it; key: TELLING bits
    # numbers, in `value` itself where others have the hash of a text
    "score": 13,  # of a span or record: key its name, value in 10^-9. Of a trace: at their sum, span their number
    "score_count": 14,  # key a name, value how many scores of that name are summed up in the one score of the span
    "measure": 15,  # of a span: key its name, value the integer. Of a trace: at the value, span how it comes about (MEASURES)
    "service": 16,
    "model": 17,
    "provider": 18,
    "tool": 19,
    "other_id": 20,
}

NUMBERS = tuple(FACETS[what] for what in ("score", "score_count", "measure"))
"""Facets whose value is a number."""

MEASURES = ("sum", "min", "max")
"""How the integers of spans become a measure; the index is the code."""

TELLING = {  # what a service tells in log records in a session, so that something else of it does not count there
    "calls": 1,  # calls in records without a trace id, or own events: its spans are no calls
    "own": 2,  # calls in the words of a command-line agent: its generic events are no calls
    "tools": 4,  # tool calls: its tool spans are not counted
}

KINDS = ("span", "llm", "embedding", "rerank", "tool", "agent", "chain", "retriever", "guardrail", "evaluator", "prompt")
"""Kind codes: the index is the code in FACT.kind."""

FACT: tuple[tuple[str, str], ...] = (  # numpy dtype, packed, little-endian; 192 bytes
    ("trace", "<u4"),  # number of the trace within the group: the index into the dictionary of TraceId (of records: of _trace)
    ("flags", "<u4"),  # FLAGS
    ("kind", "u1"),  # KINDS; from the core: the first kind told, 255 for none
    ("id_class", "u1"),  # otel_traces.IdClass
    ("cost_source", "u1"),  # otel_traces.CostSource
    ("spare", "u1"),
    ("input_tokens", "<u4"),
    ("output_tokens", "<u4"),
    ("cache_read", "<u4"),
    ("cache_write", "<u4"),
    ("reasoning", "<u4"),
    ("span", "<u8"),  # span id as a big-endian number, so that order of numbers is order of bytes; of records: the digest
    ("parent", "<u8"),  # 0 for a root; of records: the span they name
    ("start", "<i8"),  # ns since 1970, clamped
    ("end", "<i8"),  # ns since 1970, clamped, never before start
    ("sent_end", "<u8"),  # as sent: upper half of Version; of records out of range: 0 or 2^64 - 1
    ("digest", "<u8"),  # lower half of Version
    ("arrival", "<i8"),  # ns since 1970
    # hashes of texts (Texts.intern), 0 for none
    ("session", "<u8"),  # of tenant \0 project \0 session id; 0 for no id
    ("project", "<u8"),  # of tenant \0 project
    ("name", "<u8"),
    ("user", "<u8"),
    ("service", "<u8"),
    ("scope", "<u8"),
    ("model", "<u8"),
    ("provider", "<u8"),
    ("tool", "<u8"),
    ("response", "<u8"),
    ("input", "<u8"),
    ("output", "<u8"),
    ("cost", "<i8"),  # 10^-12 US dollars, -1 if unknown
)

FACET: tuple[tuple[str, str], ...] = (  # 24 bytes
    ("what", "<u4"),  # FACETS
    ("spare", "<u4"),
    ("key", "<u8"),  # hash of a text
    ("value", "<u8"),  # hash of a text
)

_COUNTS = (
    ("Spans", "UInt64", "spans", "T64, ZSTD(1)"),
    ("Errors", "UInt64", "spans with status ERROR, error.type or an exception event", "T64, ZSTD(1)"),
    ("LlmCalls", "UInt64", "calls of chat models, refused ones included", "T64, ZSTD(1)"),
    ("EmbeddingCalls", "UInt64", "calls of embedding and rerank models", "T64, ZSTD(1)"),
    ("ToolCalls", "UInt64", "tool calls", "T64, ZSTD(1)"),
    ("InputTokens", "UInt64", "input tokens of all calls, cached ones included", "T64, ZSTD(1)"),
    ("OutputTokens", "UInt64", "output tokens of all calls, reasoning included", "T64, ZSTD(1)"),
    ("CacheReadTokens", "UInt64", "of the input: read from a cache", "T64, ZSTD(1)"),
    ("CacheWriteTokens", "UInt64", "of the input: written to a cache", "T64, ZSTD(1)"),
    ("ReasoningTokens", "UInt64", "of the output: reasoning", "T64, ZSTD(1)"),
    ("CostPico", "Int64", "cost in 10^-12 US dollars of what is known, -1 if nothing is", "T64, ZSTD(1)"),
    ("CostSources", "UInt8", "bits: 1 some cost was reported, 2 some was computed"),
)
_SETS = (
    ("Services", f"Array({CODE})", "service names"),
    ("Models", f"Array({CODE})", "models of the calls"),
    ("Providers", f"Array({CODE})", "providers of the calls"),
    ("Tools", f"Array({CODE})", "names of the tools"),
    ("Tags", "Array(String)", "tags"),
)
_OWN_NUMBERS = (
    ("Scores.Name", f"Array({CODE})", "names of the scores"),
    ("Scores.Count", "Array(UInt64)", "how many there are of each name"),
    ("Scores.Sum", "Array(Int64)", "their sum, in 10^-9"),
    ("Measures.Name", f"Array({CODE})", "names of the measures of the configuration"),
    ("Measures.Value", "Array(Int64)", "their sum, least or greatest value"),
)
_REPLACED = (
    ("Collector", CODE, "the collector that wrote the row last"),
    ("Version", "UInt64", "microseconds since 1970, strictly increasing: the greatest row counts"),
    ("Deleted", "UInt8", "1 for a row that has vanished"),
)
_KEY = (
    ("Tenant", CODE, "tenant, '' without authentication"),
    ("Project", CODE, "project inside the tenant, '' if none"),
    ("SessionId", "String", "session id"),
)

SESSION_TRACE_ROWS = Table(
    "session_trace_rows",
    "one row per trace in a session",
    _columns(
        *_KEY,
        ("TraceId", "String", "32 lower-case hex digits"),
        ("Name", "String", "name of the top-most span"),
        ("PromptName", "String", "prompt name, '' if none"),
        ("SessionName", "String", "latest session name told in the trace, '' if none"),
        ("SessionNameAt", "Int64", "start of the span that told it, ns since 1970"),
        ("SessionNameSpan", "UInt64", "its span id as a number"),
        ("UserId", "String", "latest user told in the trace, '' if none"),
        ("UserAt", "Int64", "start of the span that told it, ns since 1970"),
        ("UserSpan", "UInt64", "its span id as a number"),
        ("Start", TIME, "first start, ns since 1970, UTC", "Delta(8), ZSTD(1)"),
        ("End", TIME, "last end, ns since 1970, UTC", "Delta(8), ZSTD(1)"),
        ("Arrival", TIME, "last arrival of a span", "Delta(8), ZSTD(1)"),
        ("Turn", "UInt8", "1 if the top-most span carries a user input"),
        ("Status", CODE, "ok or error: that of the top-most span"),
        *_COUNTS,
        *_SETS,
        ("OtherIds", "Array(String)", "session ids that lost against SessionId"),
        ("Metadata.Key", f"Array({CODE})", "metadata keys told in the trace"),
        ("Metadata.Value", "Array(String)", "latest value of each"),
        ("Metadata.At", "Array(Int64)", "start of the span that told it, ns since 1970"),
        ("Metadata.Span", "Array(UInt64)", "its span id as a number"),
        *_OWN_NUMBERS,
        ("Measures.How", "Array(UInt8)", "how each comes about: see MEASURES"),
        ("Flags", "UInt32", "bits: see FLAGS"),
        ("Input", "String", "preview of the input, at most 500 code points"),
        ("Output", "String", "preview of the output, at most 500 code points"),
        ("LogRecords", "UInt64", "log records; a row without spans is made of these alone and is no trace", "T64, ZSTD(1)"),
        ("LogErrors", "UInt64", "log records that tell an error", "T64, ZSTD(1)"),
        ("LastCallAt", "Int64", "start of the last call, ns since 1970; 0 if there is none"),
        ("LastCallSpan", "UInt64", "its span id, or the digest of its record, as a number"),
        ("LastCallOutput", "String", "its output, at most 500 code points"),
        ("Notes.What", "Array(UInt8)", "prompts, marks and who tells calls in records: see FACETS"),
        ("Notes.Key", "Array(UInt64)", "see FACETS"),
        ("Notes.Text", "Array(String)", "see FACETS"),
        ("Notes.At", "Array(Int64)", "time of each, ns since 1970"),
        ("Notes.Span", "Array(UInt64)", "span id or digest of what said it, as a number"),
        *_REPLACED,
    ),
)

_SESSION = (
    ("Name", "String", "latest name, else derived from the earliest trace"),
    ("NameSource", CODE, "manual, explicit or derived"),
    ("UserId", "String", "latest user, '' if none"),
    ("State", CODE, "active, idle or ended"),
    ("EndReason", CODE, "why it ended, '' if it did not"),
    ("Segments", "UInt32", "segments of the session"),
    ("Start", TIME, "first start, ns since 1970, UTC", "Delta(8), ZSTD(1)"),
    ("End", TIME, "last end, ns since 1970, UTC", "Delta(8), ZSTD(1)"),
    ("WallNs", "UInt64", "End - Start, ns", "T64, ZSTD(1)"),
    ("ActiveNs", "UInt64", "length of the union of the trace intervals, ns", "T64, ZSTD(1)"),
    ("Traces", "UInt64", "traces", "T64, ZSTD(1)"),
    ("Turns", "UInt64", "turns", "T64, ZSTD(1)"),
    *_COUNTS,
    *_SETS,
    ("Status", CODE, "ok, or error if a turn is"),
    ("Flags", f"Array({CODE})", "flags, sorted"),
    ("Metadata", "Map(String, String)", "latest value of each key"),
    *_OWN_NUMBERS,
    ("FirstTrace", "String", "trace id of the first turn: its Input is the session's FirstInput"),
    ("LastTrace", "String", "trace id of the last turn: its Output is the session's LastOutput"),
    ("LogRecords", "UInt64", "log records", "T64, ZSTD(1)"),
    ("LogErrors", "UInt64", "log records that tell an error", "T64, ZSTD(1)"),
    ("FirstPrompt", "String", "of a session with prompts told in records: the first one, which is its FirstInput"),
    ("LastAnswer", "String", "of such a session: the output of its last call, which is its LastOutput"),
    ("TurnP50Ns", "UInt64", "median of the turn durations (nearest rank), ns", "T64, ZSTD(1)"),
    ("TurnP95Ns", "UInt64", "95th percentile of the turn durations (nearest rank), ns", "T64, ZSTD(1)"),
    ("Search", "String", "lower-case text to search in: id, name, user and metadata"),
    ("Revision", "UInt64", "grows by one with every change that is written"),
    ("LastSeen", "DateTime64(3)", "last arrival of a span"),
)

SESSION_ROWS = Table(
    "session_rows",
    "one row per session",
    _columns(*_KEY, *_SESSION, ("Alerts", f"Array({CODE})", "names of the alerts that fire"), *_REPLACED),
)

SESSION_SEGMENT_ROWS = Table(
    "session_segment_rows",
    "one row per segment of a session that has several; the only segment of a session has that session's row",
    _columns(*_KEY, ("Segment", "UInt32", "number of the segment, from 0"), *_SESSION, *_REPLACED),
)

SESSION_EVENT_ROWS = Table(
    "session_event_rows",
    "one row per event in the life of a session",
    _columns(
        ("Time", TIME, "when it was told", "Delta(8), ZSTD(1)"),
        *_KEY,
        ("Segment", "UInt32", "number of the segment"),
        ("SegmentStart", TIME, "start of the segment"),
        ("Revision", "UInt64", "the session's revision at the event"),
        ("Event", CODE, "session.start, session.idle, session.end, ..."),
        ("Reason", CODE, "why, '' if there is nothing to say; of session.alert the name of the alert"),
        ("Attributes", "Map(String, String)", "what else there is to say"),
        ("Collector", CODE, "the collector that told it"),
        ("Version", "UInt64", "microseconds since 1970: the greatest row counts"),
    ),
)

SESSION_MARKS = Table(
    "session_marks",
    "one row for everything that people said of a session: a name, that it has ended, that it is to be forgotten",
    _columns(
        *_KEY,
        ("Mark", CODE, "name, end or delete"),
        ("TraceId", "String", "delete: a trace that went with its session; '' for the session itself"),
        ("Time", TIME, "when it was said, ns since 1970, UTC: it acts on what starts before"),
        ("Name", "String", "name: what the session is called; '' otherwise"),
        ("Done", "UInt8", "delete: 1 if all rows have been removed"),
        ("Collector", CODE, "the collector that was told"),
        ("Version", "UInt64", "microseconds since 1970: the greatest row counts"),
    ),
)

RECEIVED = (OTEL_TRACES, OTEL_LOGS, *OTEL_METRICS)
"""What senders told."""
FOLDED = (
    *("Timestamp", "Duration", "TraceId", "LogTrace", "SpanId", "ParentSpanId", "SpanName", "Event", "ServiceName", "ScopeName"),
    *("Tenant", "Project", "SessionId", "IdClass", "Kind", "Digest", "Version"),
    *(name for name, *_ in _TOLD if name != "TimeToFirstTokenNs"),
)
"""Columns of `otel_traces` and `otel_logs` from which totals are folded again, where a table has them."""
DERIVED = (SESSION_TRACE_ROWS, SESSION_SEGMENT_ROWS, SESSION_ROWS, SESSION_EVENT_ROWS)
"""What follows from it: rows that are replaced by those with a greater Version."""
TABLES = (*RECEIVED, *DERIVED, SESSION_MARKS)

TRACE: tuple[tuple[str, str], ...] = (  # 224 bytes; one row per trace in a session, from `aggregate` to `lifecycle` in column `_trace`
    ("session", "<u8"),  # hash of tenant \0 project \0 session id
    ("trace_hi", "<u8"),  # trace id as two big-endian numbers
    ("trace_lo", "<u8"),
    ("start", "<i8"),  # ns since 1970
    ("end", "<i8"),
    ("arrival", "<i8"),
    ("name", "<u8"),  # hashes of texts, 0 for none
    ("prompt_name", "<u8"),
    ("session_name", "<u8"),
    ("session_name_at", "<i8"),
    ("session_name_span", "<u8"),
    ("user", "<u8"),
    ("user_at", "<i8"),
    ("user_span", "<u8"),
    ("input_tokens", "<i8"),
    ("output_tokens", "<i8"),
    ("cache_read", "<i8"),
    ("cache_write", "<i8"),
    ("reasoning", "<i8"),
    ("cost", "<i8"),  # 10^-12 US dollars, -1 if nothing is known
    ("spans", "<u4"),
    ("errors", "<u4"),
    ("llm_calls", "<u4"),
    ("embedding_calls", "<u4"),
    ("tool_calls", "<u4"),
    ("flags", "<u4"),
    ("status", "u1"),  # 1 if the top-most span is an error
    ("turn", "u1"),  # 1 if the top-most span carries a user input
    ("cost_sources", "u1"),
    ("deleted", "u1"),  # 1: the trace is no longer in this session
    ("log_records", "<u4"),
    ("log_errors", "<u4"),
    ("spare", "<u4"),
    ("last_call_at", "<i8"),  # start of the last call by (start, span), 0 for none
    ("last_call_span", "<u8"),
    ("last_call_output", "<u8"),  # hash of a text
)

TRACE_FACET: tuple[tuple[str, str], ...] = (  # 40 bytes; column `_facets` beside `_trace`
    ("what", "<u4"),  # FACETS: metadata, tag, service, model, provider, tool, other_id, and notes
    ("spare", "<u4"),
    ("key", "<u8"),
    ("value", "<u8"),
    ("at", "<i8"),  # start of the span that told it
    ("span", "<u8"),  # its span id
)
