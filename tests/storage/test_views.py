"""The views that people query: one row per thing, whatever lies below."""

from __future__ import annotations

from typing import Any

import pytest

from sojourn import schema
from sojourn._native import encode_native
from sojourn.storage.database import Database
from tests.storage.rows import NOON, SECOND, TRACE, records, session, span, trace, version

HOUR = 3600 * SECOND
COUNTS = (
    "Spans Errors LlmCalls EmbeddingCalls ToolCalls InputTokens OutputTokens CacheReadTokens CacheWriteTokens ReasoningTokens TotalTokens"
)
SESSION = f"""Tenant Project SessionId Name NameSource UserId State EndReason Segments Start End WallNs ActiveNs Traces Turns {COUNTS}
    Cost CostSource Status Models Providers Services Tools Tags Flags Metadata FirstInput LastOutput
    Scores Measures LogRecords TurnP50Ns TurnP95Ns Collector Revision LastSeen LogErrors"""


def insert(database: Database, table: schema.Table, *rows: dict[str, Any]) -> None:
    columns = [(column.name, column.type) for column in table.columns]
    block = encode_native(records(table, *rows), columns, False)
    database.insert(table.name, [name for name, _ in columns], block, compressed=False, settings={"optimize_on_insert": 0})


def select(database: Database, what: str, view: str, then: str = "") -> list[dict[str, Any]]:
    return database.rows(f"SELECT {what} FROM {database.name}.{view} {then}")


def columns_of(database: Database, view: str) -> dict[str, str]:
    asked = {"database": database.name, "view": view}
    found = database.rows(
        "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {view:String} ORDER BY position", asked
    )
    return {row["name"]: row["type"] for row in found}


def test_the_columns_of_sessions_are_as_promised(database: Database) -> None:
    """Names, order and types of `sessions`; `session_segments` has the same, Segment for Alerts."""
    counted, names = COUNTS.split(), SESSION.split()
    told = columns_of(database, "sessions")
    assert list(told) == [*names, "Alerts"]
    assert {told[name] for name in [*counted, "WallNs", "ActiveNs", "Traces", "Turns", "LogRecords", "TurnP50Ns", "TurnP95Ns"]} == {
        "UInt64"
    }
    assert {told[name] for name in ["Models", "Providers", "Services", "Tools", "Tags", "Flags", "Alerts"]} == {"Array(String)"}
    assert (told["Start"], told["End"], told["LastSeen"]) == ("DateTime64(9)", "DateTime64(9)", "DateTime64(3)")
    assert (told["Cost"], told["Metadata"]) == ("Nullable(Decimal(38, 12))", "Map(String, String)")
    texts = ["Tenant", "Project", "SessionId", "Name", "NameSource", "UserId", "State", "EndReason", "CostSource", "Status", "Collector"]
    assert {told[name].replace("LowCardinality(String)", "String") for name in [*texts, "FirstInput", "LastOutput"]} == {"String"}
    assert (told["Segments"], told["Revision"]) == ("UInt32", "UInt64")
    assert (told["Scores"], told["Measures"]) == ("Map(String, Tuple(Count UInt64, Sum Decimal(38, 9)))", "Map(String, Int64)")
    del told["Alerts"]
    assert columns_of(database, "session_segments") == {**told, "Segment": "UInt32"}


