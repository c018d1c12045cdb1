"""The state of `aggregate`: the shelf of known spans, what is staged until the commit, and the way back from the database."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.component import Host
from sojourn.processors.session import METADATA_KEY
from sojourn.sessions.blocks import Block, Known, entries, join
from sojourn.sessions.columns import replace, settled_costs
from sojourn.sessions.missing import name_missing
from sojourn.sessions.packed import FACET, FACT, SPAN_FACET, TRACE, U64, Index, Rows, column, concat, copy, flat, hashes, owners, view
from sojourn.sessions.prices import Prices
from sojourn.sessions.rows import Forgotten, look_up, unpack
from sojourn.sessions.seen import Seen
from sojourn.sessions.shelf import Shelf
from sojourn.sessions.traces import Folded, fold
from sojourn.sessions.versions import Versions

LARGE = 10_000
"""A trace with more known spans than this is folded at most once per tick, or a trace that grows by single spans would cost its square."""


@dataclass(slots=True)
class Staged:
    """What becomes of the state with the commit."""

    known: dict[str, Known] = field(default_factory=dict)
    size: int = 0
    """Bytes of the blocks in `known`."""
    waiting: dict[str, Block] = field(default_factory=dict)
    """New spans of large traces."""
    folded: list[str] = field(default_factory=list)
    """Large traces that have waited and are folded now."""


@dataclass(slots=True)
class Touched:
    """The traces of a group: their ids, and all their spans, older ones first."""

    ids: list[str]
    facts: Rows
    facets: Rows
    fresh: int
    """Rows of `facts` from here on are new."""
    session: dict[int, int] = field(default_factory=dict)
    """Trace number → hash of the session it was counted in last."""
    recalled: list[int] = field(default_factory=list)
    """Traces that were read back: told again even if nothing is new, since what follows from them may never have been stored."""


class Fold:
    def __init__(self, host: Host, prices: Prices, memory: int) -> None:
        assert host.texts is not None
        self._texts, self._history, self._prices = host.texts, host.history, prices
        self._clock, self._versions = host.clock, Versions()
        self._restored = host.history is None
        self._seen: Seen | None = None
        self._shelf: Shelf[str, Known] = Shelf(memory, self._forget)
        self._waiting: dict[str, list[Block]] = {}
        """New spans of large traces, not folded yet."""
        self._large = False
        """Whether there ever was a large trace: if not, nobody needs to look for them."""
        self._staged: list[Staged] = []
        self._missing: dict[str, Any] = {"missing_id": "none", "gap_attributes": []}

    def spans(self, records: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch | None]:
        """New spans: the batch with their costs, and rows for the traces that changed."""
        self._restore()
        self._missing = json.loads((records.schema.metadata or {}).get(METADATA_KEY, b'{"missing_id": "none", "gap_attributes": []}'))
        facts = copy(view(records.column("_fact"), FACT))
        if self._price(facts, records):
            records = replace(records, settled_costs(facts) | {"_fact": column(facts)})
        ids = records.column("TraceId").dictionary.to_pylist()
        facets = _span_facets(records.column("_facets"), facts)
        facts, facets = self._set_aside(ids, facts, facets)
        return records, self._fold(ids, facts, facets) if len(facts) else None

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
        ids = list(self._waiting)
        blocks = [(number, block) for number, key in enumerate(ids) for block in self._waiting[key]]
        facts, facets = concat(*(block.facts for _, block in blocks)), concat(*(block.facets for _, block in blocks))
        numbers = np.array([number for number, _ in blocks], np.uint32)
        facts["trace"] = np.repeat(numbers, [len(block.facts) for _, block in blocks])
        facets["trace"] = np.repeat(numbers, [len(block.facets) for _, block in blocks])
        self._staged.append(Staged(folded=ids))
        return self._fold(ids, facts, facets)

    def committed(self) -> None:
        for staged in self._staged:
            for key in staged.folded:
                self._waiting.pop(key, None)
            for key, block in staged.waiting.items():
                self._waiting.setdefault(key, []).append(block)
            if staged.known:
                self._shelf.put(staged.known, staged.size)
        self._staged.clear()

    def discard(self) -> None:
        self._staged.clear()

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

    def _set_aside(self, ids: list[str], facts: Rows, facets: Rows) -> tuple[Rows, Rows]:
        """Take out the spans of large traces; they wait for the next tick."""
        if not self._large and not self._waiting:
            return facts, facets
        numbers = np.flatnonzero(np.bincount(facts["trace"], minlength=len(ids))).tolist()
        known = self._shelf.get([ids[number] for number in numbers])
        large = [n for n, each in zip(numbers, known, strict=True) if (each and each.end - each.first > LARGE) or ids[n] in self._waiting]
        if not large:
            return facts, facets
        waiting = {ids[n]: Block(facts[facts["trace"] == n], facets[facets["trace"] == n]) for n in large}
        self._staged.append(Staged(waiting=waiting))
        return facts[~np.isin(facts["trace"], large)], facets[~np.isin(facets["trace"], large)]

    def _fold(self, ids: list[str], facts: Rows, facets: Rows) -> pa.RecordBatch | None:
        numbers = np.flatnonzero(np.bincount(facts["trace"], minlength=len(ids))).astype(np.uint32)
        touched = self._with_known(ids, numbers, facts, facets)
        try:
            return self._rows(touched, fold(touched.facts, touched.facets, self._id_of))
        except Forgotten:
            if self._history is not None:
                touched = self._with_stored(touched, numbers)
            return self._rows(touched, fold(touched.facts, touched.facets, self._id_of), lenient=True)

    def _with_known(self, ids: list[str], numbers: npt.NDArray[np.uint32], facts: Rows, facets: Rows) -> Touched:
        """What the shelf knows of these traces, then what the database knows of those that may have been forgotten."""
        plain = numbers.tolist()
        found = self._shelf.get([ids[number] for number in plain])
        known = [(number, each) for number, each in zip(plain, found, strict=True) if each]
        old, old_facets = join(known) if known else (facts[:0], facets[:0])
        touched = Touched(
            ids, concat(old, facts), concat(old_facets, facets), len(old), {n: each.session for n, each in known if each.session}
        )
        unknown = numbers if not known else np.array([n for n, each in zip(plain, found, strict=True) if not each], np.uint32)
        if self._history is None or not len(unknown):
            return touched
        assert self._seen is not None
        root = facts[(facts["parent"] == 0) & np.isin(facts["trace"], unknown)]
        start = np.full(len(ids), -1, np.int64)
        start[root["trace"]] = root["start"]
        maybe = self._seen.maybe(_trace_hashes([ids[number] for number in unknown.tolist()]), start.take(unknown))
        return self._with_stored(touched, unknown[maybe]) if maybe.any() else touched

    def _with_stored(self, touched: Touched, numbers: npt.NDArray[np.uint32]) -> Touched:
        """Add what the database holds of these traces."""
        assert self._history is not None
        wanted = {touched.ids[number]: number for number in numbers.tolist()}
        touched.recalled += wanted.values()
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
        groups = folded.groups
        numbers = groups.number.take(groups.first)
        session = folded.traces["session"]
        name_missing(session, folded, touched.ids, numbers, self._missing, self._texts)
        before = np.zeros(len(numbers), np.uint64)
        if touched.session:
            before[:] = [touched.session.get(number, 0) for number in numbers.tolist()]
        news = np.logical_or.reduceat(groups.order >= touched.fresh, groups.first) | (before != session)
        if touched.recalled:
            news |= np.isin(numbers, touched.recalled)
        self._stage(touched.ids, folded, numbers, np.flatnonzero(news))
        ids = _split(touched.ids, numbers, folded.traces)
        told, gone = np.flatnonzero(news & (session != 0)), np.flatnonzero((before != 0) & (before != session))
        if not len(told) and not len(gone):
            return None
        left = np.zeros(len(gone), TRACE)
        for name in ("trace_hi", "trace_lo", "start", "end", "arrival"):
            left[name] = folded.traces[name][gone]
        left["session"], left["deleted"], left["cost"] = before.take(gone), 1, -1
        facets, counts = _facets_of(folded, told, len(gone))
        previews = tuple(np.concatenate([each.take(told), np.zeros(len(gone), np.uint64)]) for each in (folded.input, folded.output))
        names = ids if len(told) == len(ids) and not len(gone) else [ids[at] for at in np.concatenate([told, gone]).tolist()]
        rows, version = concat(folded.traces[told], left), self._versions.next(self._clock.now())
        return unpack(rows, facets, counts, names, (previews[0], previews[1]), self._texts, version, lenient)

    def _id_of(self, session: U64) -> U64:
        """Hashes of the ids alone behind hashes of sessions."""
        texts = [(text or "").rsplit("\0", 1)[-1] for text in look_up(self._texts, session).to_pylist()]
        return hashes(self._texts, pa.array(texts, pa.string()))

    def _stage(self, ids: list[str], folded: Folded, numbers: npt.NDArray[np.uint32], changed: Index) -> None:
        self._large = self._large or bool(folded.groups.sizes.max() > LARGE)
        block = Block(folded.facts, folded.facets)
        known = entries(block, folded.groups, folded.traces["session"], changed)
        names = [ids[number] for number in numbers.take(changed).tolist()]
        self._staged.append(Staged(dict(zip(names, known, strict=True)), size=block.facts.nbytes + block.facets.nbytes))

    def _forget(self, gone: Any) -> None:
        """Spans of these traces are in the database only from now on."""
        if self._seen is not None:
            newest = int(join([(0, known) for known in gone.values()])[0]["arrival"].max())
            self._seen.forget(_trace_hashes(list(gone)), newest)


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


def _trace_hashes(ids: list[str]) -> U64:
    """A number per trace id, for the filter."""
    halves = np.frombuffer(bytes.fromhex("".join(ids)), ">u8").astype(np.uint64).reshape(-1, 2)
    out: U64 = halves[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ halves[:, 1]
    return out


def _split(ids: list[str], numbers: npt.NDArray[np.uint32], traces: Rows) -> list[str]:
    """The ids of the traces, as text; as two numbers they go into the rows."""
    names = [ids[number] for number in numbers.tolist()]
    halves = np.frombuffer(bytes.fromhex("".join(names)), ">u8").astype(np.uint64).reshape(-1, 2)
    traces["trace_hi"], traces["trace_lo"] = halves[:, 0], halves[:, 1]
    return names


def _facets_of(folded: Folded, told: Index, more: int) -> tuple[Rows, npt.NDArray[np.int64]]:
    """The facets of these traces, and how many each has; `more` traces without any follow."""
    counts = folded.facet_counts
    chosen = np.zeros(len(counts), bool)
    chosen[told] = True
    return folded.trace_facets[np.repeat(chosen, counts)], np.concatenate([counts.take(told), np.zeros(more, np.int64)])
