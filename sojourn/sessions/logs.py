"""Log records among the spans of traces: whose they are, which calls they tell, which marks they set."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from sojourn.schema import FACETS, FLAGS, KINDS, TELLING
from sojourn.sessions.cells import MARK, Cells, Continued, cells_of, homes, is_record
from sojourn.sessions.groups import find
from sojourn.sessions.lifecycle import I64, NEVER
from sojourn.sessions.order import changes, ordered, spread, where
from sojourn.sessions.packed import TRACE_FACET, U64, Index, Mask, Rows, concat, copy, hashes, take
from sojourn.sessions.rows import look_up
from sojourn.sessions.telling import Pairs, Telling, bits_of, united
from sojourn.sessions.traces import Shared, Tree
from sojourn.sessions.usage import Calls, Records, find_calls, is_model

OWN_CALLS: Final = ("gemini_cli.api_response", "claude_code.api_request", "codex.sse_event")
"""Events by which command-line agents tell calls: where a service has them, its generic ones say nothing."""
OWN_SCOPE: Final = "sojourn"
"""What we tell ourselves and gets back to us is stored, but it is no news."""
SPAN, TOOL = KINDS.index("span"), KINDS.index("tool")
_FIGURES: Final = ("input_tokens", "output_tokens", "cache_read", "cache_write", "reasoning")


class Said(NamedTuple):
    """Records that tell calls of models or tools: what each makes known of its service."""

    rows: Index
    service: U64
    bits: U64


class Logs:
    """Reads the records of arranged traces."""

    def __init__(self, texts: Any, telling: Telling) -> None:
        self._texts, self._telling = texts, telling
        self._own = hashes(texts, pa.array(OWN_CALLS))
        self._scope, self._start, self._end = hashes(texts, pa.array([OWN_SCOPE, "session.start", "session.end"])).tolist()

    def involved(self, main: U64, facts: Rows) -> bool:
        """Whether there are records or marks, or a session whose calls records tell."""
        special = np.uint32(FLAGS["record"]) | MARK
        return bool((facts["flags"] & special).any()) or bool(self._telling.among(main))

    def share(self, tree: Tree) -> Shared:
        """Cut traces into what belongs to each session, and find the calls of all of it together."""
        facts, main = tree.facts, tree.main
        record = is_record(facts)
        silent = record & (((facts["flags"] & MARK) != 0) | (facts["scope"] == self._scope))
        home = homes(facts, record, main.take(tree.groups.member))
        call, tool = self._tellings(facts, record & ~silent & (home != 0))
        continued = self.continued(facts, tree.facets, tree.told_by, home)
        said = self._said(facts, where(call | tool))
        known = self._known(said, home, np.concatenate([main, continued[1]]))
        bits = np.zeros(len(facts), np.uint8)
        asked = where(~record | call)
        bits[asked] = bits_of(home.take(asked), facts["service"][asked], known)
        quiet = ~record & ((home == 0) | ((bits & TELLING["calls"]) != 0))
        told = call.copy()
        generic = where(call & ((bits & TELLING["own"]) != 0))
        told[generic] = np.isin(facts["name"][generic], self._own)
        records = Records(record, told, self._named(tree, record), quiet & is_model(facts) & ((facts["flags"] & FLAGS["usage"]) != 0))
        silenced = _silenced(facts, ~record, quiet)
        calls = find_calls(tree.groups, silenced, tree.up, records)
        cells = cells_of(tree.groups, facts, record, home, silent, continued)
        muted = ~record & (facts["kind"] == TOOL) & ((bits & TELLING["tools"]) != 0)
        notes, noted = self._notes(tree, cells, known, said)
        return Shared(cells, _within(calls, cells), _at_cells(muted, cells), notes, noted)

    def _tellings(self, facts: Rows, counted: Mask) -> tuple[Mask, Mask]:
        """Records that tell a call of a model, and records that tell one of a tool."""
        usage = (facts["flags"] & FLAGS["usage"]) != 0
        return counted & is_model(facts) & usage, counted & (facts["kind"] == TOOL)

    def _known(self, said: Said, home: U64, sessions: U64) -> Pairs:
        """Who tells what, by what is remembered of these sessions and those of the rows, and by these records."""
        remembered = self._telling.among(_runs(sessions)) | self._telling.among(_runs(home))
        told = [(session, *pair) for session in remembered for pair in self._telling.of(session).items()]
        before = np.array(told, np.uint64).reshape(-1, 3).T
        now = united(home.take(said.rows), said.service, said.bits)
        return Pairs(*united(*(np.concatenate(columns) for columns in zip(before, now, strict=True))) if len(told) else now)

    def _said(self, facts: Rows, rows: Index) -> Said:
        """What these records make known of their services; those that make nothing known are left out."""
        own = np.isin(facts["name"][rows], self._own)
        traceless = (facts["flags"][rows] & FLAGS["traceless"]) != 0
        calls = np.where(own, TELLING["calls"] | TELLING["own"], np.where(traceless, TELLING["calls"], 0))
        bits = np.where(facts["kind"][rows] == TOOL, TELLING["tools"], calls).astype(np.uint64)
        some = bits != 0
        rows, bits = rows.compress(some), bits.compress(some)
        return Said(rows, facts["service"][rows], bits)

    def _named(self, tree: Tree, record: Mask) -> Index:
        """The span that each record names."""
        out = np.full(len(record), -1, np.intp)
        if record.all():
            return out
        rows = where(record & (tree.facts["parent"] != 0))
        if len(rows):
            facts = tree.facts
            found = find(tree.groups, facts["span"], tree.groups.number.take(rows), facts["parent"][rows])
            out[rows] = np.where((found >= 0) & ~record.take(np.maximum(found, 0)), found, -1)
        return out

    def continued(self, facts: Rows, facets: Rows, told_by: Index, home: U64) -> Continued:
        """Rows that say that their session, of which `home` is the hash, continues another one. `told_by` is the row of each facet."""
        some = where(facets["what"] == FACETS["previous_id"])
        rows = told_by.take(some)
        start = (facts["flags"][rows] & FLAGS["session_start"]) != 0
        start &= (home.take(rows) != 0) & (facts["scope"][rows] != self._scope)
        rows, some = rows.compress(start), some.compress(start)
        if not len(rows):
            return rows, np.empty(0, np.uint64)
        names = look_up(self._texts, home.take(rows)).to_pylist()
        heads = [(name or "").rsplit("\0", 1) for name in names]
        told = look_up(self._texts, facets["value"][some]).to_pylist()
        others = ["" if not text or head[-1] == text else f"{head[0]}\0{text}" for head, text in zip(heads, told, strict=True)]
        session = hashes(self._texts, pa.array(others, pa.string()))
        named = session != 0
        return rows.compress(named), session.compress(named)

    def _notes(self, tree: Tree, cells: Cells, known: Pairs, said: Said) -> tuple[Rows, Index]:
        """What is noted about cells, and the cell of each."""
        parts = [self._prompts(cells), *self._marks(tree, cells), _tellers(cells, said), _muted(cells, known)]
        return concat(*(rows for rows, _ in parts)), np.concatenate([member for _, member in parts])

    def _prompts(self, cells: Cells) -> tuple[Rows, Index]:
        """Prompts, each with the last time of a record of its cell before it."""
        facts, member = cells.facts, cells.groups.member
        rows = where(((facts["flags"] & FLAGS["prompt"]) != 0) & cells.live & ~cells.span)
        out = _noted("prompt", facts, rows)
        if len(rows):
            out["at"], out["value"] = facts["start"][rows], facts["input"][rows]
            out["key"] = _time_before(cells, rows)
        return out, member.take(rows)

    def _marks(self, tree: Tree, cells: Cells) -> list[tuple[Rows, Index]]:
        """Ends of sessions, by records, by spans and by their events."""
        facts, member = cells.facts, cells.groups.member
        copied = np.zeros(len(facts), bool)
        copied[cells.continued] = True
        theirs = facts["scope"] != self._scope
        ended = where(((facts["flags"] & FLAGS["session_end"]) != 0) & theirs & ~copied & is_record(facts))
        ends = _noted("end_mark", facts, ended)
        ends["at"] = facts["end"][ended]
        goes_on = _noted("continued_mark", facts, cells.continued)
        goes_on["at"] = self._begun(tree).take(cells.source.take(cells.continued))
        return [(ends, member.take(ended)), (goes_on, member.take(cells.continued)), self._previous(tree, cells), self._events(tree, cells)]

    def _previous(self, tree: Tree, cells: Cells) -> tuple[Rows, Index]:
        """Which session each one says that it continues."""
        facets = where(tree.facets["what"] == FACETS["previous_id"])
        rows = tree.told_by.take(facets)
        begins = (tree.facts["flags"][rows] & FLAGS["session_start"]) != 0
        begins &= (tree.facts["scope"][rows] != self._scope) & (cells.place.take(rows) >= 0)
        rows, facets = rows.compress(begins), facets.compress(begins)
        out = _noted("previous_id", tree.facts, rows)
        if len(rows):
            out["at"], out["value"] = self._begun(tree).take(rows), tree.facets["value"][facets]
        return out, cells.groups.member.take(cells.place.take(rows))

    def _begun(self, tree: Tree) -> I64:
        """When a session begins by each row: at the time of the record, or of the span's first event that says so."""
        out = tree.facts["start"].copy()
        facets = where((tree.facets["what"] == FACETS["mark"]) & (tree.facets["key"] == self._start))
        if len(facets):
            rows = tree.told_by.take(facets)
            out[rows] = NEVER
            np.minimum.at(out, rows, self._times(tree.facets["value"][facets]))
        return out

    def _times(self, codes: U64) -> I64:
        return np.array([int(text or 0) for text in look_up(self._texts, codes).to_pylist()], np.int64)

    def _events(self, tree: Tree, cells: Cells) -> tuple[Rows, Index]:
        """Spans, and events of spans, that end a session."""
        facets = where((tree.facets["what"] == FACETS["mark"]) & (tree.facets["key"] == self._end))
        place = cells.place.take(tree.told_by.take(facets))
        facets, place = facets.compress(place >= 0), place.compress(place >= 0)
        out = _noted("end_mark", cells.facts, place)
        out["at"] = self._times(tree.facets["value"][facets])
        return out, cells.groups.member.take(place)