def test_the_columns_of_the_other_views_are_as_promised(database: Database) -> None:
    """Names of `session_traces`, `session_events` and `spans`."""
    names = f"Tenant Project SessionId Segment TraceId Name UserId Start End WallNs Turn Status {COUNTS} Cost CostSource".split()
    names += ["Services", "Models", "Tools", "Flags", "OtherIds", "Measures", "Input", "Output"]
    told = columns_of(database, "session_traces")
    assert list(told) == names
    assert {told[name] for name in ["WallNs", *COUNTS.split()]} == {"UInt64"}
    assert (told["Start"], told["End"], told["Cost"]) == ("DateTime64(9)", "DateTime64(9)", "Nullable(Decimal(38, 12))")
    assert (told["Segment"], told["Measures"]) == ("UInt32", "Map(String, Int64)")
    assert {told[name] for name in ["Services", "Models", "Tools"]} == {"Array(String)"}
    assert (told["Turn"], told["OtherIds"], told["Flags"]) == ("UInt8", "Array(String)", "Array(String)")
    events = ["Tenant", "Time", "Project", "SessionId", "Segment", "Revision", "Event", "Reason", "Attributes"]
    assert list(columns_of(database, "session_events")) == events
    spans = columns_of(database, "spans")
    stored = [column.name for column in schema.OTEL_TRACES.columns if column.name != "CostPico"]
    assert set(spans) == {*stored, "Segment", "Cost"}


def test_the_newest_row_of_a_session_counts(database: Database) -> None:
    """Whatever the order in which versions came, before and after merges, and whoever wrote them."""
    insert(database, schema.SESSION_ROWS, session(Version=3, Name="third", Collector="b"))
    insert(database, schema.SESSION_ROWS, session(Version=2, Name="second", Collector="a"), session("other"))
    asked = ("SessionId, Name, Collector", "sessions", "ORDER BY SessionId")
    expected = [{"SessionId": "other", "Name": "other", "Collector": ""}, {"SessionId": "s", "Name": "third", "Collector": "b"}]
    assert select(database, *asked) == expected
    database.command(f"OPTIMIZE TABLE {database.name}.session_rows FINAL")
    assert select(database, *asked) == expected


def test_a_deleted_row_does_not_come_back(database: Database) -> None:
    """A late row of a lower version does not bring back what has vanished; one of a higher version does."""
    insert(database, schema.SESSION_ROWS, session(Version=2, Deleted=1))
    database.command(f"OPTIMIZE TABLE {database.name}.session_rows FINAL")
    insert(database, schema.SESSION_ROWS, session(Version=1))
    database.command(f"OPTIMIZE TABLE {database.name}.session_rows FINAL")
    assert select(database, "count() AS n", "sessions") == [{"n": 0}]
    insert(database, schema.SESSION_ROWS, session(Version=3))
    assert select(database, "count() AS n", "sessions") == [{"n": 1}]


def test_tenants_and_projects_are_apart(database: Database) -> None:
    """The same session id in two projects and two tenants is four sessions."""
    rows = [session(Tenant=tenant, Project=project) for tenant in ("", "acme") for project in ("", "shop")]
    insert(database, schema.SESSION_ROWS, *rows)
    assert select(database, "count() AS n", "sessions") == [{"n": 4}]


@pytest.mark.parametrize(
    ("pico", "cost"), [(-1, None), (0, "0"), (4_200_000_000, "0.0042"), (1, "0.000000000001"), (2**63 - 1, "9223372.036854775807")]
)
def test_money_is_exact(database: Database, pico: int, cost: str | None) -> None:
    """Picodollars become dollars without a rounding, and unknown stays unknown."""
    insert(database, schema.SESSION_ROWS, session(CostPico=pico, InputTokens=3, OutputTokens=4))
    assert select(database, "Cost, TotalTokens", "sessions") == [{"Cost": cost, "TotalTokens": 7}]


def test_where_the_cost_comes_from(database: Database) -> None:
    """The bits have names."""
    insert(database, schema.SESSION_ROWS, *[session(str(bits), CostSources=bits) for bits in range(4)])
    told = select(database, "CostSource", "sessions", "ORDER BY SessionId")
    assert [row["CostSource"] for row in told] == ["", "reported", "computed", "mixed"]


def test_lists_are_sorted(database: Database) -> None:
    """Bytewise, whatever the order they were stored in."""
    names = ["b", "a", "C"]
    lists = dict.fromkeys(("Models", "Providers", "Services", "Tools", "Tags", "Flags"), names)
    insert(database, schema.SESSION_ROWS, session(**lists))
    told = select(database, ", ".join(lists), "sessions")
    assert told == [{name: ["C", "a", "b"] for name in lists}]


