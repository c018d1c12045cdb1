"""The answers of the API as plain values: what `.json` addresses send, and what the pages show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sojourn.web import conversation, finding, messages, parameters, timeline, wording
from sojourn.web.reading import Reading, Row

Pairs = Sequence[tuple[str, str]]
Answer = dict[str, Any]

_MAX_TRACES: Final = 100_000
_MAX_SPANS: Final = 100_000
_WATERFALL: Final = 20_000
_SEGMENTS: Final = 10_000
_EVENTS: Final = 1_000
_POINTS: Final = 1_000
_SHOWN_ACTIVITY: Final = 200
LANES: Final = 2_000
_AGENTS: Final = 1_000
"""Agents are looked for in so many traces of a session."""
_LONGEST_PART: Final = 1_000_000
_MAX_CALLS: Final = 20
"""Each may hold some mebibytes of what was said before."""
_STEPS: Final = 24
_TOTALS: Final = 1_000
_SORTED: Final = (10_000, 1_000_000)
"""Of so many versions the newest are found by sorting them, or where they are few of all, of so many."""
_OVER_TIME: Final = (
    *("sessions", "traces", "errors", "input_tokens", "output_tokens", "total_tokens", "cost", "turns"),
    *("turn_p50_ns", "turn_p95_ns", "turn_p99_ns"),
)
_COUNTERS: Final = r"(^|[._])(tokens?|cost)([._]|$)"
_NO_COUNTERS: Final = r"(^|[._])(time|duration|latency)([._]|$)"  # gen_ai.server.time_to_first_token


class Missing(LookupError):
    """There is no such thing. `projects` are those that have a session of that id."""

    def __init__(self, message: str, projects: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.projects = tuple(projects)


def sessions(reading: Reading, pairs: Pairs, now: int) -> Answer:
    question = parameters.sessions(pairs, now)
    rows = finding.sessions(reading, question)
    following = parameters.next_sessions(question, rows)
    return {"sessions": [_session(row) for row in rows], "next": following}


def latest(reading: Reading, key: Mapping[str, str] | None = None) -> int:
    """The version up to which a list, or the session of this key, that is read from now on knows everything; see `/live`."""
    found = reading.rows("latest", {"session" if key else "list"}, **(key or {"tenant": reading.tenant}))
    return int(found[0]["latest"]) if found else 0


def activity(reading: Reading, rows: Sequence[Row], parts: int) -> dict[tuple[str, str], list[tuple[int, int, int]]]:
    """When the sessions of a list were busy, by project and id: (part of its time, traces, traces with errors)."""
    shown = {(row["project"], row["session_id"]): row for row in rows[:_SHOWN_ACTIVITY]}
    times = {"starts": [wording.moment(row["start"]) for row in shown.values()], "walls": [row["wall_ns"] for row in shown.values()]}
    found: dict[tuple[str, str], list[tuple[int, int, int]]] = {key: [] for key in shown}
    for row in reading.rows("session_activity", tenant=reading.tenant, keys=list(shown), parts=parts, **times) if shown else ():
        found[row["project"], row["session_id"]].append((row["part"], row["traces"], row["errors"]))
    return found


def session(reading: Reading, identity: str, pairs: Pairs, now: int) -> Answer:
    """One session with what belongs to it; `next` is the cursor of its further traces."""
    question, given = parameters.by_start(pairs, ("project",), 10_000, _MAX_TRACES, now)
    key = _key(reading, identity, given)
    found = _about(reading, key)
    traces = reading.rows("session_traces", question.given, **key, **question.bound)
    following = parameters.next_by_start(question, traces, "trace_id")
    return found | {"traces": traces, "next": following}


def story(reading: Reading, identity: str, pairs: Pairs, now: int) -> Answer:
    """One session for its page: `moments` are its traces and log records as they followed one another, in parts of which each is complete;
    `steps` what was done in those traces; `traces` all of it in short, and `agents` what its agents did when, for the timeline; `latest`
    up to which version all of that is.
    """
    places, given = parameters.places(pairs)
    key = _key(reading, identity, given)
    found = {"latest": latest(reading, key)} | _about(reading, key)
    of_traces = parameters.behind(places[:2], "after_id", now)
    of_logs = parameters.behind(places[2:], "after_digest", now)
    traces = reading.rows("session_traces", of_traces.given, **key, **of_traces.bound, limit=timeline.TRACES + 1)
    logs = reading.rows("session_logs", of_logs.given, **key, **of_logs.bound, limit=timeline.LOGS + 1)
    moments, reached = timeline.merged(traces, logs, places)
    following = parameters.encode_cursor(*reached) if reached else None
    shown = [row for row in moments if "digest" not in row]
    lanes = reading.rows("session_lanes", **key, limit=LANES)
    steps = reading.rows("session_steps", **_spans_of(reading, shown), steps=_STEPS) if shown else []
    agents = reading.rows("session_agents", **_spans_of(reading, lanes[:_AGENTS]), limit=LANES) if lanes else []
    return found | {"moments": moments, "next": following, "traces": lanes, "agents": agents, "steps": steps}


def _spans_of(reading: Reading, traces: Sequence[Row]) -> dict[str, Any]:
    """Where the spans of these traces are found."""
    first, last = (wording.moment(edge) for edge in (min(row["start"] for row in traces), max(row["end"] for row in traces)))
    return {"tenant": reading.tenant, "traces": [row["trace_id"] for row in traces], "first": first, "last": last}


def logs(reading: Reading, identity: str, pairs: Pairs, now: int) -> Answer:
    """The log records of one session by time; `next` is the cursor of further ones."""
    question, given = parameters.logs(pairs, now)
    key = _key(reading, identity, given)
    rows = reading.rows("session_logs", question.given, **key, **question.bound)
    if not rows:
        _found(reading, key)
    following = parameters.next_logs(question, rows)
    return {"logs": [{name: value for name, value in row.items() if name != "digest"} for row in rows], "next": following}


def metrics(reading: Reading, identity: str, pairs: Pairs) -> Answer:
    """The metric series that name one session, and what its counters of tokens and money come to; `next` leads to further series."""
    question, given = parameters.metrics(pairs)
    key = _key(reading, identity, given)
    series = reading.rows("session_metrics", question.given, **key, **question.bound, points=_POINTS)
    if not series:
        _found(reading, key)
    totals = reading.rows("session_metrics", {"totals"}, **key, limit=_TOTALS, counters=_COUNTERS, no_counters=_NO_COUNTERS)
    following = parameters.next_metrics(question, series)
    return {"series": [_series(row) for row in series], "totals": totals, "next": following}


def _key(reading: Reading, identity: str, given: Mapping[str, str]) -> dict[str, str]:
    return {"tenant": reading.tenant, "project": given.get("project", ""), "session": identity}


def _found(reading: Reading, key: Mapping[str, str]) -> Row:
    """The session's row. Raises Missing, with the projects that have a session of this id."""
    found = reading.rows("session", **key)
    if not found:
        projects = [row["project"] for row in reading.rows("session_projects", tenant=reading.tenant, session=key["session"])]
        raise Missing("session: there is no session of this id" + (" in this project" if projects else ""), projects)
    return _session(found[0])


