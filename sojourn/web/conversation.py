"""What was said in one trace, call by call: of very many spans those that tell it, each thing once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sojourn.web import messages
from sojourn.web.reading import Reading, Row

_SPANS: Final = 20_000
_RECORDS: Final = 1_000
_LONGEST: Final = 1 << 20
"""Bytes of one value that are read for a part of a trace: longer ones are cut, and are then text instead of messages."""
_LONGEST_ALONE: Final = 16 << 20
"""The same where one call is asked for."""
Key = Mapping[str, str]


def calls(reading: Reading, key: Key) -> list[Row]:
    """The spans of a trace by start that tell what was said: its calls of models, else whatever says something.

    Of calls inside of calls that tell the same, the innermost that says something. Tools that ran behind the last call are told by nobody
    else, and stand here too.
    """
    spans = reading.rows("span_rows", {"says"}, **key, limit=_SPANS)
    recorded = {row["span_id"] for row in reading.rows("call_records", {"named"}, **key, events=messages.EVENTS, limit=_SPANS)}
    saying = [span for span in spans if span["says"] or span["span_id"] in recorded]
    models = [span for span in saying if span["kind"] == "llm"]
    if not models:
        return saying
    above = _above(spans, models)
    last = max(span["start"] for span in models)
    return [span for span in saying if _tells(span, above, last)]


def _tells(span: Row, above: set[str], last: str) -> bool:
    return span["span_id"] not in above if span["kind"] == "llm" else span["kind"] == "tool" and span["start"] > last


def _above(spans: Iterable[Row], below: Iterable[Row]) -> set[str]:
    """The spans that stand somewhere above one of these."""
    parents = {span["span_id"]: span["parent_span_id"] for span in spans}
    found: set[str] = set()
    for span in below:
        parent = parents.get(span["span_id"])
        while parent in parents and parent not in found and parent != span["span_id"]:
            found.add(str(parent))
            parent = parents[str(parent)]
    return found


def told(reading: Reading, key: Key, spans: Sequence[str], alone: bool = False) -> list[Row]:
    """These spans by start with what went in (`input`, of which the first `earlier` are history) and what came out (`output`)."""
    if not spans:
        return []
    bound: dict[str, Any] = {"spans": list(spans), "content": messages.CONTENT, "longest": _LONGEST_ALONE if alone else _LONGEST}
    records: dict[str, list[messages.Told]] = {}
    for row in reading.rows("call_records", {"whole"}, **key, **bound, events=messages.EVENTS, limit=_RECORDS):
        records.setdefault(row["span_id"], []).append(messages.Told(row["name"], row["attributes"], row["text"]))
    rows = reading.rows("call_spans", **key, **bound)
    return sorted((_call(row, records.get(row["span_id"], [])) for row in rows), key=lambda row: (row["start"], row["span_id"]))


def _call(row: Row, records: list[messages.Told]) -> Row:
    names, attributes = row.pop("event_names"), row.pop("event_attributes")
    events = [messages.Told(name, said) for name, said in zip(names, attributes, strict=False)]
    into, out = messages.of_span(row["kind"], row.pop("attributes"), events + records)
    return row | {"input": into, "output": out, "earlier": messages.already_told(into)}
