"""The state of `lifecycle`: the sessions that live, what is staged until the commit, and the way back from the database."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from sojourn import _native
from sojourn.component import Batch, Host
from sojourn.schema import SESSION_ROWS, SESSION_SEGMENT_ROWS
from sojourn.sessions import records
from sojourn.sessions.answer import Answer, answer
from sojourn.sessions.events import differences, event_records
from sojourn.sessions.gather import Gathered, Pile, gather, of_session, part, pile
from sojourn.sessions.kept import Kept, as_they_stand, keep, unpack
from sojourn.sessions.lifecycle import ENDED, SECOND, STATES, Marks, Rules, deadlines
from sojourn.sessions.live import Known, Live, Stored
from sojourn.sessions.names import NAME, NOBODY, keys_of, name_columns, pick
from sojourn.sessions.order import distinct, where
from sojourn.sessions.packed import TRACE, TRACE_FACET, U64, Index, Keys, Mask, Rows, flat, hashes, owners, view
from sojourn.sessions.rows import look_up, pack
from sojourn.sessions.telling import Services, Telling, untrue
from sojourn.sessions.versions import Versions

log = logging.getLogger(__name__)

LARGE: Final = 1000
"""A session with more known traces is folded at most once per second, or one that grows by single traces would cost its square."""
MOST_DUE: Final = 5000
"""Sessions settled per tick; the rest waits for the next one."""


@dataclass(slots=True)
class Touched:
    """Sessions to answer for, by number; the hashes of their keys are sorted."""

    keys: U64
    names: pa.RecordBatch
    """Tenant, Project and SessionId of each."""
    before: Known
    """What was last told of each."""
    pile: Pile
    """All their known trace rows."""
    fresh: int
    """Rows of the pile from here on are new."""
    digests: U64
    """`_native.digest` of the keys of sessions that are not in memory; 0 for others."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What the state becomes once the rows are stored."""

    keys: U64
    names: pa.RecordBatch
    known: Known
    kept: Kept
    gone: Mask
    """Sessions to forget: ended, or left by all their traces."""
    digests: U64
    """Of sessions that are told of for the first time, 0 for others."""
    told: dict[int, Services] = field(default_factory=dict)
    """Who tells calls in log records, of the sessions of which anybody does."""
    wrong: Keys | None = None
    """Traces that were folded with something else in mind."""


