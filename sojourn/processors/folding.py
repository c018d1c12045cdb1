"""How `aggregate` folds a group: prices, traces that are touched, what is staged until the commit, and the rows that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.component import Batch, Host
from sojourn.processors.burying import Burials
from sojourn.processors.coming import Came, alone, facets_of, of_traces, span_facets, together, traceless
from sojourn.processors.recalling import Recall, Touched
from sojourn.schema import FACETS, FLAGS, MEASURES
from sojourn.sessions.cells import SHARING, homes, is_record, told_before
from sojourn.sessions.columns import REPORTED, replace, repriced, settled_costs
from sojourn.sessions.groups import Groups
from sojourn.sessions.logs import Logs
from sojourn.sessions.missing import name_missing
from sojourn.sessions.order import where
from sojourn.sessions.packed import (
    FACT,
    SPAN_FACET,
    TRACE,
    TRACE_FACET,
    U64,
    Index,
    Keys,
    Mask,
    Rows,
    column,
    concat,
    copy,
    hashes,
    take,
    view,
)
from sojourn.sessions.prices import Prices
from sojourn.sessions.rows import Forgotten, look_up, unpack
from sojourn.sessions.shelf import Block, Kept
from sojourn.sessions.telling import Telling, Trace
from sojourn.sessions.traces import Folded, Shared, Tree, fold
from sojourn.sessions.versions import Versions

if TYPE_CHECKING:
    from sojourn.storage.history import History

AMPLE = 1 << 40
"""Bytes of a shelf from which nothing goes."""
LARGE = 1_000
"""A trace with more known spans than this is folded at most once per tick, or a trace that grows by single spans would cost its square:
until then its fold costs less than the rest of a group does."""


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
    again: Keys | None = None
    """Traces that went with a deleted session: of what other sessions have of them something else may count now."""
    conflicts: int = 0
    """New spans whose session id lost against that of their trace."""


class Fold:
    def __init__(self, host: Host, prices: Prices, memory: int, measures: Mapping[str, str] | None = None) -> None:
        """`measures` tell by their names how they come about (`schema.MEASURES`)."""
        assert host.texts is not None
        self._texts, self._prices = host.texts, prices
        self._clock, self._versions = host.clock, Versions()
        self._telling = host.telling or Telling()
        self._recall = Recall(host, memory, self._telling.tenants)
        self._came: list[Came] = []
        self._waiting: dict[bytes, list[Block]] = {}
        """New spans of large traces, not folded yet."""
        self._burials = Burials(host.texts, self._recall, self._telling)
        self._large = False
        """Whether there ever was a large trace: if not, nobody needs to look for them."""
        self._staged: list[Staged] = []
        self._missing = self._telling.missing
        self.conflicts = 0
        """Spans, since the start, whose session id lost against that of their trace."""
        self._measures = measures or {}
        names = hashes(host.texts, pa.array(list(self._measures), pa.string()))
        self.measures: Mapping[int, int] = dict(zip(names.tolist(), map(MEASURES.index, self._measures.values()), strict=True))
        self._logs = Logs(host.texts, self._telling)
        self._keys: Keys = np.empty((0, 3), ">u8")
        """Of the traces that are folded now."""

    def take(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Take in new spans; gives the batch with their costs."""
        return self._take(records, records.column("TraceId"))

    def take_records(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """Take in new log records; gives the batch with their costs."""
        return self._take(records, records.column("_trace"), traceless(records))

    def take_stored(self, history: History, traces: Sequence[Trace], reprice: bool = False) -> pa.RecordBatch | None:
        """Take in all that is stored of these traces, as if it came now; gives what costs something else now, if that is asked for."""
        facts, facets = self._recall.read(history, {trace: number for number, trace in enumerate(traces)})
        orders = self._reprice(facts, traces) if reprice and len(facts) else None
        if len(facts):
            self._came.append(Came(self._recall.keys_of(traces), facts, facets))
        return orders

    def _reprice(self, facts: Rows, traces: Sequence[Trace]) -> pa.RecordBatch | None:
        """Price again, in place, all that reports no cost: an order (component.REPRICE) for what costs something else now."""
        before = facts["cost"].copy()
        silent = facts["cost_source"] != REPORTED
        facts["cost"][silent], facts["cost_source"][silent] = -1, 0
        self._price(facts)
        return repriced(take(facts, where(facts["cost"] != before)), traces)

    def _restore(self) -> None:
        stored = self._recall.restore()
        if stored is not None:
            self._versions = Versions(stored)
            self._burials.again()

    def _take(self, records: pa.RecordBatch, traces: pa.Array, flags: Any = 0) -> pa.RecordBatch:
        self._restore()
        facts = copy(view(records.column("_fact"), FACT))
        facts["flags"] |= flags
        records, facts = self._burials.living(records, traces, facts)
        if self._price(facts):
            records = replace(records, settled_costs(facts) | {"_fact": column(facts)})
        facets = span_facets(records.column("_facets"), facts)
        tenants = self._telling.tenants.of_traces(records.column("Tenant"), facts, len(traces.dictionary), self._texts)
        self._came.append(of_traces(traces.dictionary, tenants, facts, facets))
        return records

    def settle(self) -> pa.RecordBatch | None:
        """Rows for the traces that changed with what was taken in."""
        if not self._came:
            return None
        came = self._set_aside(together(self._came))
        self._came = []
        return self._fold(came) if len(came.facts) else None

    def due(self) -> pa.RecordBatch | None:
        """Rows for the large traces that have waited, and for those that `lifecycle` asked for."""
        asked = self._telling.asked()
        if not self._waiting and not asked:
            return None
        keys = list(self._waiting)
        waiting = [alone(key, block) for key, blocks in self._waiting.items() for block in blocks]
        again = Came(np.frombuffer(b"".join(asked), ">u8").reshape(-1, 3), np.empty(0, FACT), np.empty(0, SPAN_FACET))
        self._staged.append(Staged(folded=keys, asked=asked))
        return self._fold(together([*waiting, again]), again=set(asked))

    def orders(self) -> list[Batch]:
        """What follows from it if traces turned out to be of deleted sessions."""
        return self._burials.orders()

    def committed(self) -> None:
        self._telling.graves.committed()
        for staged in self._staged:
            for key in staged.folded:
                self._waiting.pop(key, None)
            for key, block in staged.waiting.items():
                self._waiting.setdefault(key, []).append(block)
            self._telling.answered(staged.asked)
            if staged.again is not None:
                self._telling.ask(staged.again)
            self.conflicts += staged.conflicts
            if staged.kept is not None:
                self._recall.put(staged.kept)
        self._staged.clear()

    def discard(self) -> None:
        self._staged.clear()
        self._came.clear()
        self._burials.discard()

    def _price(self, facts: Rows) -> bool:
        """Price the model calls that report no cost, in place; tells whether there were any."""
        spent = (facts["input_tokens"] | facts["output_tokens"]) != 0
        which = np.flatnonzero((facts["cost"] < 0) & spent & (facts["model"] != 0))
        if not len(which):
            return False
        provider, model = facts["provider"][which], facts["model"][which]
        _, first, code = np.unique(provider * np.uint64(3) ^ model, return_index=True, return_inverse=True)
        names = np.stack([provider.take(first), model.take(first)], axis=1).reshape(-1)
        plain = [text or "" for text in look_up(self._texts, names).to_pylist()]
        used = ("start", "input_tokens", "output_tokens", "cache_read", "cache_write")
        ints = [facts[name][which].astype(np.int64) for name in used]
        cost = self._prices.costs(list(zip(plain[::2], plain[1::2], strict=True)), code.astype(np.int64), *ints)
        facts["cost"][which] = np.maximum(cost, -1)
        facts["cost_source"][which] = np.where(cost >= 0, 2, 0)
        return True

    def _set_aside(self, came: Came) -> Came:
        """Take out the spans of large traces; they wait for the next tick."""
        if not self._large and not self._waiting:
            return came
        keys, facts, facets = came
        waits = np.array([key.tobytes() in self._waiting for key in keys], bool)
        rest = where(~waits)  # what waits already is not asked for its size: its spans would be taken out of the shelf to be counted
        waits[rest] = self._recall.sizes(keys[rest]) > LARGE
        large = where(waits)
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
        touched = self._burials.alive(self._recall.known(came, numbers, asked))
        if not len(touched.facts):
            lost = _lost(touched)
            return self._unpacked(lost, np.empty(0, TRACE_FACET), np.zeros(len(lost), np.int64)) if len(lost) else None
        try:
            return self._rows(touched, fold(touched.facts, touched.facets, self))
        except Forgotten:
            if self._recall.possible:
                touched = self._burials.alive(self._recall.stored(touched, numbers))
            return self._rows(touched, fold(touched.facts, touched.facets, self), lenient=True)

    def _rows(self, touched: Touched, folded: Folded, lenient: bool = False) -> pa.RecordBatch | None:
        """Rows for the traces that changed; what the shelf shall hold is staged."""
        groups, cells, traces = folded.groups, folded.cells, folded.traces
        numbers = groups.number.take(groups.first)
        before = touched.session.take(numbers)
        news = np.logical_or.reduceat(groups.order >= touched.fresh, groups.first) | (before != folded.main)
        news |= touched.recalled.take(numbers)
        self._stage(touched.keys, folded, numbers, news)
        self._staged[-1].conflicts = _conflicts(folded, touched.fresh)
        late, again = self._burials.late(touched, folded, numbers, self.next_version)
        if again is not None:
            self._staged.append(Staged(again=again))
        told = where(news.take(cells.trace) & (cells.session != 0) & ~late)
        gone, left_session = self._gone(touched, folded, numbers, before)
        lost = _lost(touched)
        if not len(told) and not len(gone) and not len(lost):
            return None
        traces["trace_hi"], traces["trace_lo"] = touched.keys[numbers.take(cells.trace), :2].T
        left, first = np.zeros(len(gone), TRACE), groups.first.take(gone)
        left["trace_hi"], left["trace_lo"] = touched.keys[numbers.take(gone), :2].T
        for name in ("start", "end", "arrival"):
            left[name] = folded.facts[name][first]
        left["session"], left["deleted"], left["cost"] = left_session, 1, -1
        facets, counts = _facets_of(folded, told, len(gone) + len(lost))
        previews = tuple(each.take(told) for each in (folded.input, folded.output))
        return self._unpacked(concat(take(traces, told), left, lost), facets, counts, previews, lenient)

    def _unpacked(
        self, rows: Rows, facets: Rows, counts: npt.NDArray[np.int64], previews: tuple[U64, ...] = (), lenient: bool = False
    ) -> pa.RecordBatch:
        """Trace rows as a batch; the last ones have no previews."""
        said = [np.concatenate([each, np.zeros(len(rows) - len(each), np.uint64)]) for each in previews or (np.empty(0, np.uint64),) * 2]
        return unpack(rows, facets, counts, (said[0], said[1]), self._texts, self._versions.next(self._clock.now()), lenient)

    def _gone(self, touched: Touched, folded: Folded, numbers: npt.NDArray[np.uint32], before: U64) -> tuple[Index, U64]:
        """Sessions that had part in a trace and have none any more: the places of the traces, and the sessions."""
        sharing = touched.stored or (touched.facts["flags"] & SHARING).any()
        if not sharing or not (touched.fresh or before.any()):
            gone = where((before != 0) & (before != folded.main))
            return gone, before.take(gone)
        gone, session = self._told_before(touched, folded, numbers, before)
        if not touched.stored:
            return gone, session
        place = {number: at for at, number in enumerate(numbers.tolist())}
        now = set(zip(folded.cells.trace.tolist(), folded.cells.session.tolist(), strict=True)) | set(
            zip(gone.tolist(), session.tolist(), strict=True)
        )
        more = sorted({(place[number], code) for number, code in touched.stored if number in place} - now)
        if more:
            gone = np.concatenate([gone, np.array([at for at, _ in more], np.intp)])
            session = np.concatenate([session, np.array([code for _, code in more], np.uint64)])
        return gone, session

    def _told_before(self, touched: Touched, folded: Folded, numbers: npt.NDArray[np.uint32], before: U64) -> tuple[Index, U64]:
        """The same by what was remembered of the traces."""
        old = touched.facts[: touched.fresh]
        place = np.zeros(len(touched.keys), np.intp)
        place[numbers] = np.arange(len(numbers))
        facets, told_by = facets_of(old, touched.facets, FACETS["previous_id"])
        home = homes(old, is_record(old), touched.session.take(old["trace"]))
        continued = self._logs.continued(old, facets, told_by, home)
        return told_before(old, place.take(old["trace"]), before, folded.cells, continued)

    # what `lifecycle` asks (sessions.telling.Folding)

    def afresh(self, host: Host) -> Fold:
        return Fold(host, self._prices, AMPLE, self._measures)

    def wake(self) -> None:
        self._restore()

    def next_version(self) -> int:
        self._restore()
        return self._versions.next(self._clock.now())

    def unsettled(self) -> set[Trace]:
        return {self._recall.trace_of(key) for key in (*self._waiting, *self._telling.asked())}

    def forget(self, traces: Sequence[Trace]) -> None:
        if traces:
            self._recall.drop(self._recall.keys_of(traces), self._clock.now())

    # what a fold asks (sessions.traces.World)

    def ids(self, sessions: U64) -> U64:
        """Hashes of the ids alone behind hashes of sessions."""
        texts = [(text or "").rsplit("\0", 1)[-1] for text in look_up(self._texts, sessions).to_pylist()]
        return hashes(self._texts, pa.array(texts, pa.string()))

    def name_missing(self, main: U64, groups: Groups, facts: Rows, top: Index, facets: Rows, told_by: Index) -> None:
        if self._missing.rule != "none" and not main.all():
            keys = self._keys[groups.number.take(groups.first)]
            name_missing(main, facts, top, keys, facets, told_by, self._missing, self._texts)

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


def _lost(touched: Touched) -> Rows:
    """Parts of traces of which nothing is left: whatever they were told from went with a deleted session."""
    if not touched.stored:
        return np.empty(0, TRACE)
    there = set(np.unique(touched.facts["trace"]).tolist())
    parts = sorted({(number, code) for number, code in touched.stored if number not in there})
    out = np.zeros(len(parts), TRACE)
    if parts:
        out["trace_hi"], out["trace_lo"] = touched.keys[[number for number, _ in parts], :2].T
        out["session"], out["deleted"], out["cost"] = [code for _, code in parts], 1, -1
    return out


def _conflicts(folded: Folded, fresh: int) -> int:
    """How many new spans name another session than the one their trace is in."""
    flagged = where(folded.traces["flags"] & FLAGS["conflicting_ids"])
    if not len(flagged):
        return 0
    groups, facts = folded.groups, folded.facts
    own, trace = facts["session"], np.zeros(groups.count, bool)
    trace[folded.cells.trace.take(flagged)] = True
    lost = (own != 0) & (own != folded.main.take(groups.member)) & ~is_record(facts) & (groups.order >= fresh)
    return int((lost & trace.take(groups.member)).sum())


def _facets_of(folded: Folded, told: Index, more: int) -> tuple[Rows, npt.NDArray[np.int64]]:
    """The facets of these traces, and how many each has; `more` traces without any follow."""
    counts = folded.facet_counts
    chosen = np.zeros(len(counts), bool)
    chosen[told] = True
    facets = folded.trace_facets
    if len(told) < len(counts):
        facets = take(facets, where(np.repeat(chosen, counts)))
    return facets, np.concatenate([counts.take(told), np.zeros(more, np.int64)])