def _about(reading: Reading, key: Mapping[str, str]) -> Answer:
    """A session without what happened in it. Its only segment, if there is one, is the session itself (see the view `session_segments`)."""
    found = _found(reading, key)
    only = [{name: value for name, value in found.items() if name != "alerts"} | {"segment": 0}]
    cut = found["segments"] != 1
    return {
        "session": found,
        "segments": [_session(row) for row in reading.rows("session_segments", **key, limit=_SEGMENTS)] if cut else only,
        "events": reading.rows("events", {"session", "project"}, **key, limit=_EVENTS)[::-1],
    }


def trace(reading: Reading, identity: str, pairs: Pairs, now: int) -> Answer:
    """One trace with its spans; `next` is the cursor of further spans."""
    question, _ = parameters.by_start(pairs, (), 10_000, _MAX_SPANS, now)
    found, key = _trace(reading, identity)
    spans = reading.rows("spans", question.given, **key, **question.bound)
    following = parameters.next_by_start(question, spans, "span_id")
    return {"trace": found, "spans": [_span(row) for row in spans], "next": following}


def said(reading: Reading, identity: str, pairs: Pairs, now: int) -> Answer:
    """What was said in one trace: its `calls` by start with whole messages; `next` is the cursor of further calls."""
    question, given = parameters.by_start(pairs, ("span",), 10, _MAX_CALLS, now)
    found, key = _trace(reading, identity)
    if "span" in given:
        calls = conversation.told(reading, key, [given["span"].lower()], alone=True)
        if not calls:
            raise Missing("span: there is no span of this id in this trace")
        return {"trace": found, "calls": _whole(calls), "next": None}
    listed = conversation.calls(reading, key)
    if "after" in question.given:
        edge = (wording.stamp(question.bound["after_start"]), question.bound["after_id"])
        listed = [span for span in listed if (span["start"], span["span_id"]) > edge]
    listed = listed[: question.limit + 1]
    following = parameters.next_by_start(question, listed, "span_id")
    return {"trace": found, "calls": _whole(conversation.told(reading, key, [span["span_id"] for span in listed])), "next": following}


def _whole(calls: list[Row]) -> list[Row]:
    """Whole, as far as anybody can read: a part of more than a million characters is cut and tells its `length`."""
    for call in calls:
        for side in ("input", "output"):
            call[side] = [messages.cut(message, _LONGEST_PART) for message in call[side]]
    return calls


