"""What a database holds in the end, compared with what was acknowledged and with a run that nobody disturbed."""

from __future__ import annotations

import itertools
import json
import urllib.parse
import urllib.request
from typing import Any, Final

from tests.torture.world import SPANS, Senders

_TOTALS: Final = (
    "SessionId, UserId, Segments, Start, End, WallNs, Traces, Turns, Spans, Errors, LlmCalls, InputTokens, OutputTokens, TotalTokens, "
    "toString(Cost) AS Cost, Status, Models, Services"
)
_QUESTIONS: Final = {
    "sessions": f"SELECT {_TOTALS} FROM sessions ORDER BY SessionId FORMAT JSONEachRow",
    "spans": "SELECT TraceId, count() AS n, uniqExact(SpanId) AS u FROM spans GROUP BY TraceId ORDER BY TraceId FORMAT JSONEachRow",
    "stored": "SELECT count() AS n FROM otel_traces FORMAT JSONEachRow",
}


def answers(port: int, database: str) -> dict[str, list[dict[str, Any]]]:
    """What a database of the server at `port` holds."""
    return {name: _rows(port, database, sql) for name, sql in _QUESTIONS.items()}


def _rows(port: int, database: str, sql: str) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode({"database": database, "query": sql})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/?{query}", timeout=120) as answer:
        return [json.loads(line) for line in answer.read().splitlines()]


def compare(found: dict[str, Any], undisturbed: dict[str, Any], senders: Senders) -> str:
    """AssertionError unless everything acknowledged is there once, and sessions add up as if nothing had happened; else what was seen."""
    spans = {row["TraceId"]: row for row in found["spans"]}
    expected = {row["TraceId"]: row for row in undisturbed["spans"]}
    missing = sum(max(0, row["n"] - spans.get(trace, {"n": 0})["n"]) for trace, row in expected.items())
    doubled = sum(row["n"] - row["u"] for row in spans.values())
    beyond = sum(row["n"] for trace, row in spans.items() if trace not in expected)
    assert (missing, doubled, beyond) == (0, 0, 0), f"{missing} spans are missing, {doubled} doubled, {beyond} from nowhere"
    unequal = [pair for pair in itertools.zip_longest(found["sessions"], undisturbed["sessions"]) if pair[0] != pair[1]]
    assert not unequal, f"{len(unequal)} sessions are not those of an undisturbed run, such as {unequal[0]}"
    total = len(senders.acknowledged) * SPANS
    stored = found["stored"][0]["n"]
    assert sum(row["n"] for row in spans.values()) == total
    return f"{total} spans acknowledged, missing 0, doubled 0, sent again {senders.again} requests, rows stored {stored}"