def test_where_prompts_are_the_turns_no_trace_is_one(database: Database) -> None:
    """`Turn` of a trace is 0 in a session that has turns of which none is a trace, in that tenant and project only."""
    asked, plain = session("asked", Turns=2), session("plain", Turns=1, FirstTrace=TRACE, LastTrace=TRACE)
    insert(database, schema.SESSION_ROWS, asked, plain, session("asked", Project="p", Turns=1, FirstTrace=TRACE), session("was", Turns=1))
    insert(database, schema.SESSION_ROWS, session("was", Turns=1, FirstTrace=TRACE, Version=2))
    rows = [trace("asked", Turn=1), trace("plain", Turn=1), trace("plain", "b" * 32), trace("asked", Project="p", Turn=1)]
    insert(database, schema.SESSION_TRACE_ROWS, *rows, trace("was", Turn=1), trace("unknown", Turn=1))
    told = select(database, "Project, SessionId, Turn", "session_traces", "ORDER BY Project, SessionId, TraceId")
    assert [tuple(row.values()) for row in told] == [
        ("", "asked", 0), ("", "plain", 1), ("", "plain", 0), ("", "unknown", 1), ("", "was", 1), ("p", "asked", 1),
    ]  # fmt: skip


def test_previews_come_from_the_first_and_the_last_turn(database: Database) -> None:
    """`FirstInput` and `LastOutput` are those of the session's own trace rows, and '' if there is none."""
    first, last = "a" * 32, "b" * 32
    insert(database, schema.SESSION_ROWS, session(FirstTrace=first, LastTrace=last), session("none"))
    insert(database, schema.SESSION_TRACE_ROWS, trace(trace_id=first, Input="old"), trace("none", first, Input="not mine", Version=9))
    insert(database, schema.SESSION_TRACE_ROWS, trace(trace_id=first, Input="hello 'x'", Version=2), trace(trace_id=last, Output="bye"))
    told = select(database, "SessionId, FirstInput, LastOutput", "sessions", "ORDER BY SessionId")
    assert told == [
        {"SessionId": "none", "FirstInput": "", "LastOutput": ""},
        {"SessionId": "s", "FirstInput": "hello 'x'", "LastOutput": "bye"},
    ]


def test_flags_of_traces_have_names(database: Database) -> None:
    """Only flags that mean something to people, sorted."""
    bits = schema.FLAGS["error"] | schema.FLAGS["unpriced"] | schema.FLAGS["bad_time"] | schema.FLAGS["over_duration"]
    insert(database, schema.SESSION_TRACE_ROWS, trace(Flags=bits))
    assert select(database, "Flags", "session_traces") == [{"Flags": ["bad_time", "over_duration", "unpriced"]}]


def test_the_segment_follows_from_the_starts(database: Database) -> None:
    """A trace is in the last segment that began before it or with it; without rows of segments it is in the first."""
    starts = [NOON, NOON + HOUR, NOON + 2 * HOUR]
    insert(database, schema.SESSION_SEGMENT_ROWS, *[session(Segment=number, Start=start) for number, start in enumerate(starts)])
    insert(database, schema.SESSION_SEGMENT_ROWS, session(Segment=3, Start=NOON + HOUR, Deleted=1, Version=2))
    times = [0, HOUR - 1, HOUR, 2 * HOUR + 5, 9 * HOUR]
    rows = [trace(trace_id=f"{number:032x}", start=NOON + after) for number, after in enumerate(times)]
    insert(database, schema.SESSION_TRACE_ROWS, *rows, trace("other", start=NOON + 9 * HOUR))
    told = select(database, "SessionId, Segment, WallNs", "session_traces", "ORDER BY SessionId DESC, TraceId")
    assert [row["Segment"] for row in told] == [0, 0, 1, 2, 2, 0]
    assert {row["WallNs"] for row in told} == {10 * SECOND}


