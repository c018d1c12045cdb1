"""Which session everything belongs to (2), and which services tell their calls in log records (3.2).

Decided here, where the specification is silent about log records:

- The own id of a record makes no trace a session's: candidates are spans (2.2). The record goes to the session its id names, in the
  project of its own resource, whatever session its trace is in. Without one it goes where its trace goes; only then a `session.id` of its
  resource counts, so that a record may move when its trace finds a session.
- A service tells its calls in log records if, in a session, it has one of an agent's own call events, with or without a trace id (newer
  agents name the span they work in, seldom that of the call), or a generic one without a trace id. Then its calls in that session are its
  records alone: its own events where it has any, else its generic ones, those with trace ids too; none of its spans is a call there,
  refused or not. Where it has its own events, its generic ones say nothing, in that session. A service without a name is a service like
  any other.
- Tool calls likewise: one event of an agent's own is enough, and then its tool spans are not counted; their names still stand in `Tools`.
- A session that a `session.start` continues is looked for in the project of the session that record (or span event) is bound to; a
  session that continues itself, or a mark that is bound to none, says nothing. Span events and span attributes mark the session of their
  trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from tests.oracle import keys
from tests.oracle.calls import Tree
from tests.oracle.cutting import Rules
from tests.oracle.facts import Fact
from tests.oracle.identity import shortened
from tests.oracle.prices import priced
from tests.oracle.records import Record
from tests.oracle.values import first_text

Key = tuple[str, str, str]
"""Tenant, project, session id."""


def named(key: Key) -> dict[str, Any]:
    return {"Tenant": key[0], "Project": key[1], "SessionId": key[2]}


def key_of(row: dict[str, Any]) -> Key:
    return (row["Tenant"], row["Project"], row["SessionId"])


def one_copy_each(facts: Iterable[Fact]) -> list[Fact]:
    """3.1: of copies of a span the one with the greatest (end as sent, digest) counts; the others vanish wholly.

    Identical copies are one; it arrived when the first of them did.
    """
    best: dict[tuple[str, str, str], Fact] = {}
    for fact in facts:
        key = (fact.tenant, fact.trace_id, fact.span_id)
        known = best.get(key)
        if known is None or fact.version > known.version or (fact.version == known.version and fact.arrival < known.arrival):
            best[key] = fact
    return list(best.values())


def one_record_each(records: Iterable[Record]) -> list[Record]:
    """3.1: a log record is known by a digest of (tenant, resource, scope, content); identical ones are one, as old as the first."""
    first: dict[tuple[str, int], Record] = {}
    for record in records:
        key = (record.tenant, record.digest)
        if key not in first or record.arrival < first[key].arrival:
            first[key] = record
    return list(first.values())


def session_of(spans: list[Fact], rules: Rules) -> Key | None:
    """2.2: the winner of a trace is the least (class, not root, start, span id); root = no parent id."""
    candidates = [span for span in spans if span.session]
    if candidates:
        winner = min(candidates, key=lambda span: (span.id_class, span.parent_id != "", span.start, span.span_id))
        return (winner.tenant, winner.project, winner.session)
    top = Tree(spans).topmost()
    id_ = {"none": "", "trace": top.trace_id, "gap": _gap(top, rules.gap_attributes)}[rules.missing_id]  # 2.4
    return (top.tenant, top.project, id_) if id_ else None


def _gap(top: Fact, attributes: Iterable[str]) -> str:
    """2.4: the values of attributes of the top-most span, else of its resource, joined by `|`; '' if it says none of them."""
    parts = []
    for attribute in attributes:
        names = {"user": keys.USER, "service": ["service.name"]}.get(attribute, [attribute])
        parts.append(first_text(top.attributes, names) or first_text(top.resource, names))
    return shortened("|".join(parts)) if any(parts) else ""


def bound(records: Iterable[Record], sessions: dict[tuple[str, str], Key | None]) -> Iterator[Record]:
    """2.5: by their own id, else through their trace id; ids on the resource last. Each with what it costs."""
    for record in records:
        by_id = (record.tenant, record.project, record.session)
        through_trace = sessions.get((record.tenant, record.trace_id)) if record.trace_id else None
        if record.session and record.id_class < 2:
            key: Key | None = by_id
        else:
            key = through_trace or (by_id if record.session else None)
        yield replace(record, bound=key, price=priced(record))


class Services:
    """3.2: who tells model calls and tool calls in log records, by session."""

    def __init__(self, records: list[Record]) -> None:
        calls = [record for record in records if record.is_call]
        self._own = {(record.bound, record.service) for record in calls if record.is_own_call}
        self._calls = self._own | {(record.bound, record.service) for record in calls if not record.trace_id}
        self._tools = {(record.bound, record.service) for record in records if record.is_tool_call}

    def calls(self, records: list[Record]) -> list[Record]:
        """Those of the records that are calls."""
        return [record for record in records if record.is_call and (record.is_own_call or (record.bound, record.service) not in self._own)]

    def sessions(self) -> set[Key]:
        return {key for key, _ in self._calls | self._tools if key}

    def silent(self, key: Key | None, spans: list[Fact]) -> set[str]:
        """Services whose spans tell no calls in this session."""
        return {span.service for span in spans if (key, span.service) in self._calls}

    def tells_tools(self, key: Key, service: str) -> bool:
        return (key, service) in self._tools


def marks_of(
    traces: dict[tuple[str, str], list[Fact]], sessions: dict[tuple[str, str], Key | None], records: list[Record]
) -> Iterator[Any]:
    """4: (session, time, reason) of everything that ends a session at its own time."""
    told = [(sessions[trace], mark) for trace, spans in traces.items() for span in spans for mark in span.marks]
    told += [(record.bound, mark) for record in records for mark in record.marks]
    for key, mark in told:
        if key and mark.what == "session.end":
            yield key, mark.time, "explicit"
        elif key and mark.previous and mark.previous != key[2]:
            yield (key[0], key[1], mark.previous), mark.time, "continued"
