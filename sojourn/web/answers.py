"""The answers of the API as plain values: what `.json` addresses send, and what the pages show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sojourn.web import parameters
from sojourn.web.reading import Reading, Row

Pairs = Sequence[tuple[str, str]]
Answer = dict[str, Any]

TENANT: Final = ""  # without authentication everything belongs to one tenant
_MAX_TRACES: Final = 100_000
_MAX_SPANS: Final = 100_000
_SEGMENTS: Final = 10_000
_EVENTS: Final = 1_000


class Missing(LookupError):
    """There is no such thing. `projects` are those that have a session of that id."""

    def __init__(self, message: str, projects: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.projects = tuple(projects)


def sessions(reading: Reading, pairs: Pairs, now: int) -> Answer:
    question = parameters.sessions(pairs, now)
    rows = reading.rows("sessions", question.given, tenant=TENANT, **question.bound)
    following = parameters.next_sessions(question, rows)
    return {"sessions": [_session(row) for row in rows], "next": following}


def session(reading: Reading, identity: str, pairs: Pairs, now: int, limit: int = 10_000) -> Answer:
    """One session with what belongs to it; `next` is the cursor of its further traces."""
    question, given = parameters.by_start(pairs, ("project",), limit, _MAX_TRACES, now)
    key = {"tenant": TENANT, "project": given.get("project", ""), "session": identity}
    found = reading.rows("session", **key)
    if not found:
        projects = [row["project"] for row in reading.rows("session_projects", tenant=TENANT, session=identity)]
        raise Missing("session: there is no session of this id" + (" in this project" if projects else ""), projects)
    traces = reading.rows("session_traces", question.given, **key, **question.bound)
    following = parameters.next_by_start(question, traces, "trace_id")
    return {
        "session": _session(found[0]),
        "segments": [_session(row) for row in reading.rows("session_segments", **key, limit=_SEGMENTS)],
        "traces": traces,
        "events": reading.rows("events", {"session", "project"}, **key, limit=_EVENTS)[::-1],
        "next": following,
    }


def trace(reading: Reading, identity: str, pairs: Pairs, now: int, limit: int = 10_000) -> Answer:
    """One trace with its spans; `next` is the cursor of further spans."""
    question, _ = parameters.by_start(pairs, (), limit, _MAX_SPANS, now)
    key = {"tenant": TENANT, "trace": identity.lower()}
    found = reading.rows("trace", **key) or reading.rows("trace_alone", **key)
    if not found:
        raise Missing("trace: there is no trace of this id")
    spans = reading.rows("spans", question.given, **key, **question.bound)
    following = parameters.next_by_start(question, spans, "span_id")
    return {"trace": found[0], "spans": [_span(row) for row in spans], "next": following}


def events(reading: Reading, pairs: Pairs, now: int) -> Answer:
    question = parameters.events(pairs, now)
    rows = reading.rows("events", question.given, tenant=TENANT, **question.bound)
    following = parameters.next_events(question, rows)
    return {"events": rows, "next": following}


def _session(row: Row) -> Row:
    scores = row.get("scores")
    if isinstance(scores, dict):
        row["scores"] = {name: {part.lower(): value for part, value in score.items()} for name, score in scores.items()}
    return row


def _span(row: Row) -> Row:
    events = zip(row.pop("event_times"), row.pop("event_names"), row.pop("event_attributes"), strict=True)
    links = zip(row.pop("link_trace_ids"), row.pop("link_span_ids"), row.pop("link_attributes"), strict=True)
    row["events"] = [{"time": time, "name": name, "attributes": attributes} for time, name, attributes in events]
    row["links"] = [{"trace_id": trace_id, "span_id": span_id, "attributes": attributes} for trace_id, span_id, attributes in links]
    return row