def test_an_event_told_twice_is_one(database: Database) -> None:
    """Delivery is at least once; the key makes it the same."""
    event = {"Time": NOON, "SessionId": "s", "SegmentStart": NOON, "Revision": 1, "Event": "session.end", "Reason": "idle_timeout"}
    insert(database, schema.SESSION_EVENT_ROWS, {**event, "Version": 1})
    insert(database, schema.SESSION_EVENT_ROWS, {**event, "Version": 2, "Time": NOON + HOUR}, {**event, "Revision": 2})
    assert select(database, "Revision, Reason", "session_events", "ORDER BY Revision") == [
        {"Revision": 1, "Reason": "idle_timeout"},
        {"Revision": 2, "Reason": "idle_timeout"},
    ]


def test_a_span_has_one_row_across_hours_and_days(database: Database) -> None:
    """Of copies with other starts the greatest (end, digest) counts, and the others vanish wholly."""
    starts = [NOON, NOON + 2 * HOUR, NOON - 48 * HOUR]
    for number, start in enumerate(starts):
        copy = span(1, start, SpanName=f"copy {number}", InputTokens=number, Version=version(NOON + (5 - abs(number - 1)) * SECOND, 7))
        insert(database, schema.OTEL_TRACES, copy, copy)
    insert(database, schema.OTEL_TRACES, span(2), span(1, TraceId="f" * 32), span(1, Tenant="acme"))
    told = select(database, "Tenant, TraceId, SpanId, SpanName", "spans", "ORDER BY Tenant, TraceId, SpanId")
    assert [row["SpanName"] for row in told] == ["copy 1", "", "", ""]
    assert select(database, "sum(InputTokens) AS n, count() AS spans", "spans") == [{"n": 1, "spans": 4}]
    assert select(database, "count() AS n", "spans", f"WHERE TraceId = '{TRACE}' AND Tenant = ''") == [{"n": 2}]


def test_the_lower_half_of_the_version_decides_between_equal_ends(database: Database) -> None:
    """The digest is the lower half, compared as a number."""
    for digest in (2**63, 5, 2**40):
        insert(database, schema.OTEL_TRACES, span(SpanName=str(digest), Version=version(NOON, digest)))
    assert select(database, "SpanName", "spans") == [{"SpanName": str(2**63)}]


def test_spans_are_in_the_session_of_their_trace(database: Database) -> None:
    """All spans of a trace have the bound session, not the one that they name themselves; others have none."""
    other = "e" * 32
    insert(
        database, schema.OTEL_TRACES, span(1, SessionId="mine", Project="p"), span(2), span(3, TraceId=other, SessionId="x", Project="q")
    )
    insert(database, schema.SESSION_SEGMENT_ROWS, session("bound", Project="shop", Segment=1, Start=NOON))
    insert(
        database, schema.SESSION_TRACE_ROWS, trace("bound", Project="shop", Version=2), trace("left", Deleted=1, Version=2), trace("left")
    )
    insert(database, schema.SESSION_TRACE_ROWS, trace("of another tenant", other, Tenant="acme"))
    told = select(database, "SpanId, Project, SessionId, Segment", "spans", "ORDER BY SpanId")
    assert [(row["Project"], row["SessionId"], row["Segment"]) for row in told] == [
        ("shop", "bound", 1),
        ("shop", "bound", 1),
        ("q", "", 0),
    ]
    assert select(database, "count() AS n", "spans", "WHERE SessionId = 'bound'") == [{"n": 2}]


def test_money_of_spans(database: Database) -> None:
    """As of sessions: dollars, NULL if unknown, and where it comes from."""
    insert(database, schema.OTEL_TRACES, span(1, CostPico=10**12, CostSource=1), span(2), span(3, CostPico=5 * 10**11, CostSource=2))
    told = select(database, "Cost, CostSource", "spans", "ORDER BY SpanId")
    assert [(row["Cost"], row["CostSource"]) for row in told] == [("1", "reported"), (None, ""), ("0.5", "computed")]
