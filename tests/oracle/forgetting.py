"""6: what people want forgotten, one thing after the other as it came.

Decided here, where the specification is silent:

- What is known when a session is deleted goes: the traces that are in it then, with all their spans, and the records that it holds. What
  people had said of it goes too.
- Afterwards a trace that is in it, and whose first known start lies before the deletion, goes at once, and whatever comes of it later: also
  if later spans would have named another session.
- A record that names a session goes with that one, whatever becomes of its trace: if its time, or its arrival, lies before the deletion.
- What records that come later, by their resource alone, give a session of a trace without one counts no more if it begins before the
  deletion: they would bring back what was deleted whenever they are sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.oracle.binding import Key, bound, one_copy_each, one_record_each, session_of
from tests.oracle.cutting import Rules
from tests.oracle.facts import Fact
from tests.oracle.records import Record

Trace = tuple[str, str]


@dataclass
class Memory:
    """What is left of everything that came."""

    rules: Rules
    facts: list[Fact] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    deleted: dict[Key, int] = field(default_factory=dict)
    """When each session was deleted."""
    dead: set[Trace] = field(default_factory=set)

    def take(self, facts: Sequence[Fact], records: Sequence[Record]) -> None:
        """Spans and records that arrive together."""
        self.facts += [fact for fact in facts if (fact.tenant, fact.trace_id) not in self.dead]
        self.records += [record for record in records if not self._is_dead(record)]
        if self.deleted:
            self._bury_late_traces()

    def delete(self, key: Key, time: int) -> None:
        sessions = self._sessions()
        gone = [record for record in bound(one_record_each(self.records), sessions) if record.bound == key]
        self.deleted[key] = time
        self._bury(trace for trace, session in sessions.items() if session == key)
        named = {record.digest for record in gone if record.start < time or record.arrival < time}
        self.records = [record for record in self.records if record.digest not in named]

    def living(self) -> list[Record]:
        """The records that count: without those that only their resource gives to a deleted session, in a trace that begins before that."""
        held = list(bound(one_record_each(self.records), self._sessions()))
        starts: dict[tuple[str, str, Key], int] = {}
        for record in held:
            if record.bound and record.trace_id:
                part = (record.tenant, record.trace_id, record.bound)
                starts[part] = min(record.start, starts.get(part, record.start))
        late = {part for part, start in starts.items() if start < self.deleted.get(part[2], 0)}
        dead = {record.digest for record in held if record.bound and (record.tenant, record.trace_id, record.bound) in late}
        return [record for record in self.records if record.digest not in dead]

    def _sessions(self) -> dict[Trace, Key | None]:
        traces: dict[Trace, list[Fact]] = {}
        for fact in one_copy_each(self.facts):
            traces.setdefault((fact.tenant, fact.trace_id), []).append(fact)
        return {trace: session_of(spans, self.rules) for trace, spans in traces.items()}

    def _bury_late_traces(self) -> None:
        starts: dict[Trace, int] = {}
        for fact in one_copy_each(self.facts):
            trace = (fact.tenant, fact.trace_id)
            starts[trace] = min(fact.start, starts.get(trace, fact.start))
        self._bury(trace for trace, key in self._sessions().items() if key and starts[trace] < self.deleted.get(key, 0))

    def _bury(self, traces: Iterable[Trace]) -> None:
        self.dead |= set(traces)
        self.facts = [fact for fact in self.facts if (fact.tenant, fact.trace_id) not in self.dead]
        self.records = [record for record in self.records if not self._is_dead(record)]

    def _is_dead(self, record: Record) -> bool:
        if record.session and (record.id_class < 2 or not record.trace_id):
            since = self.deleted.get((record.tenant, record.project, record.session), 0)
            return record.start < since or record.arrival < since
        return (record.tenant, record.trace_id) in self.dead
