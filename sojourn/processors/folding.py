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
from sojourn.sessions.columns import replace, settled_costs
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
from sojourn.sessions.traces import Folded, fold
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

    def take(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Take in new spans; gives the batch with their costs."""
        self._restore()
        self._missing = json.loads((records.schema.metadata or {}).get(METADATA_KEY, b'{"missing_id": "none", "gap_attributes": []}'))
        facts = copy(view(records.column("_fact"), FACT))
        if self._price(facts, records):
            records = replace(records, settled_costs(facts) | {"_fact": column(facts)})
        keys = trace_keys(records.column("TraceId").dictionary)
        self._came.append(Came(keys, facts, _span_facets(records.column("_facets"), facts)))
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
        """Rows for the large traces that have waited."""
        if not self._waiting:
            return None
        keys = list(self._waiting)
        waiting = [_alone(key, block) for key, blocks in self._waiting.items() for block in blocks]
        self._staged.append(Staged(folded=keys))
        return self._fold(_together(waiting))

    def committed(self) -> None:
        for staged in self._staged:
            for key in staged.folded:
                self._waiting.pop(key, None)
            for key, block in staged.waiting.items():
                self._waiting.setdefault(key, []).append(block)
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

    def _fold(self, came: Came) -> pa.RecordBatch | None:
        numbers = np.flatnonzero(np.bincount(came.facts["trace"], minlength=len(came.keys)))
        touched = self._with_known(came, numbers)
        try:
            return self._rows(touched, fold(touched.facts, touched.facets, self._id_of))
        except Forgotten:
            if self._history is not None:
                touched = self._with_stored(touched, numbers)
            return self._rows(touched, fold(touched.facts, touched.facets, self._id_of), lenient=True)

    def _with_known(self, came: Came, numbers: Index) -> Touched:
        """What the shelf knows of these traces, then what the database knows of those that may have been forgotten."""
        keys, facts, facets = came
        whole = len(numbers) == len(keys)
        known = self._shelf.get(keys if whole else keys[numbers])
        old, old_facets, session = known.facts, known.facets, known.session
        if not whole:
            old["trace"], old_facets["trace"] = numbers.take(old["trace"]), numbers.take(old_facets["trace"])
            session = np.zeros(len(keys), np.uint64)
            session[numbers] = known.session
        touched = Touched(keys, concat(old, facts), concat(old_facets, facets), len(old), session.copy(), np.zeros(len(keys), bool))
        unknown = numbers.compress(known.spans < 0)
        if self._history is None or not len(unknown):
            return touched
        assert self._seen is not None
        root = facts[facts["parent"] == 0]
        start = np.full(len(keys), -1, np.int64)
        start[root["trace"]] = root["start"]
        maybe = self._seen.maybe(_trace_hashes(keys[unknown]), start.take(unknown))
        return self._with_stored(touched, unknown[maybe]) if maybe.any() else touched

    def _with_stored(self, touched: Touched, numbers: Index) -> Touched:
        """Add what the database holds of these traces."""
        assert self._history is not None
        wanted = {touched.keys[number].tobytes().hex(): number for number in numbers.tolist()}
        touched.recalled[numbers] = True
        table = self._history.spans(list(wanted))
        if len(table):
            facts, facets = self._stored_facts(table, wanted)
            touched.facts, touched.facets = concat(facts, touched.facts), concat(facets, touched.facets)
            touched.fresh += len(facts)
        rows = self._history.trace_rows_of_traces(list(wanted))
        for tenant, project, session, trace in zip(
            *(rows.column(n).to_pylist() for n in ("Tenant", "Project", "SessionId", "TraceId")), strict=True
        ):
            touched.session[wanted[trace]] = int(hashes(self._texts, pa.array([f"{tenant}\0{project}\0{session}"]))[0])
        return touched

    def _stored_facts(self, table: pa.Table, wanted: dict[str, int]) -> tuple[Rows, Rows]:
        from sojourn import _native

        batch = table.combine_chunks().to_batches()[0]
        packed = pa.record_batch(_native.facts(batch, self._texts))
        facts = copy(view(packed.column("_fact"), FACT))
        trace = batch.column("TraceId")
        facts["trace"] = [wanted[each] for each in trace.to_pylist()]
        return facts, _span_facets(packed.column("_facets"), facts)

    def _rows(self, touched: Touched, folded: Folded, lenient: bool = False) -> pa.RecordBatch | None:
        """Rows for the traces that changed; what the shelf shall hold is staged."""
        groups, traces = folded.groups, folded.traces
        numbers = groups.number.take(groups.first)
        traces["trace_hi"], traces["trace_lo"] = touched.keys[numbers].T
        name_missing(folded, self._missing, self._texts)
        session, before = traces["session"], touched.session.take(numbers)
        news = np.logical_or.reduceat(groups.order >= touched.fresh, groups.first) | (before != session)
        news |= touched.recalled.take(numbers)
        self._stage(touched.keys, folded, numbers, news)
        told, gone = where(news & (session != 0)), where((before != 0) & (before != session))
        if not len(told) and not len(gone):
            return None
        left = np.zeros(len(gone), TRACE)
        for name in ("trace_hi", "trace_lo", "start", "end", "arrival"):
            left[name] = traces[name][gone]
        left["session"], left["deleted"], left["cost"] = before.take(gone), 1, -1
        facets, counts = _facets_of(folded, told, len(gone))
        previews = tuple(np.concatenate([each.take(told), np.zeros(len(gone), np.uint64)]) for each in (folded.input, folded.output))
        rows, version = concat(take(traces, told), left), self._versions.next(self._clock.now())
        return unpack(rows, facets, counts, (previews[0], previews[1]), self._texts, version, lenient)

    def _id_of(self, session: U64) -> U64:
        """Hashes of the ids alone behind hashes of sessions."""
        texts = [(text or "").rsplit("\0", 1)[-1] for text in look_up(self._texts, session).to_pylist()]
        return hashes(self._texts, pa.array(texts, pa.string()))

    def _stage(self, keys: Keys, folded: Folded, numbers: npt.NDArray[np.uint32], changed: Mask) -> None:
        groups, facts, facets = folded.groups, folded.facts, folded.facets
        self._large = self._large or bool(groups.sizes.max() > LARGE)
        counts = np.bincount(facets["trace"], minlength=len(keys)).take(numbers) if len(facets) else np.zeros(len(numbers), np.intp)
        kept = Kept(keys[numbers], folded.traces["session"].copy(), groups.sizes, facts, counts, facets)
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
