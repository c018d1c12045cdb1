"""What a lane stored earlier, for processors whose state was forgotten. Every answer is one row per thing, the newest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sojourn import schema
from sojourn.storage.arrow import empty

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from sojourn.sessions.graves import Grave
    from sojourn.storage.database import Database

ALIVE: Final = ("Tenant", "Project", "SessionId", "Segments", "State", "Revision", "End", "LastSeen", "Traces", "Services", "Alerts")
"""Columns of `session_rows` that say what `lifecycle` has to remember of a session."""

AT_ONCE: Final = 8_000_000
"""Rows of which digests, or trace ids, are read at once."""
MOST_ROWS: Final = 32_000_000
"""Rows of spans and log records whose trace ids are read at the start: seconds on two cores."""
_WINDOWS: Final = tuple(hours * 3_600_000_000_000 for hours in (720, 168, 24, 6, 1))
"""How far back they are looked for if there are more, ns."""

Key = tuple[str, str, str]
"""(tenant, project, session id)"""

# Thousands of ids as one text: an Array parameter of 20,000 ids takes 184 ms to parse, a list in the statement exceeds max_query_size.
_TRACES: Final = "TraceId IN (SELECT arrayJoin(splitByChar(',', {traces:String})))"
# Keys are anybody's text, so they travel as hex.
_SESSIONS: Final = """(Tenant, Project, SessionId) IN (
    SELECT (unhex(key[1]), unhex(key[2]), unhex(key[3]))
    FROM (SELECT arrayJoin(arrayMap(one -> splitByChar('.', one), splitByChar(',', {keys:String}))) AS key)
)"""


class History:
    """Reads through the calling thread's client. Every method raises Unavailable if the database cannot be reached.

    A database that answers with what is not an answer (a sink that discards everything) is warned of once and taken as empty.
    """

    def __init__(self, database: Database, retention: int = 0) -> None:
        """`retention` is how long things are kept, ns; 0 for ever."""
        self._database = database
        self.retention = retention

    def newest_arrival(self) -> int | None:
        """When the newest stored span or log record arrived, ns since 1970; None if there is none."""
        newest = "SELECT toUnixTimestamp64Nano(Arrival) AS number FROM {} ORDER BY Arrival DESC LIMIT 1"
        tables = (newest.format(self._table(table)) for table in (schema.OTEL_TRACES, schema.OTEL_LOGS))
        return self._number(f"SELECT number FROM ({' UNION ALL '.join(f'({sql})' for sql in tables)}) ORDER BY number DESC LIMIT 1")

    def horizon(self, most: int = MOST_ROWS) -> int | None:
        """The arrival, ns since 1970, since when at most so many spans and log records were stored; None if all of them are no more."""
        if self._arrived(None) <= most or (newest := self.newest_arrival()) is None:
            return None
        return next((newest - window for window in _WINDOWS if self._arrived(newest - window) <= most), newest)

    def traces_since(self, horizon: int | None) -> Iterator[pa.Table]:
        """Traces and log traces of which a span or log record arrived later than that (ns since 1970), or ever: columns Tenant, Hi and Lo
        (the id as two numbers, UInt64). In parts, in no order."""
        after = "" if horizon is None else f"AND Arrival > fromUnixTimestamp64Nano({horizon})"
        spans = f"SELECT Tenant, TraceId AS id FROM {self._table(schema.OTEL_TRACES)} WHERE id != '' {after}"
        records = f"SELECT Tenant, if(LogTrace = '', TraceId, LogTrace) AS id FROM {self._table(schema.OTEL_LOGS)} WHERE id != '' {after}"
        hi, lo = (f"reinterpretAsUInt64(reverse(unhex(substring(id, {begin}, 16))))" for begin in (1, 17))
        parts = self._arrived(horizon) // AT_ONCE + 1
        for part in range(parts):
            mine = f"WHERE cityHash64(id) % {parts} = {part}" if parts > 1 else ""
            found = self._database.query_arrow(f"SELECT DISTINCT Tenant, {hi} AS Hi, {lo} AS Lo FROM ({spans} UNION ALL {records}) {mine}")
            if found is not None:
                yield found

    def _arrived(self, since: int | None) -> int:
        """How many spans and log records arrived after that, or ever."""
        when = "" if since is None else f"WHERE Arrival > fromUnixTimestamp64Nano({since})"
        counts = (f"(SELECT count() FROM {self._table(table)} {when})" for table in (schema.OTEL_TRACES, schema.OTEL_LOGS))
        return self._number(f"SELECT {' + '.join(counts)} AS number") or 0

    def last_version(self) -> int:
        """The greatest Version of the session tables, 0 if there is none."""
        tables = (table.name for table in (*schema.DERIVED, schema.SESSION_MARKS))
        greatest = " UNION ALL ".join(f"SELECT max(Version) AS version FROM {self._database.name}.{table}" for table in tables)
        return self._number(f"SELECT max(version) AS number FROM ({greatest})") or 0

    def spans(self, trace_ids: Sequence[str]) -> pa.Table:
        """Spans of those traces, one per (Tenant, TraceId, SpanId): the greatest Version. Of the columns of `otel_traces` those that are
        folded: attributes and events, most of a row, are not read."""
        if not trace_ids:
            return _folded(empty(schema.OTEL_TRACES))
        newest = f"SELECT {_folded_columns(schema.OTEL_TRACES)} FROM {self._table(schema.OTEL_TRACES)} WHERE {_TRACES}"
        sql = f"{newest} ORDER BY Tenant, TraceId, SpanId, Version DESC, Arrival LIMIT 1 BY Tenant, TraceId, SpanId"
        return self._folded_rows(schema.OTEL_TRACES, sql, trace_ids)

    def records(self, trace_ids: Sequence[str]) -> pa.Table:
        """Log records of those traces and log traces, each once, in the columns of `otel_logs` that are folded."""
        if not trace_ids:
            return _folded(empty(schema.OTEL_LOGS))
        traces = "splitByChar(',', {traces:String})"
        mine = f"TraceId IN {traces} OR LogTrace IN {traces}"
        records = f"SELECT {_folded_columns(schema.OTEL_LOGS)} FROM {self._table(schema.OTEL_LOGS)} WHERE {mine}"
        sql = f"{records} ORDER BY Arrival LIMIT 1 BY Tenant, Digest"
        return self._folded_rows(schema.OTEL_LOGS, sql, trace_ids)

    def parts_of_traces(self, trace_ids: Sequence[str]) -> list[tuple[str, str, str, str, int]]:
        """The parts that sessions have of those traces, as told last: tenant, project, session, trace, how many of its spans."""
        by = "Tenant, Project, SessionId, TraceId"
        # Without FINAL, which would merge all columns of the sort key around every row that is found.
        rows = f"SELECT {by}, argMax((Spans, Deleted), Version) AS last FROM {self._table(schema.SESSION_TRACE_ROWS)} WHERE {_TRACES}"
        found = (
            self._tuples(f"SELECT {by}, last.1 FROM ({rows} GROUP BY {by}) WHERE last.2 = 0", traces=",".join(trace_ids))
            if trace_ids
            else []
        )
        return [(tenant, project, session, trace, int(spans)) for tenant, project, session, trace, spans in found]

    def traces_naming(self, keys: Sequence[Key]) -> list[tuple[str, str]]:
        """(tenant, id) of the traces and log traces in which a span or a log record names one of these sessions. Reads that column of all
        rows."""
        if not keys:
            return []
        named = f"WHERE SessionId != '' AND {_SESSIONS}"
        spans = f"SELECT Tenant, TraceId AS id FROM {self._table(schema.OTEL_TRACES)} {named}"
        records = f"SELECT Tenant, if(LogTrace = '', TraceId, LogTrace) AS id FROM {self._table(schema.OTEL_LOGS)} {named}"
        distinct = f"SELECT DISTINCT Tenant, id FROM ({spans} UNION ALL {records}) WHERE id != ''"
        found = self._database.query_arrow(distinct, {"keys": _hexed(keys)})
        return [] if found is None else list(zip(found.column("Tenant").to_pylist(), found.column("id").to_pylist(), strict=True))

    def trace_rows_of_sessions(self, keys: Sequence[Key]) -> pa.Table:
        """Rows of `session_trace_rows` of those sessions, without deleted ones; of each the first MOST_TRACES by start."""
        if not keys:
            return empty(schema.SESSION_TRACE_ROWS)
        first = f"ORDER BY Start, Spans > 0, TraceId LIMIT {schema.MOST_TRACES} BY Tenant, Project, SessionId"
        return self._live(schema.SESSION_TRACE_ROWS, f"{_SESSIONS} {first}", keys=_hexed(keys))

    def shared(self, keys: Sequence[Key], trace_ids: Sequence[str]) -> list[tuple[str, str]]:
        """(tenant, id) of those traces in which other sessions than these have part."""
        mine, parts = set(keys), self.parts_of_traces(trace_ids)
        return list({(tenant, trace): None for tenant, project, session, trace, _ in parts if (tenant, project, session) not in mine})

    def tellings(self, keys: Sequence[Key]) -> list[tuple[Key, str, int, str]]:
        """Who tells calls in log records of those sessions, as their trace rows note it: session, trace id, TELLING bits, service."""
        if not keys:
            return []
        notes = "`Notes.What` AS what, `Notes.Key` AS bits, `Notes.Text` AS service"
        rows = f"SELECT Tenant, Project, SessionId, TraceId, bits, service FROM {self._table(schema.SESSION_TRACE_ROWS)} FINAL"
        sql = f"{rows} ARRAY JOIN {notes} WHERE what = {schema.FACETS['telling']} AND {_SESSIONS}"
        found = self._tuples(sql, keys=_hexed(keys))
        return [((tenant, project, session), trace, bits, service) for tenant, project, session, trace, bits, service in found]

    def sessions(self, keys: Sequence[Key]) -> pa.Table:
        """Rows of `session_rows`, without deleted ones."""
        return self._of_sessions(schema.SESSION_ROWS, keys)

    def segments(self, keys: Sequence[Key]) -> pa.Table:
        """Rows of `session_segment_rows`, without deleted ones."""
        return self._of_sessions(schema.SESSION_SEGMENT_ROWS, keys)

    def open_sessions(self, most: int) -> pa.Table:
        """What is remembered of sessions whose State is not `ended` (columns ALIVE); if they are too many, those seen last."""
        return self._alive("ORDER BY LastSeen DESC LIMIT {most:UInt64}", most=most)

    def ended_sessions(self, since: int, most: int) -> pa.Table:
        """The same of those that have ended and were heard of since then (ns since 1970), those seen last first."""
        heard = "greatest(toUnixTimestamp64Nano(End), toUnixTimestamp64Milli(LastSeen) * 1000000)"
        rest = f"AND {heard} >= {{since:Int64}} ORDER BY LastSeen DESC LIMIT {{most:UInt64}}"
        return self._alive(rest, "State = 'ended'", since=since, most=most)

    def silent_sessions(self, since: int, most: int) -> pa.Table:
        """The same of those that have been silent since then (ns since 1970), the longest silent first."""
        silent = "greatest(toUnixTimestamp64Nano(End), toUnixTimestamp64Milli(LastSeen) * 1000000)"
        return self._alive(f"AND {silent} <= {{since:Int64}} ORDER BY {silent} LIMIT {{most:UInt64}}", since=since, most=most)

    def untold_sessions(self, collector: str) -> pa.Table:
        """The same of sessions whose rows this collector wrote last of all, if it wrote no events with them; ended ones too."""
        mine = {"collector": collector}
        rows, events = (self._table(table) for table in (schema.SESSION_ROWS, schema.SESSION_EVENT_ROWS))
        newest = self._number(f"SELECT max(Version) AS number FROM {rows} WHERE Collector = {{collector:String}}", **mine)
        if not newest or self._number(f"SELECT count() AS number FROM {events} WHERE Version = {newest}"):
            return empty(schema.SESSION_ROWS).select(list(ALIVE))
        sql = f"SELECT {', '.join(ALIVE)} FROM {rows} FINAL WHERE Version = {newest} AND Collector = {{collector:String}}"
        found = self._database.query_arrow(sql, mine)
        return empty(schema.SESSION_ROWS).select(list(ALIVE)) if found is None else found

    def last_events(self, keys: Sequence[Key]) -> pa.Table:
        """What the events say of those sessions: Tenant, Project, SessionId, segments told, the last change of state, alerts that fired."""
        states = "('session.start', 'session.rotated', 'session.reopened', 'session.idle', 'session.end')"
        said = (
            "toUInt32(maxIf(Segment, Event IN ('session.start', 'session.rotated')) + 1) AS Segments, "
            f"argMaxIf(toString(Event), (Segment, Version), Event IN {states}) AS Last, "
            "groupUniqArrayIf(toString(Reason), Event = 'session.alert') AS Fired"
        )
        by = "Tenant, Project, SessionId"
        sql = f"SELECT {by}, {said} FROM {self._table(schema.SESSION_EVENT_ROWS)} WHERE {_SESSIONS} GROUP BY {by}"
        found = self._database.query_arrow(sql, {"keys": _hexed(keys)}) if keys else None
        return (
            empty(schema.SESSION_ROWS).select(["Tenant", "Project", "SessionId", "Segments", "State", "Alerts"]) if found is None else found
        )

    def _alive(self, rest: str, state: str = "State != 'ended'", **parameters: object) -> pa.Table:
        columns = ", ".join(ALIVE)
        table = self._table(schema.SESSION_ROWS)
        found = self._database.query_arrow(f"SELECT {columns} FROM {table} FINAL WHERE {state} {rest}", parameters)
        return empty(schema.SESSION_ROWS).select(list(ALIVE)) if found is None else found

    def marks(self, keys: Sequence[Key]) -> pa.Table:
        """Rows of `session_marks` of those sessions, without those of traces."""
        if not keys:
            return empty(schema.SESSION_MARKS)
        return self._live(schema.SESSION_MARKS, f"TraceId = '' AND {_SESSIONS}", keys=_hexed(keys))

    def graves(self, undone: bool = False) -> list[Grave]:
        """What was deleted, or only that of which rows may still be there."""
        from sojourn.sessions.graves import Grave

        table = self._live(schema.SESSION_MARKS, "Mark = 'delete'" + (" AND Done = 0" if undone else ""))
        names = ("Tenant", "Project", "SessionId", "TraceId", "Version")
        time = table.column("Time").cast("int64").to_pylist()
        rows = zip(*(table.column(name).to_pylist() for name in names), time, strict=True)
        return [Grave((tenant, project, session), trace, when, version) for tenant, project, session, trace, version, when in rows]

    def expired_sessions(self, before: int, most: int) -> list[tuple[str, str, str, int]]:
        """Sessions that ended, and were last heard of, before then (ns since 1970): their keys and how many traces they have."""
        last = "greatest(toUnixTimestamp64Nano(End), toUnixTimestamp64Milli(LastSeen) * 1000000)"
        sessions = f"SELECT Tenant, Project, SessionId, Traces FROM {self._table(schema.SESSION_ROWS)} FINAL"
        old = f"WHERE State = 'ended' AND {last} < {{before:Int64}} LIMIT {{most:UInt64}}"
        return self._tuples(f"{sessions} {old}", before=before, most=most)

    def expired_traces(self, before: int, most: int) -> list[tuple[str, str]]:
        """(tenant, id) of traces in no session of which the last span arrived before then (ns since 1970)."""
        spans, rows = self._table(schema.OTEL_TRACES), self._table(schema.SESSION_TRACE_ROWS)
        time = "fromUnixTimestamp64Nano({before:Int64})"
        day = f"addDays({time}, 2)"  # clocks are ahead of arrival by a day at most: later ones are clamped
        bound = f"SELECT Tenant, TraceId FROM {rows} FINAL WHERE Spans > 0 AND Start < {day}"
        old = f"SELECT Tenant, TraceId FROM {spans} WHERE Timestamp < {day} GROUP BY Tenant, TraceId HAVING max(Arrival) < {time}"
        sql = f"{old} AND (Tenant, TraceId) NOT IN ({bound}) LIMIT {{most:UInt64}}"
        return self._tuples(sql, before=before, most=most)

    def _tuples(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        found = self._database.query_arrow(sql, parameters)
        return [] if found is None else list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def session_digests(self) -> Iterator[np.ndarray]:
        """`_native.digest` of tenant \\0 project \\0 session id of every session that has a row, uint64, in no order and more than once;
        in parts, since they may be hundreds of millions.

        Deleted rows as well: behind one there may be marks that wait for their session.
        """
        rows = self._number(f"SELECT count() AS number FROM {self._table(schema.SESSION_ROWS)}") or 0
        parts = rows // AT_ONCE + 1
        for part in range(parts):
            yield self._digests(schema.SESSION_ROWS, f"digest % {parts} = {part}")

    def marked_digests(self) -> np.ndarray:
        """The same of every session of which somebody said something."""
        return self._digests(schema.SESSION_MARKS, "TraceId = ''")

    def _digests(self, table_: schema.Table, condition: str = "1") -> np.ndarray:
        import numpy as np

        digest = "xxh3(concat(Tenant, '\\0', Project, '\\0', SessionId))"
        table = self._database.query_arrow(f"SELECT {digest} AS digest FROM {self._table(table_)} WHERE {condition}")
        if table is None or not table.num_rows:
            return np.zeros(0, np.uint64)
        digests: np.ndarray = table.column("digest").to_numpy().astype(np.uint64, copy=False)
        return digests

    def _of_sessions(self, table: schema.Table, keys: Sequence[Key]) -> pa.Table:
        if not keys:
            return empty(table)
        return self._live(table, _SESSIONS, keys=_hexed(keys))

    def _live(self, table: schema.Table, condition: str, **parameters: str) -> pa.Table:
        sql = f"SELECT {_columns(table)} FROM {self._table(table)} FINAL WHERE {condition}"
        return self._rows(table, sql, **parameters)

    def _folded_rows(self, table: schema.Table, sql: str, trace_ids: Sequence[str]) -> pa.Table:
        rows = self._database.query_arrow(sql, {"traces": ",".join(trace_ids)})
        return _folded(empty(table)) if rows is None else rows

    def _rows(self, table: schema.Table, sql: str, **parameters: str) -> pa.Table:
        rows = self._database.query_arrow(sql, parameters)
        return empty(table) if rows is None else rows

    def _number(self, sql: str, **parameters: str) -> int | None:
        table = self._database.query_arrow(sql, parameters)
        if table is None or not table.num_rows:
            return None
        value = table.column("number")[0].as_py()
        return None if value is None else int(value)

    def _table(self, table: schema.Table) -> str:
        return f"{self._database.name}.{table.name}"


def _hexed(keys: Sequence[Key]) -> str:
    return ",".join(".".join(part.encode().hex() for part in key) for key in keys)


def _columns(table: schema.Table) -> str:
    return ", ".join(f"`{column.name}`" for column in table.columns)


def _folded_columns(table: schema.Table) -> str:
    return ", ".join(f"`{column.name}`" for column in table.columns if column.name in schema.FOLDED)


def _folded(rows: pa.Table) -> pa.Table:
    return rows.select([name for name in rows.column_names if name in schema.FOLDED])