def _time_before(cells: Cells, rows: Index) -> I64:
    """For each of these records the last time of a record of its cell before its own, 0 for none."""
    member, start, cell = cells.groups.member, cells.facts["start"], cells.groups.member.take(rows)
    if not changes(cell).all():
        return _times_before(cells, np.bincount(cell, minlength=cells.groups.count) > 0).take(rows)
    until = np.zeros(cells.groups.count, np.int64)  # mostly there is one in a cell, and nothing has to be sorted
    until[cell] = start.take(rows)
    earlier = cells.live & ~cells.span & (start < until.take(member))
    return np.asarray(np.maximum.reduceat(np.where(earlier, start, 0), cells.groups.first).take(cell))


def _times_before(cells: Cells, mine: Mask) -> I64:
    """The same for every row that is a record of these cells."""
    rows = where(cells.live & ~cells.span & mine.take(cells.groups.member))
    start, member = cells.facts["start"][rows], cells.groups.member.take(rows)
    by, _ = ordered(member, cells.groups.count, spread(start - start.min()), start)
    start, member = start.take(by), member.take(by)
    first = np.maximum.accumulate(np.where(changes(member, start), np.arange(len(rows)), 0))  # of those with one time
    same = member.take(first - 1) == member
    out = np.zeros(len(cells.facts), np.int64)
    out[rows.take(by)] = np.where((first > 0) & same, start.take(first - 1), 0)
    return out