class Keeping:
    """The running `lifecycle`. process() and tick() read the state; committed() changes it."""

    def __init__(self, host: Host, rules: Rules, memory: int) -> None:
        if host.texts is None:
            raise ValueError("lifecycle needs the texts of a lane that decodes")
        self._texts, self._history, self._clock = host.texts, host.history, host.clock
        self._rules, self._memory = rules, memory
        self._live = Live()
        self._stored: Stored | None = None
        self._versions = Versions()
        self._awake = host.history is None
        self._telling = host.telling or Telling()
        self._came: list[pa.RecordBatch] = []
        self._staged: list[Staged] = []
        self._warned = False

    # the contract

    def process(self, batch: Batch) -> Iterable[Batch]:
        if batch.table == "session_trace_rows" and len(batch.records):
            self._wake()
            self._came.append(batch.records)
        return (batch,)

    def settle(self) -> Iterable[Batch]:
        if not self._came:
            return ()
        now = self._clock.now()
        batch = self._came[0] if len(self._came) == 1 else pa.Table.from_batches(self._came).combine_chunks().to_batches()[0]
        self._came.clear()
        touched = self._set_aside(self._touched(batch), now)
        return self._settle(touched, now) if touched else ()

    def tick(self, now: int) -> Iterable[Batch]:
        self._wake()
        slots = self._live.due(now, MOST_DUE)
        for staged in self._staged:  # their deadlines are about to change
            slots = slots.compress(~np.isin(self._live.keys(slots), staged.keys))
        if not len(slots):
            return ()
        return self._settle(self._due(slots), now)

    def committed(self) -> None:
        for staged in self._staged:
            self._live.put(staged.keys, staged.names, staged.known, staged.kept)
            if self._history is not None and staged.gone.any():  # else nothing could be read back: they stay while there is room
                self._live.drop(staged.keys.compress(staged.gone))
            for session, services in staged.told.items():
                self._telling.learn(session, services)
            if staged.wrong is not None:
                self._telling.ask(staged.wrong)
            if self._stored is not None and staged.digests.any():
                self._stored.add(staged.digests[staged.digests != 0])
        self._staged.clear()
        if self._live.shrink(self._memory, self._clock.now() - self._rules.active_window) and self._history is None:
            self._live.drop_ended()

    def discard(self) -> None:
        self._came.clear()
        self._staged.clear()

    def meters(self) -> dict[str, float]:
        """Sessions that live, by state, and the bytes of their trace rows."""
        out = {f'sojourn_sessions{{state="{name}"}}': float(self._live.count(code)) for code, name in enumerate(STATES[:ENDED])}
        return out | {"sojourn_lifecycle_trace_row_bytes": float(self._live.bytes)}

    # what is touched

    def _touched(self, batch: pa.RecordBatch) -> Touched:
        """The sessions of new trace rows, with all trace rows that are known of them."""
        new = view(batch.column("_trace"), TRACE)
        keys, first, number = distinct(new["session"])
        facets, row = _facets(batch.column("_facets"))
        slots = self._live.find(keys)
        before, kept = self._live.known(slots), self._live.kept(slots)
        names = self._live.names(slots, batch.select(NAME), first)
        lost = kept.sizes == 0
        digests = self._digests(names, lost & (before.segments == 0))
        stored = self._read_back(keys, names, before, lost, digests)
        known = unpack(kept)
        whole = pile(stored, known, Pile(new, number, facets, row))
        return Touched(keys, names, before, whole, len(stored.rows) + len(known.rows), digests)

    def _due(self, slots: Index) -> Touched:
        """Sessions by whose silence, or size, something is due."""
        keys = self._live.keys(slots)
        order = np.argsort(keys)
        keys, slots = keys.take(order), slots.take(order)
        before, kept = self._live.known(slots), self._live.kept(slots)
        names = self._live.names(slots, NOBODY, slots)
        digests = np.zeros(len(keys), np.uint64)
        stored = self._read_back(keys, names, before, kept.sizes == 0, digests)
        whole = pile(stored, unpack(kept))
        return Touched(keys, names, before, whole, len(whole.rows), digests)

    def _set_aside(self, touched: Touched, now: int) -> Touched | None:
        """Leave out large sessions that were folded less than a second ago: their new rows are kept and wait for the tick."""
        old = np.bincount(touched.pile.session[: touched.fresh], minlength=len(touched.keys))
        large = (old > LARGE) & (now - touched.before.folded < SECOND)
        if not large.any():
            return touched
        which = where(large)
        waiting = touched.before.take(which)
        waiting.deadline[:] = np.minimum(waiting.deadline, waiting.folded + SECOND)
        kept = as_they_stand([of_session(touched.pile, number) for number in which.tolist()])
        nothing = np.zeros(len(which), np.uint64)
        self._staged.append(Staged(touched.keys.take(which), pick(touched.names, which), waiting, kept, nothing != 0, nothing))
        return _without(touched, large)

    # what is told

    def _settle(self, touched: Touched, now: int) -> list[Batch]:
        """Fold the sessions, tell what is new of them, and stage it."""
        gathered = gather(touched.pile, len(touched.keys))
        active = gathered.activity()
        version = self._versions.next(now)
        names = touched.names
        revision = touched.before.revision + np.uint64(1)
        after = Known.nothing(len(names))
        after.revision[:], after.folded[:] = revision, now
        batches: list[Batch] = []
        if len(active.rows):
            told, columns = self._answer(active, gathered.marks(touched.fresh), touched, revision, version, now)
            _note(after, told, self._rules)
            batches = [
                Batch("session_segment_rows", records.segment_records(told, columns)),
                Batch("session_rows", records.session_records(told, columns)),
            ]
            events = differences(told, touched.before, now, self._rules)
            if len(events.group):
                batches.append(Batch("session_event_rows", event_records(events, told, names, revision, now, version)))
        self._staged.append(_staged(touched, gathered, active, after, self._telling))
        self._keep_unseen(touched, after)
        unheard = (active.counts == 0) & (gathered.counts > 0)
        return _vanished(names, touched.before, after, unheard, version) + batches

    def _answer(
        self, active: Gathered, marks: Marks | None, touched: Touched, revision: U64, version: int, now: int
    ) -> tuple[Answer, records.Told]:
        """The answer and its columns. Texts that were forgotten come back with the stored rows."""
        told = answer(active, marks, touched.fresh, self._rules, now, self._lookup)
        columns = records.tell(told, touched.names, revision, version, self._lookup)
        if columns.forgotten.any() and self._history is not None:
            lost = np.unique(told.session.compress(columns.forgotten)).tolist()
            pack(self._history.trace_rows_of_sessions(keys_of(touched.names, lost)), self._texts)
            told = answer(active, marks, touched.fresh, self._rules, now, self._lookup)
            columns = records.tell(told, touched.names, revision, version, self._lookup)
        return told, columns

    def _lookup(self, codes: U64) -> pa.Array:
        return look_up(self._texts, codes)

    def _keep_unseen(self, touched: Touched, after: Known) -> None:
        """Sessions whose trace rows cannot be found any more have not vanished: nothing can be said of them, and they are forgotten."""
        unseen = np.bincount(touched.pile.session, minlength=len(touched.keys)) == 0
        if unseen.any():
            after.segments[unseen] = touched.before.segments[unseen]
            if not self._warned:
                log.warning("lifecycle: the trace rows of %d sessions were not found: their state is not told any more", unseen.sum())
            self._warned = True

    # the way back

    def _wake(self) -> None:
        """Go on where the stored rows end. Asked for when it is needed first, so that a database that is down delays nothing."""
        if self._awake:
            return
        assert self._history is not None
        versions, stored = Versions(self._history.last_version()), Stored(self._history.session_digests())
        table = self._history.open_sessions()
        names = name_columns(*(table.column(name).to_pylist() for name in NAME))
        keys = hashes(self._texts, pa.array(list(map("\0".join, keys_of(names))), pa.string()))
        known = _stored_known(table)
        known.deadline[:] = deadlines(known.heard, known.heard, known.state, self._rules)
        self._live.put(keys, names, known, Kept.nothing(len(keys)))
        self._versions, self._stored, self._awake = versions, stored, True

    def _digests(self, names: pa.RecordBatch, unknown: Mask) -> U64:
        if self._stored is None or not unknown.any():
            return np.zeros(len(names), np.uint64)
        return np.where(unknown, np.frombuffer(_native.name_digests(names), "<u8"), np.uint64(0))

    def _read_back(self, keys: U64, names: pa.RecordBatch, before: Known, lost: Mask, digests: U64) -> Pile:
        """The stored trace rows of the sessions that lost theirs, and into `before` what was told of those that are not known at all."""
        if self._history is None or self._stored is None or not lost.any():
            return pile()
        unknown = where(digests)
        stored = unknown.compress(self._stored.maybe(digests.take(unknown))).tolist()
        if stored:
            told = keys_of(names, stored)
            table = self._history.sessions(told)
            place = dict(zip(told, stored, strict=True))
            before.put(np.array([place[name] for name in keys_of(table)], np.intp), _stored_known(table))
        wanted = [*where(lost & (digests == 0)).tolist(), *stored]
        if not wanted:
            return pile()
        rows, facets, counts = pack(self._history.trace_rows_of_sessions(keys_of(names, wanted)), self._texts)
        session = np.minimum(np.searchsorted(keys, rows["session"]), len(keys) - 1)
        whole = Pile(rows, session, facets, np.repeat(np.arange(len(rows)), counts))
        return part(whole, where(keys.take(session) == rows["session"]))


