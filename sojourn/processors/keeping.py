"""The running `lifecycle`: it folds the sessions that are touched, tells what is new of them, and stages what becomes of its memory."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn import _native
from sojourn.component import FORGET, Batch, Host
from sojourn.processors.refolding import gone_rows, refold
from sojourn.processors.remembering import Memory, Staged, Touched
from sojourn.processors.upkeep import Upkeep
from sojourn.schema import FLAGS, SESSION_MARKS, SESSION_ROWS, SESSION_SEGMENT_ROWS, SESSION_TRACE_ROWS
from sojourn.sessions import records
from sojourn.sessions.alerts import Alerts, Firing
from sojourn.sessions.answer import Answer, answer
from sojourn.sessions.events import alerted, differences, event_records, together
from sojourn.sessions.gather import Gathered, gather
from sojourn.sessions.graves import Grave, marks_of, orders_of
from sojourn.sessions.kept import keep
from sojourn.sessions.lifecycle import ENDED, NEVER, Marks, Rules, deadlines
from sojourn.sessions.live import Known
from sojourn.sessions.marked import DELETE, mark_records
from sojourn.sessions.names import Key, keys_of, name_columns, pick
from sojourn.sessions.order import where
from sojourn.sessions.overrides import Book
from sojourn.sessions.packed import U64, Keys, Mask, Rows, take
from sojourn.sessions.requests import Mark, Refold
from sojourn.sessions.rows import look_up, pack
from sojourn.sessions.telling import Telling, untrue
from sojourn.sessions.tenants import with_tenants

log = logging.getLogger(__name__)
AMPLE: Final = 1 << 40
"""Room that never ends."""
NOBODYS: Final[Keys] = np.empty((0, 3), ">u8")
_LIMITED: Final = np.uint32(FLAGS["limited"])


class Keeping:
    """process() and tick() read the memory; committed() changes it."""

    def __init__(self, host: Host, book: Book, alerts: Alerts, memory: int, most: int) -> None:
        self._host, self._settings = host, (book, alerts)
        if host.texts is None:
            raise ValueError("lifecycle needs the texts of a lane that decodes")
        self._texts, self._history, self._clock, self._collector = host.texts, host.history, host.clock, host.collector
        self._book, self._alerts = book, alerts
        self._memory = Memory(host, book, alerts, memory, most)
        self._came: list[pa.RecordBatch] = []
        self._warned = False
        self._upkeep = Upkeep(host, self._memory, self._refold)
        self._ended: list[pa.RecordBatch] = []
        """Names of the sessions that end with the commit."""
        self._drifted = 0
        """Sessions whose rows were not what their stored spans say."""

    # the contract

    def process(self, batch: Batch) -> Iterable[Batch]:
        if batch.table == "session_trace_rows" and len(batch.records):
            self._memory.wake(self._collector)
            self._came.append(batch.records)
        return (batch,)

    def settle(self) -> Iterable[Batch]:
        if not self._came:
            return ()
        now = self._clock.now()
        batch = self._came[0] if len(self._came) == 1 else pa.Table.from_batches(self._came).combine_chunks().to_batches()[0]
        self._came.clear()
        touched = self._memory.touched(batch, now)
        return self._settle(touched, now) if touched else ()

    def tick(self, now: int) -> Iterable[Batch]:
        self._memory.wake(self._collector)
        self._memory.sweep(now)
        while self._memory.woken:
            self._upkeep.suspect(self._memory.woken.pop())
        batches = [*self._bury(now), *self._upkeep.tick(now)]
        touched = self._memory.due(now) or self._memory.doubtful()
        return [*batches, *(self._settle(touched, now) if touched else ())]

    def asked(self, request: object) -> Iterable[Batch]:
        if isinstance(request, Mark):
            self._memory.wake(self._collector)
            return self._mark(request)
        if isinstance(request, Refold):
            self._memory.wake(self._collector)
            return self._refold(request)
        return ()

    def ending(self) -> None:
        self._memory.ending()

    def committed(self) -> None:
        while self._ended:
            self._upkeep.suspect(self._ended.pop())
        self._memory.commit(int(np.max(self._book.base.active_window)))

    def discard(self) -> None:
        self._came.clear()
        self._ended.clear()
        self._memory.discard()

    def meters(self) -> dict[str, float]:
        return self._memory.meters() | {
            "sojourn_session_drift_total": float(self._drifted),
            "sojourn_session_checks_skipped_total": float(self._upkeep.skipped),
        }

    # what is told

    def _bury(self, now: int) -> list[Batch]:
        """Bring deletions to their end: what an earlier life left undone, and the word that all rows are gone."""
        graves, batches = self._memory.telling.graves, []
        if done := graves.finished():
            batches.append(Batch(SESSION_MARKS.name, marks_of(done, self._memory.versions.next(now), 1)))
        if undone := self._memory.undone:
            self._memory.undone = []
            graves.stage({}, NOBODYS, undone)
            batches.append(Batch(FORGET, orders_of(undone)))
        return batches

    def _delete(self, mark: Mark, touched: Touched, now: int) -> list[Batch]:
        """Remove a session with all that is stored of it, and remember that it is gone."""
        memory, session = self._memory, int(touched.keys[0])
        version, trace_version = memory.versions.next(now), memory.next_trace_version(now)
        rows = memory.trace_rows(mark.key)
        traces = [(row["TraceId"], bool(row["Spans"])) for row in rows.select(["TraceId", "Spans"]).to_pylist()]
        graves = [Grave(mark.key, "", now, version), *(Grave(mark.key, trace, now, version) for trace, real in traces if real)]
        orders = [*graves, *(Grave(mark.key, trace, now, version, spans=False) for trace, real in traces if not real)]
        tombs = memory.keys_of([(mark.key[0], trace) for trace, real in traces if real])
        memory.telling.graves.stage({session: now}, tombs, graves)
        if memory.telling.folding is not None:
            memory.telling.folding.forget([(mark.key[0], trace) for trace, _ in traces])
        memory.refolded(memory.keys_of([(mark.key[0], trace) for trace, _ in traces]))  # of other sessions something else may count now
        after = Known.nothing(1)
        after.revision[:] = touched.before.revision + np.uint64(1)
        memory.retell([mark.key], [])
        gone = _vanished(touched.names, memory.segments_stored(touched), after, np.zeros(1, bool), version)
        if len(rows):
            gone.append(Batch(SESSION_TRACE_ROWS.name, gone_rows(rows, trace_version)))
        return [Batch(SESSION_MARKS.name, marks_of(graves, version, 0)), *gone, Batch(FORGET, orders_of(orders))]

    def _mark(self, mark: Mark) -> list[Batch]:
        """Do what somebody says of a session, if there is such a session."""
        now, marked = self._clock.now(), self._memory.marked
        touched = self._memory.sought(name_columns(*([part] for part in mark.key)))
        mark.found = bool(touched.before.segments[0])
        if not mark.found:
            return []
        if mark.what == DELETE:
            return self._delete(mark, touched, now)
        session, digest = int(touched.keys[0]), np.frombuffer(_native.name_digests(touched.names), "<u8")
        marked.stage(session, marked.of(session).with_mark(mark, now), int(digest[0]))
        row = mark_records([(mark.key, mark.what, "", now, mark.name, 0)], self._memory.versions.next(now))
        return [Batch(SESSION_MARKS.name, row), *self._settle(touched, now)]

    def _refold(self, request: Refold) -> list[Batch]:
        """Compare sessions with what is stored of them, and mend their rows."""

        def afresh(host: Host, keys: list[Key]) -> Keeping:
            out = Keeping(host, *self._settings, AMPLE, AMPLE)
            out._memory.marked.copy(self._memory.sought(name_columns(*zip(*keys, strict=True))).keys, self._memory.marked)
            return out

        batches = refold(self._host, request, self._memory, afresh)
        if request.reprice:  # what costs something else now was right before
            return batches
        self._drifted += len(request.wrong)
        for each in request.differences[:10]:
            log.warning("session %s: %s.%s of %s was not what its spans say", "/".join(each.key), each.table, each.column, each.row or "it")
        return batches

    def _settle(self, touched: Touched, now: int) -> list[Batch]:
        """Fold the sessions, tell what is new of them, and stage it."""
        gathered = gather(touched.pile, len(touched.keys))
        active = gathered.activity()
        version = self._memory.versions.next(now)
        after = Known.nothing(len(touched.keys))
        after.revision[:], after.folded[:], after.rows[:] = touched.before.revision + np.uint64(1), now, gathered.counts
        batches = self._told(touched, gathered, active, after, version, now) if len(active.rows) else []
        self._memory.staged.append(_staged(touched, gathered, active, after, self._memory.telling, self._texts))
        self._keep_unseen(touched, after)
        if (ended := where((after.state == ENDED) & (after.deadline == NEVER))).size:
            self._ended.append(pick(touched.names, ended))
        unheard = (active.counts == 0) & (gathered.counts > 0)
        return _vanished(touched.names, self._memory.segments_stored(touched), after, unheard, version) + batches

    def _told(self, touched: Touched, gathered: Gathered, active: Gathered, after: Known, version: int, now: int) -> list[Batch]:
        """Rows of the sessions of which there is anything, their segments and events; what is told goes into `after`."""
        rules = self._book.of(touched.names, active)
        marks = self._memory.marked.ends(touched.keys, gathered.marks(touched.fresh))
        told, columns = self._answer(active, marks, touched, rules, after.revision, version, now)
        _note(after, told, rules)
        events = differences(told, touched.before, now, rules)
        firing = None
        if self._alerts:
            firing = self._fire(told, columns, touched, after, now)
            events = together(events, alerted(told, firing.new))
        segments = records.segment_records(told, columns)
        batches = [Batch("session_segment_rows", segments)] if segments.num_rows else []
        sessions = records.session_records(told, columns, None if firing is None else self._alerts.names(firing.now))
        batches.append(Batch("session_rows", sessions))
        if len(events.group):
            before = self._previous(gathered)
            rows = event_records(events, told, touched.names, after.revision, now, version, self._alerts, firing, before)
            batches.append(Batch("session_event_rows", rows))
        return batches

    def _previous(self, gathered: Gathered) -> dict[int, str]:
        """The ids of the sessions that some of these say to continue, by their numbers."""
        said = gathered.previous()
        texts = self._lookup(np.fromiter(said.values(), np.uint64, len(said))).to_pylist() if said else []
        return {number: text for number, text in zip(said, texts, strict=True) if text}

    def _fire(self, told: Answer, columns: records.Told, touched: Touched, after: Known, now: int) -> Firing:
        """Which alerts fire, and when silence may make others do."""
        session = told.session[told.sessions]
        firing = self._alerts.firing(told, columns, touched.before.firing.take(session), now)
        after.firing[session] = firing.now
        after.deadline[session] = np.minimum(after.deadline, self._alerts.due(after.heard, now)).take(session)
        return firing

    def _answer(
        self, active: Gathered, marks: Marks | None, touched: Touched, rules: Rules, revision: U64, version: int, now: int
    ) -> tuple[Answer, records.Told]:
        """The answer and its columns. Texts that were forgotten come back with the stored rows."""

        def work_out() -> tuple[Answer, records.Told]:
            told = answer(active, marks, touched.fresh, rules, now, self._lookup)
            self._memory.marked.rename(touched.keys, told)
            if touched.crowded.any():
                told.summary.flags |= touched.crowded.take(told.session) * _LIMITED
            return told, records.tell(told, touched.names, revision, version, self._lookup)

        told, columns = work_out()
        if columns.forgotten.any() and self._history is not None:
            lost = np.unique(told.session.compress(columns.forgotten)).tolist()
            pack(self._history.trace_rows_of_sessions(keys_of(touched.names, lost)), self._texts)
            told, columns = work_out()
        return told, columns

    def _lookup(self, codes: U64) -> pa.Array:
        return look_up(self._texts, codes)

    def _keep_unseen(self, touched: Touched, after: Known) -> None:
        """Sessions whose trace rows cannot be found any more have not vanished: nothing can be said of them, and they are forgotten."""
        unseen = (np.bincount(touched.pile.session, minlength=len(touched.keys)) == 0) & ~self._memory.doubted(touched)
        if unseen.any():
            after.segments[unseen] = touched.before.segments[unseen]
            if not self._warned:
                log.warning("lifecycle: the trace rows of %d sessions were not found: their state is not told any more", unseen.sum())
            self._warned = True


def _staged(touched: Touched, gathered: Gathered, active: Gathered, after: Known, telling: Telling, texts: Any) -> Staged:
    gone = (active.counts == 0) | ((after.state == ENDED) & (after.deadline == NEVER))  # else a longer silence is an alert
    told, wrong = untrue(gathered.facets, gathered.facet_row, gathered.rows["session"], telling)
    traces = _keys(touched, take(gathered.rows, wrong), telling, texts) if len(wrong) else None
    return Staged(touched.keys, touched.names, after, keep(gathered), gone, touched.crowded, touched.digests, told, traces)


def _keys(touched: Touched, rows: Rows, telling: Telling, texts: Any) -> Keys:
    """The keys of the traces of these rows."""
    tenants = telling.tenants.codes(touched.names.column("Tenant"), texts)
    ids = np.stack([rows["trace_hi"], rows["trace_lo"]], axis=1)
    return with_tenants(ids, tenants.take(np.searchsorted(touched.keys, rows["session"])))


def _note(after: Known, told: Answer, rules: Rules) -> None:
    """What is told of each session from now on."""
    part = told.sessions
    session, summary = told.session[part], told.summary
    arrival, end, state = summary.arrival[part], summary.end[part], told.state[part]
    after.segments[session] = told.several[part]
    after.state[session] = state
    after.heard[session] = np.maximum(arrival, end)
    after.deadline[session] = deadlines(arrival, end, state, rules.take(session))


def _vanished(names: pa.RecordBatch, stored: npt.NDArray[np.uint32], after: Known, unheard: Mask, version: int) -> list[Batch]:
    """Rows for segments that are no more, and for sessions that all their traces have left.

    And for those of which there is nothing but marks yet: that such a row is stored tells a later life to look for them.
    """
    out = []
    then, now = (np.where(segments > 1, segments, 0) for segments in (stored, after.segments))  # an only segment has no row of its own
    pairs = [(at, number) for at in where(now < then).tolist() for number in range(int(now[at]), int(then[at]))]
    if pairs:
        revisions = [int(after.revision[at]) for at, _ in pairs]
        mine = pick(names, np.array([at for at, _ in pairs]))
        gone = records.vanished(SESSION_SEGMENT_ROWS, mine, [number for _, number in pairs], revisions, version)
        out.append(Batch("session_segment_rows", gone))
    left = where(((after.segments == 0) & (stored > 0)) | unheard).tolist()
    if left:
        revisions = [int(after.revision[at]) for at in left]
        out.append(Batch("session_rows", records.vanished(SESSION_ROWS, pick(names, np.array(left)), [], revisions, version)))
    return out