def _runs(values: U64) -> U64:
    """The values without those that repeat the one before."""
    return values.compress(changes(values))


def _tellers(cells: Cells, said: Said) -> tuple[Rows, Index]:
    """Which services tell calls in these records, once for each cell."""
    place = cells.place.take(said.rows)
    some = place >= 0
    return _listed(
        "telling", *united(cells.groups.member.take(place.compress(some)), said.service.compress(some), said.bits.compress(some))
    )


def _listed(what: str, cell: Index, service: U64, bits: U64) -> tuple[Rows, Index]:
    out = np.zeros(len(cell), TRACE_FACET)
    out["what"], out["key"], out["value"] = FACETS[what], bits, service
    return out, cell


def _noted(what: str, facts: Rows, rows: Index) -> Rows:
    out = np.zeros(len(rows), TRACE_FACET)
    out["what"], out["span"] = FACETS[what], facts["span"][rows]
    return out


def _muted(cells: Cells, known: Pairs) -> tuple[Rows, Index]:
    """With what knowledge of its session each cell was folded."""
    session, service, bits = known
    begin, end = np.searchsorted(session, cells.session), np.searchsorted(session, cells.session, "right")
    counts = end - begin
    cell = np.repeat(np.arange(len(counts)), counts)
    at = np.arange(len(cell)) - np.repeat(counts.cumsum() - counts, counts) + np.repeat(begin, counts)
    return _listed("muted", cell, service.take(at), bits.take(at))


def _silenced(facts: Rows, span: Mask, quiet: Mask) -> Rows:
    """The rows, of which these quiet spans tell no calls; a copy, since what is a call's is completed in place."""
    if not span.any():
        return facts
    out = copy(facts)
    rows = where(span & quiet)
    if len(rows):
        model = rows.compress(is_model(facts[rows]))
        out["kind"][model] = SPAN
        for name in _FIGURES:
            out[name][rows] = 0
        out["cost"][rows], out["cost_source"][rows] = -1, 0
        out["flags"][rows] &= ~np.uint32(FLAGS["usage"])
    return out


def _within(calls: Calls, cells: Cells) -> Calls:
    """Calls by the rows of the cells, sorted by cell."""
    counted = cells.place.take(calls.counted)
    some = where(counted >= 0)
    some = some.take(np.argsort(counted.take(some)))
    twice = calls.told_twice.compress(np.isin(calls.told_twice, calls.counted)) if len(calls.told_twice) else calls.told_twice
    rest = (cells.place.take(rows) for rows in (calls.refused, twice, calls.limited))
    refused, twice, limited = (np.sort(rows.compress(rows >= 0)) for rows in rest)
    return Calls(counted.take(some), refused, take(calls.used, some), twice, limited)


def _at_cells(mask: Mask, cells: Cells) -> Mask:
    """A mask of the traces' rows by the rows of the cells."""
    out = np.zeros(len(cells.facts), bool)
    rows = where(mask & (cells.place >= 0))
    out[cells.place.take(rows)] = True
    return out