def _staged(touched: Touched, gathered: Gathered, active: Gathered, after: Known, telling: Telling) -> Staged:
    gone = (active.counts == 0) | (after.state == ENDED)
    told, wrong = untrue(gathered.facets, gathered.facet_row, gathered.rows["session"], telling)
    ids = np.stack([gathered.rows[half].take(wrong) for half in ("trace_hi", "trace_lo")], axis=1).astype(">u8") if len(wrong) else None
    return Staged(touched.keys, touched.names, after, keep(gathered), gone, touched.digests, told, ids)


def _facets(lists: pa.Array) -> tuple[Rows, Index]:
    """The facets of a column of lists, and the row that each belongs to."""
    return view(flat(lists), TRACE_FACET), owners(lists)


def _stored_known(table: pa.Table) -> Known:
    """What stored session rows say."""
    known = Known.nothing(len(table))
    if len(table):
        known.segments[:] = np.asarray(table.column("Segments"))
        known.state[:] = [STATES.index(text) for text in table.column("State").to_pylist()]
        known.revision[:] = np.asarray(table.column("Revision"))
        end, seen = (np.asarray(table.column(name)).astype("datetime64[ns]").astype(np.int64) for name in ("End", "LastSeen"))
        known.heard[:] = np.maximum(end, seen)
    return known


def _note(after: Known, told: Answer, rules: Rules) -> None:
    """What is told of each session from now on."""
    part = told.sessions
    session, summary = told.session[part], told.summary
    arrival, end, state = summary.arrival[part], summary.end[part], told.state[part]
    after.segments[session] = told.several[part]
    after.state[session] = state
    after.heard[session] = np.maximum(arrival, end)
    after.deadline[session] = deadlines(arrival, end, state, rules)


def _vanished(names: pa.RecordBatch, before: Known, after: Known, unheard: Mask, version: int) -> list[Batch]:
    """Rows for segments that are no more, and for sessions that all their traces have left.

    And for those of which there is nothing but marks yet: that such a row is stored tells a later life to look for them.
    """
    out = []
    fewer = where(after.segments < before.segments).tolist()
    pairs = [(at, number) for at in fewer for number in range(int(after.segments[at]), int(before.segments[at]))]
    if pairs:
        revisions = [int(after.revision[at]) for at, _ in pairs]
        mine = pick(names, np.array([at for at, _ in pairs]))
        gone = records.vanished(SESSION_SEGMENT_ROWS, mine, [number for _, number in pairs], revisions, version)
        out.append(Batch("session_segment_rows", gone))
    left = where(((after.segments == 0) & (before.segments > 0)) | unheard).tolist()
    if left:
        revisions = [int(after.revision[at]) for at in left]
        out.append(Batch("session_rows", records.vanished(SESSION_ROWS, pick(names, np.array(left)), [], revisions, version)))
    return out


def _without(touched: Touched, large: Mask) -> Touched | None:
    """The other sessions, numbered anew."""
    rest = where(~large)
    if not len(rest):
        return None
    number = np.cumsum(~large) - 1
    rows = where(~large.take(touched.pile.session))
    left = part(touched.pile, rows)
    return Touched(
        touched.keys.take(rest),
        pick(touched.names, rest),
        touched.before.take(rest),
        Pile(left.rows, number.take(left.session), left.facets, left.row),
        int((rows < touched.fresh).sum()),
        touched.digests.take(rest),
    )
