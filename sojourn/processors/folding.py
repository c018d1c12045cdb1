"""The state of `aggregate`: the shelf of known spans, what is staged until the commit, and the way back from the database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.component import Host
from sojourn.processors.session import METADATA_KEY
from sojourn.schema import FLAGS
from sojourn.sessions.cells import is_record, told_before
from sojourn.sessions.columns import replace, settled_costs
from sojourn.sessions.groups import Groups
from sojourn.sessions.logs import Logs
from sojourn.sessions.missing import name_missing
from sojourn.sessions.order import where
from sojourn.sessions.packed import (
    FACET,
    FACT,
    SPAN_FACET,
    TRACE,
    U64,
    Index,
    Keys,
    Mask,
    Rows,
    column,
    concat,
    copy,
    filled,
    flat,
    hashes,
    owners,
    take,
    trace_keys,
    view,
)
from sojourn.sessions.prices import Prices
from sojourn.sessions.rows import Forgotten, look_up, unpack
from sojourn.sessions.seen import Seen
from sojourn.sessions.shelf import Block, Kept, Shelf
from sojourn.sessions.telling import Telling
from sojourn.sessions.traces import Folded, Shared, Tree, fold
from sojourn.sessions.versions import Versions

LARGE = 10_000
"""A trace with more known spans than this is folded at most once per tick, or a trace that grows by single spans would cost its square."""


@dataclass(slots=True)
class Staged:
    """What becomes of the state with the commit."""

    kept: Kept | None = None
    waiting: dict[bytes, Block] = field(default_factory=dict)
    """New spans of large traces."""
    folded: list[bytes] = field(default_factory=list)
    """Large traces that have waited and are folded now."""
    asked: list[bytes] = field(default_factory=list)
    """Traces that `lifecycle` asked for."""


class Came(NamedTuple):
    """New spans; `trace` of the rows is the place in `keys`."""

    keys: Keys
    facts: Rows
    facets: Rows


@dataclass(slots=True)
class Touched:
    """The traces of a group: their ids, and all their spans, older ones first."""

    keys: Keys
    facts: Rows
    facets: Rows
    fresh: int
    """Rows of `facts` from here on are new."""
    session: U64
    """Hash of the session each trace was counted in last, 0 for none."""
    recalled: Mask
    """Traces that were read back: told again even if nothing is new, since what follows from them may never have been stored."""
    stored: list[tuple[int, int]] = field(default_factory=list)
    """Of those that were read back: traces and sessions to which stored rows give a part of them."""


class Fold:
    def __init__(self, host: Host, prices: Prices, memory: int) -> None:
        assert host.texts is not None
        self._texts, self._history, self._prices = host.texts, host.history, prices
        self._clock, self._versions = host.clock, Versions()
        self._restored = host.history is None
        self._seen: Seen | None = None
        self._shelf = Shelf(memory, self._forget)
        self._came: list[Came] = []
        self._waiting: dict[bytes, list[Block]] = {}
        """New spans of large traces, not folded yet."""
        self._large = False
        """Whether there ever was a large trace: if not, nobody needs to look for them."""
        self._staged: list[Staged] = []
        self._missing: dict[str, Any] = {"missing_id": "none", "gap_attributes": []}
        self._telling = host.telling or Telling()
        self._logs = Logs(host.texts, self._telling)
        self._keys: Keys = np.empty((0, 2), ">u8")
        """Of the traces that are folded now."""

    def take(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Take in new spans; gives the batch with their costs."""
        self._missing = json.loads((records.schema.metadata or {}).get(METADATA_KEY, b'{"missing_id": "none", "gap_attributes": []}'))
        return self._take(records, records.column("TraceId"))

    def take_records(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Take in new log records; gives the batch with their costs."""
        return self._take(records, records.column("_trace"), _traceless(records))

    def _take(self, records: pa.RecordBatch, traces: pa.Array, flags: Any = 0) -> pa.RecordBatch:
        self._restore()
        facts = copy(view(records.column("_fact"), FACT))
        facts["flags"] |= flags
        if self._price(facts, records):
            records = replace(records, settled_costs(facts) | {"_fact": column(facts)})
        facets = _span_facets(records.column("_facets"), facts)
        self._came.append(_of_traces(traces.dictionary, facts, facets))
        return records

    def settle(self) -> pa.RecordBatch | None:
        """Rows for the traces that changed with what was taken in."""
        if not self._came:
            return None
        came = self._set_aside(_together(self._came))
        self._came = []
        return self._fold(came) if len(came.facts) else None

    def _restore(self) -> None:
        """Go on where the stored rows end. Asked for when the first spans come, so that a database that is down delays nothing."""
        if not self._restored:
            assert self._history is not None
            self._versions = Versions(self._history.last_version())
            self._seen = Seen(self._history.newest_arrival())
            self._restored = True

    def due(self) -> pa.RecordBatch | None:
        """Rows for the large traces that have waited, and for those that `lifecycle` asked for."""
        asked = self._telling.asked()
        if not self._waiting and not asked:
            return None
        keys = list(self._waiting)
        waiting = [_alone(key, block) for key, blocks in self._waiting.items() for block in blocks]
        again = Came(np.frombuffer(b"".join(asked), ">u8").reshape(-1, 2), np.empty(0, FACT), np.empty(0, SPAN_FACET))
        self._staged.append(Staged(folded=keys, asked=asked))
        return self._fold(_together([*waiting, again]), again=set(asked))

    def committed(self) -> None:
        for staged in self._staged:
            for key in staged.folded:
                self._waiting.pop(key, None)
            for key, block in staged.waiting.items():
                self._waiting.setdefault(key, []).append(block)
            self._telling.answered(staged.asked)
            if staged.kept is not None:
                self._shelf.put(staged.kept)
        self._staged.clear()

    def discard(self) -> None:
        self._staged.clear()
        self._came.clear()

    def _price(self, facts: Rows, records: pa.RecordBatch) -> bool:
        """Price the model calls that report no cost, in place; tells whether there were any."""
        spent = (facts["input_tokens"] | facts["output_tokens"]) != 0
        which = np.flatnonzero((facts["cost"] < 0) & spent & (facts["model"] != 0))
        if not len(which):
            return False
        provider, model = facts["provider"].take(which), facts["model"].take(which)
        _, first, code = np.unique(provider * np.uint64(3) ^ model, return_index=True, return_inverse=True)
        names = np.stack([provider.take(first), model.take(first)], axis=1).reshape(-1)
        plain = [text or "" for text in look_up(self._texts, names).to_pylist()]
        used = ("start", "input_tokens", "output_tokens", "cache_read", "cache_write")
        ints = [facts[name].take(which).astype(np.int64) for name in used]
        cost = self._prices.costs(list(zip(plain[::2], plain[1::2], strict=True)), code.astype(np.int64), *ints)
        facts["cost"][which] = np.maximum(cost, -1)
        facts["cost_source"][which] = np.where(cost >= 0, 2, 0)
        return True

    def _set_aside(self, came: Came) -> Came:
        """Take out the spans of large traces; they wait for the next tick."""
        if not self._large and not self._waiting:
            return came
        keys, facts, facets = came
        large = np.flatnonzero((self._shelf.get(keys).spans > LARGE) | np.array([key.tobytes() in self._waiting for key in keys], bool))
        if not len(large):
            return came
        mine, own = np.isin(facts["trace"], large), np.isin(facets["trace"], large)
        waiting = {}
        for number in np.unique(facts["trace"][mine]).tolist():
            waiting[keys[number].tobytes()] = Block(facts[facts["trace"] == number], facets[facets["trace"] == number])
        self._staged.append(Staged(waiting=waiting))
        return Came(keys, facts[~mine], facets[~own])

    def _fold(self, came: Came, again: set[bytes] | None = None) -> pa.RecordBatch | None:
        new = np.bincount(came.facts["trace"], minlength=len(came.keys)) > 0
        asked = np.array([key.tobytes() in again for key in came.keys], bool) if again else np.zeros(len(new), bool)
        numbers, self._keys = where(new | asked), came.keys
        touched = self._with_known(came, numbers, asked)
        if not len(touched.facts):
            return None
        try:
            return self._rows(touched, fold(touched.facts, touched.facets, self))
        except Forgotten:
            if self._history is not None:
                touched = self._with_stored(touched, numbers)
            return self._rows(touched, fold(touched.facts, touched.facets, self), lenient=True)

    def _with_known(self, came: Came, numbers: Index, asked: Mask) -> Touched:
        """What the shelf knows of these traces, then what the database knows of those that may have been forgotten."""
        keys, facts, facets = came
        whole = len(numbers) == len(keys)
        known = self._shelf.get(keys if whole else keys[numbers])
        old, old_facets, session = known.facts, known.facets, known.session
        if not whole:
            old["trace"], old_facets["trace"] = numbers.take(old["trace"]), numbers.take(old_facets["trace"])
            session = np.zeros(len(keys), np.uint64)
            session[numbers] = known.session
        touched = Touched(keys, concat(old, facts), concat(old_facets, facets), len(old), session.copy(), asked.copy())
        unknown = numbers.compress(known.spans < 0)
        if self._history is None or not len(unknown):
            return touched
        assert self._seen is not None
        # A root began its trace, and a log trace lies within its minute: if that is news, so is the trace.
        traceless = (facts["flags"] & FLAGS["traceless"]) != 0
        # But one that begins after its arrival has a clock that says nothing.
        root = facts[np.where(is_record(facts), traceless, facts["parent"] == 0) & (facts["start"] <= facts["arrival"])]
        start = np.full(len(keys), -1, np.int64)
        start[root["trace"]] = root["start"]
        maybe = self._seen.maybe(_trace_hashes(keys[unknown]), start.take(unknown)) | asked.take(unknown)
        return self._with_stored(touched, unknown[maybe]) if maybe.any() else touched

    def _with_stored(self, touched: Touched, numbers: Index) -> Touched:
        """Add what the database holds of these traces."""
        assert self._history is not None
        wanted = {touched.keys[number].tobytes().hex(): number for number in numbers.tolist()}
        touched.recalled[numbers] = True
        for table in (self._history.spans(list(wanted)), self._history.records(list(wanted))):
            if len(table):
                facts, facets = self._stored_facts(table, wanted)
                touched.facts, touched.facets = concat(facts, touched.facts), concat(facets, touched.facets)
                touched.fresh += len(facts)
        rows = self._history.trace_rows_of_traces(list(wanted))
        for tenant, project, session, trace, spans in zip(
            *(rows.column(n).to_pylist() for n in ("Tenant", "Project", "SessionId", "TraceId", "Spans")), strict=True
        ):
            code = int(hashes(self._texts, pa.array([f"{tenant}\0{project}\0{session}"]))[0])
            touched.stored.append((wanted[trace], code))
            if spans:
                touched.session[wanted[trace]] = code
        return touched

    def _stored_facts(self, table: pa.Table, wanted: dict[str, int]) -> tuple[Rows, Rows]:
        from sojourn import _native

        batch = table.combine_chunks().to_batches()[0]
        packed = pa.record_batch(_native.facts(batch, self._texts))
        facts = copy(view(packed.column("_fact"), FACT))
        trace = batch.column("TraceId").to_pylist()
        if "LogTrace" in batch.schema.names:
            facts["flags"] |= _traceless(batch)
            trace = [mine or other for mine, other in zip(batch.column("LogTrace").to_pylist(), trace, strict=True)]
        facts["trace"] = [wanted[each] for each in trace]
        return facts, _span_facets(packed.column("_facets"), facts)

    def _rows(self, touched: Touched, folded: Folded, lenient: bool = False) -> pa.RecordBatch | None:
        """Rows for the traces that changed; what the shelf shall hold is staged."""
        groups, cells, traces = folded.groups, folded.cells, folded.traces
        numbers = groups.number.take(groups.first)
        before = touched.session.take(numbers)
        news = np.logical_or.reduceat(groups.order >= touched.fresh, groups.first) | (before != folded.main)
        news |= touched.recalled.take(numbers)
        self._stage(touched.keys, folded, numbers, news)
        told = where(news.take(cells.trace) & (cells.session != 0))
        gone, left_session = self._gone(touched, folded, numbers, before)
        if not len(told) and not len(gone):
            return None
        traces["trace_hi"], traces["trace_lo"] = touched.keys[numbers.take(cells.trace)].T
        left, first = np.zeros(len(gone), TRACE), groups.first.take(gone)
        left["trace_hi"], left["trace_lo"] = touched.keys[numbers.take(gone)].T
        for name in ("start", "end", "arrival"):
            left[name] = folded.facts[name].take(first)
        left["session"], left["deleted"], left["cost"] = left_session, 1, -1
        facets, counts = _facets_of(folded, told, len(gone))
        previews = tuple(np.concatenate([each.take(told), np.zeros(len(gone), np.uint64)]) for each in (folded.input, folded.output))
        rows, version = concat(take(traces, told), left), self._versions.next(self._clock.now())
        return unpack(rows, facets, counts, (previews[0], previews[1]), self._texts, version, lenient)

    def _gone(self, touched: Touched, folded: Folded, numbers: npt.NDArray[np.uint32], before: U64) -> tuple[Index, U64]:
        """Sessions that had part in a trace and have none any more: the places of the traces, and the sessions."""
        groups = folded.groups
        old = groups.order < touched.fresh
        if not touched.stored and not (is_record(folded.facts) & old).any():
            gone = where((before != 0) & (before != folded.main))
            return gone, before.take(gone)
        tree = Tree(groups, folded.facts, groups.member, folded.main, folded.facets, folded.told_by)
        gone, session = told_before(groups, folded.facts, old, before, folded.cells, lambda home: self._logs.continued(tree, home))
        place = {number: at for at, number in enumerate(numbers.tolist())}
        now = set(zip(folded.cells.trace.tolist(), folded.cells.session.tolist(), strict=True)) | set(
            zip(gone.tolist(), session.tolist(), strict=True)
        )
        more = sorted({(place[number], code) for number, code in touched.stored} - now)
        if more:
            gone = np.concatenate([gone, np.array([at for at, _ in more], np.intp)])
            session = np.concatenate([session, np.array([code for _, code in more], np.uint64)])
        return gone, session

    # what a fold asks (sessions.traces.World)

    def ids(self, sessions: U64) -> U64:
        """Hashes of the ids alone behind hashes of sessions."""
        texts = [(text or "").rsplit("\0", 1)[-1] for text in look_up(self._texts, sessions).to_pylist()]
        return hashes(self._texts, pa.array(texts, pa.string()))

    def name_missing(self, main: U64, groups: Groups, facts: Rows, top: Index) -> None:
        if self._missing["missing_id"] != "none" and not main.all():
            keys = self._keys[groups.number.take(groups.first)]
            name_missing(main, take(facts, np.maximum(top, 0)), keys, self._missing, self._texts)

    def involves_records(self, main: U64, facts: Rows) -> bool:
        return self._logs.involved(main, facts)

    def with_records(self, tree: Tree) -> Shared:
        return self._logs.share(tree)

    def _stage(self, keys: Keys, folded: Folded, numbers: npt.NDArray[np.uint32], changed: Mask) -> None:
        groups, facts, facets = folded.groups, folded.facts, folded.facets
        self._large = self._large or bool(groups.sizes.max() > LARGE)
        counts = np.bincount(facets["trace"], minlength=len(keys)).take(numbers) if len(facets) else np.zeros(len(numbers), np.intp)
        kept = Kept(keys[numbers], folded.main, groups.sizes, facts, counts, facets)
        if not changed.all():
            rows, said = where(np.repeat(changed, groups.sizes)), where(np.repeat(changed, counts))
            kept = Kept(
                kept.keys[changed], kept.session[changed], kept.spans[changed], take(facts, rows), counts[changed], take(facets, said)
            )
        self._staged.append(Staged(kept))

    def _forget(self, gone: Keys, newest: int) -> None:
        """Spans of these traces are in the database only from now on."""
        if self._seen is not None:
            self._seen.forget(_trace_hashes(gone), newest)


def _together(parts: list[Came]) -> Came:
    """Several batches of new spans as one."""
    if len(parts) == 1:
        return parts[0]
    keys, number = np.unique(np.concatenate([part.keys for part in parts]).astype(np.uint64), axis=0, return_inverse=True)
    begin = 0
    for part in parts:
        mine = number.reshape(-1)[begin : begin + len(part.keys)].astype(np.uint32)
        part.facts["trace"], part.facets["trace"] = mine.take(part.facts["trace"]), mine.take(part.facets["trace"])
        begin += len(part.keys)
    facts, facets = concat(*(part.facts for part in parts)), concat(*(part.facets for part in parts))
    return Came(keys.astype(">u8"), facts, facets)


def _traceless(records: pa.RecordBatch) -> Any:
    """The flag of the records that belong to a log trace."""
    return filled(records.column("LogTrace")) * np.uint32(FLAGS["traceless"])


def _of_traces(ids: pa.Array, facts: Rows, facets: Rows) -> Came:
    """Rows by the traces they belong to, without those that belong to none."""
    some = filled(ids)
    if some.all():
        return Came(trace_keys(ids), facts, facets)
    number = np.cumsum(some) - 1
    parts = []
    for rows in (facts, facets):
        mine = take(rows, where(some.take(rows["trace"])))
        mine["trace"] = number.take(mine["trace"])
        parts.append(mine)
    return Came(trace_keys(ids), *parts)


def _alone(key: bytes, block: Block) -> Came:
    """Spans of one trace."""
    block.facts["trace"], block.facets["trace"] = 0, 0
    return Came(np.frombuffer(key, ">u8").reshape(1, 2), *block)


def _span_facets(lists: pa.Array, facts: Rows) -> Rows:
    """The facets of new spans, each with the copy of the span it belongs to."""
    values = flat(lists)
    out = np.zeros(len(values), SPAN_FACET)
    if len(values):
        owner, facets = owners(lists), view(values, FACET)
        for name in ("what", "key", "value"):
            out[name] = facets[name]
        for name in ("trace", "span", "digest"):
            out[name] = facts[name].take(owner)
    return out


def _trace_hashes(keys: Keys) -> U64:
    """A number per trace id, for the filter."""
    hi, lo = keys.astype(np.uint64).T
    out: U64 = hi * np.uint64(0x9E3779B97F4A7C15) ^ lo
    return out


def _facets_of(folded: Folded, told: Index, more: int) -> tuple[Rows, npt.NDArray[np.int64]]:
    """The facets of these traces, and how many each has; `more` traces without any follow."""
    counts = folded.facet_counts
    chosen = np.zeros(len(counts), bool)
    chosen[told] = True
    facets = folded.trace_facets
    if len(told) < len(counts):
        facets = take(facets, where(np.repeat(chosen, counts)))
    return facets, np.concatenate([counts.take(told), np.zeros(more, np.int64)])