def waterfall(reading: Reading, identity: str, pairs: Pairs) -> Answer:
    """One trace for its page: all spans in short, and the `span` that is asked for in full."""
    given = parameters.waterfall(pairs)
    found, key = _trace(reading, identity)
    spans = reading.rows("span_rows", **key, limit=_WATERFALL + 1) if "only" not in given else []
    chosen = reading.rows("spans", {"span"}, **key, span=given["span"].lower(), limit=1) if "span" in given else []
    if "span" in given and not chosen:
        raise Missing("span: there is no span of this id in this trace")
    span = _span(chosen[0]) if chosen else None
    said = conversation.told(reading, key, [span["span_id"]])[0] if span else None
    return {"trace": found, "spans": spans[:_WATERFALL], "span": span, "said": said, "truncated": len(spans) > _WATERFALL}


def _trace(reading: Reading, identity: str) -> tuple[Row, dict[str, str]]:
    """What is known of a trace as a whole, and the key of its spans."""
    key = {"tenant": reading.tenant, "trace": identity.lower()}
    found = reading.rows("trace", **key) or reading.rows("trace_alone", **key)
    if not found:
        raise Missing("trace: there is no trace of this id")
    return found[0], key


def over_time(reading: Reading, pairs: Pairs, now: int) -> Answer:
    """What came in over time: every bucket, or with `group` every bucket of a value in which there is something."""
    question = parameters.over_time(pairs, now)
    since, until, bucket = (int(question.bound[name]) for name in ("since", "until", "bucket"))
    given, oldest = _newest(reading, question)
    rows = reading.rows("over_time", question.given | given, tenant=reading.tenant, **question.bound, **oldest)
    for row in rows:
        row["start"] = wording.stamp(since + int(row.pop("bucket")) * bucket)
    if "all" in question.given:
        found = {row["start"]: row for row in rows}
        starts = [wording.stamp(start) for start in range(since, until, bucket)]
        rows = [found.get(start) or dict.fromkeys(_OVER_TIME, 0) | {"cost": None, "start": start} for start in starts]
    return {"buckets": rows, "bucket_ns": bucket, "since": wording.stamp(since), "until": wording.stamp(until)}


def _newest(reading: Reading, question: parameters.Question) -> tuple[set[str], dict[str, int]]:
    """How the newest rows of sessions and of traces are found, for `over_time.sql`, and from which versions on."""
    times = {name: question.bound[name] for name in ("since", "until")}
    found = reading.rows("over_time_oldest", tenant=reading.tenant, **times)[0]
    given, oldest = set(), {}
    for kind in ("session", "trace"):
        few = found[f"{kind}s"] <= max(_SORTED[0], min(found[f"all_{kind}s"] // 2, _SORTED[1]))
        given.add(f"newest_{kind}s" if few else f"final_{kind}s")
        version = found[f"oldest_{kind}"]
        oldest[f"oldest_{kind}"] = 2**64 - 1 if version is None else version  # behind all: there is none
    return given, oldest


def events(reading: Reading, pairs: Pairs, now: int) -> Answer:
    question = parameters.events(pairs, now)
    rows = reading.rows("events", question.given, tenant=reading.tenant, **question.bound)
    following = parameters.next_events(question, rows)
    return {"events": rows, "next": following}


def alerts(reading: Reading, pairs: Pairs, now: int) -> Answer:
    """Alerts, newest first; `firing` says whether the session still fulfils the condition."""
    question = parameters.alerts(pairs, now)
    rows = reading.rows("events", question.given, tenant=reading.tenant, **question.bound)
    following = parameters.next_events(question, rows)
    keys = sorted({(row["project"], row["session_id"]) for row in rows})
    sessions = reading.rows("firing", tenant=reading.tenant, keys=keys) if keys else []
    firing = {(row["project"], row["session_id"]): row["alerts"] for row in sessions}
    return {"alerts": [_alert(row, firing.get((row["project"], row["session_id"]), ())) for row in rows], "next": following}


def names(reading: Reading, rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """What the sessions of these events are called, by project and id; nothing of those that have no name."""
    keys = sorted({(row["project"], row["session_id"]) for row in rows})
    found = reading.rows("session_names", tenant=reading.tenant, keys=keys) if keys else []
    return {(row["project"], row["session_id"]): row["name"] for row in found}


def _alert(row: Row, firing: Sequence[str]) -> Row:
    said = row["attributes"]
    told = {name: said.get(f"alert.{name}", "") for name in ("severity", "condition", "values")}
    key = {name: row[name] for name in ("time", "tenant", "project", "session_id", "segment", "revision")}
    return key | {"name": row["reason"], **told, "firing": row["reason"] in firing}


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


def _series(row: Row) -> Row:
    """A point is [time, value]; of what counts values (histograms, summaries) it is [time, count, sum]."""
    counted = row["kind"] not in ("gauge", "sum")
    row["points"] = [[time, number, value] if counted else [time, value] for time, _, value, number in row["points"]]
    del row["id"]
    return row
