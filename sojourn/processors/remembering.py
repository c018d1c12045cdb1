"""What `lifecycle` remembers of sessions between groups, and the way back to what it has forgotten.

Memory depends on the sessions that live, not on those that ever were: of a live session a few numbers and its name stay, its trace rows go
when memory is short, and what ended is in the database only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.component import Host
from sojourn.processors.doubts import Doubts
from sojourn.processors.past import Past, digests_of, states
from sojourn.processors.waiting import Aside, Waiting, concerns
from sojourn.schema import SESSION_TRACE_ROWS
from sojourn.sessions.alerts import Alerts
from sojourn.sessions.gather import Pile, part, pile
from sojourn.sessions.graves import Grave
from sojourn.sessions.kept import Kept, only, unpack
from sojourn.sessions.lifecycle import ENDED, MINUTE, SECOND, STATES, deadlines
from sojourn.sessions.live import Known, Live
from sojourn.sessions.marked import Marked
from sojourn.sessions.names import NAME, NOBODY, Key, keys_of, name_columns, pick
from sojourn.sessions.order import distinct, where
from sojourn.sessions.overrides import Book
from sojourn.sessions.packed import TRACE, TRACE_FACET, U64, Index, Keys, Mask, Rows, flat, hashes, owners, view
from sojourn.sessions.telling import Services, Telling, Trace
from sojourn.sessions.untold import as_told
from sojourn.sessions.versions import Versions
from sojourn.storage.arrow import empty

MOST_DUE: Final = 5000
"""Sessions settled per tick; the rest waits for the next one."""
AHEAD: Final = 86_400 * SECOND
"""How far ahead of its arrival a span may end."""
MOST_WOKEN: Final = 20_000
"""Of those sessions that lived when the last life ended, so many are folded again, those seen last first."""
AT_ONCE: Final = 50_000
"""Sessions that are taken in at once at the start, so that a million of them need not be there twice."""


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
    crowded: Mask
    """New ones for which there is no room: their rows are told, and they are forgotten at once."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What the state becomes once the rows are stored."""

    keys: U64
    names: pa.RecordBatch
    known: Known
    kept: Kept
    gone: Mask
    """Sessions to forget: ended, or left by all their traces."""
    crowded: Mask
    """Sessions for which there is no room."""
    digests: U64
    """Of sessions that are told of for the first time, 0 for others."""
    told: dict[int, Services] = field(default_factory=dict)
    """Who tells calls in log records, of the sessions of which anybody does."""
    wrong: Keys | None = None
    """Traces that were folded with something else in mind."""


@dataclass(frozen=True, slots=True)
class Retold:
    """Sessions whose stored rows were mended: whatever was remembered of them is not to be believed."""

    keys: U64
    rows: list[pa.RecordBatch]
    """Their rows of `session_rows`."""


@dataclass(frozen=True, slots=True)
class Again:
    """Traces to be folded again."""

    keys: U64
    """None: no session is about to change by it yet."""
    traces: Keys


class Memory:
    """process() and tick() read it; what they stage changes it when it is committed."""

    def __init__(self, host: Host, book: Book, alerts: Alerts, room: int, most: int) -> None:
        """`room` is for trace rows, in bytes; `most` is how many sessions may live."""
        assert host.texts is not None
        self._texts, self._history, self._clock = host.texts, host.history, host.clock
        self.telling = host.telling or Telling()
        self._book, self._alerts = book, alerts
        self._room, self._most = room, most
        self._waiting, self._doubts = Waiting(), Doubts()
        self._awake = host.history is None
        self._crowded_at: int | None = None
        """When there was no room for a session last; None if all that were forgotten then have ended."""
        self._swept = 0
        """When the database was asked last for such sessions."""
        self.woken: list[pa.RecordBatch] = []
        """Names of the sessions that lived when the last life ended."""
        self.undone: list[Grave] = []
        """What was deleted in an earlier life that may have ended in the middle of it."""
        self.live = Live()
        self.marked = Marked(host.texts)
        self._past = Past(host, alerts, self.marked)
        self.versions = Versions()
        self.staged: list[Staged | Aside | Retold | Again] = []

    # what is touched

    def touched(self, batch: pa.RecordBatch, now: int) -> Touched | None:
        """The sessions of new trace rows, with all trace rows that are known of them. Those of large ones are set aside."""
        new = view(batch.column("_trace"), TRACE)
        keys, first, number = distinct(new["session"])
        came = Pile(new, number, *_facets(batch.column("_facets")))
        slots = self.live.find(keys)
        before = self.live.known(slots)
        if concerns(before):
            wait = self._waiting.must(keys, before, number, now)
            if wait.any():
                self.staged.append(self._waiting.aside(keys, before, came, where(wait)))
                rest = where(~wait)
                keys, first, slots, before = keys.take(rest), first.take(rest), slots.take(rest), before.take(rest)
                came = _of_sessions(came, rest, len(wait))
        if not len(keys):
            return None
        kept = self.live.kept(slots)
        names = self.live.names(slots, batch.select(NAME), first)
        lost = kept.sizes == 0
        digests = self._past.digests(names, lost & (before.segments == 0))
        stored = self._past.read_back(keys, names, before, lost, digests)
        known = unpack(kept)
        whole = pile(stored, known, self._waited(keys), came)
        return Touched(keys, names, before, whole, len(stored.rows) + len(known.rows), digests, self._crowded(slots))

    def due(self, now: int) -> Touched | None:
        """Sessions by whose silence, or size, something is due."""
        slots = self.live.due(now, MOST_DUE)
        if len(in_vain := self._waiting.due()):
            slots = np.union1d(slots, self.live.find(in_vain))
            slots = slots.compress(slots >= 0)
        for staged in self.staged:  # their deadlines are about to change
            slots = slots.compress(~np.isin(self.live.keys(slots), staged.keys))
        if not len(slots):
            return None
        keys = self.live.keys(slots)
        order = np.argsort(keys)
        keys, slots = keys.take(order), slots.take(order)
        before, kept = self.live.known(slots), self.live.kept(slots)
        names = self.live.names(slots, NOBODY, slots)
        nothing = np.zeros(len(keys), np.uint64)
        stored = self._past.read_back(keys, names, before, kept.sizes == 0, nothing)
        known = unpack(kept)
        whole = pile(stored, known, self._waited(keys))
        return Touched(keys, names, before, whole, len(stored.rows) + len(known.rows), nothing, nothing != 0)

    def ending(self) -> None:
        """Nothing follows: with the next tick all is told that waits."""
        self._waiting.over = True

    def _waited(self, keys: U64) -> Pile:
        """The rows of these sessions that waited: once they are folded, they wait no longer."""
        return self._waiting.of(keys, [staged for staged in self.staged if isinstance(staged, Aside)])

    def sought(self, names: pa.RecordBatch) -> Touched:
        """Sessions that somebody asks for by name. Of those that nobody knows nothing was told, and there are no rows."""
        keys = self._codes(keys_of(names))
        order = np.argsort(keys)
        keys, names = keys.take(order), pick(names, order)
        slots = self.live.find(keys)
        before, kept = self.live.known(slots), self.live.kept(slots)
        lost = kept.sizes == 0
        digests = self._past.digests(names, lost & (before.segments == 0))
        stored = self._past.read_back(keys, names, before, lost, digests)
        whole = pile(stored, unpack(kept), self._waited(keys))
        return Touched(keys, names, before, whole, len(whole.rows), digests, self._crowded(slots))

    def _crowded(self, slots: Index) -> Mask:
        """New sessions beyond those that may live."""
        new = slots < 0
        room = self._most - len(self.live)
        return np.asarray(new & (new.cumsum() > room)) if new.sum() > room else np.zeros(len(slots), bool)

    # what is mended (processors.refolding)

    def unsettled(self, keys: list[Key], now: int) -> list[Key]:
        """Those of which something is to be told at the next tick."""
        codes = self._codes(keys)
        slots = self.live.find(codes)
        late = (slots >= 0) & (self.live.known(slots).deadline <= now)
        return [key for key, code, is_late in zip(keys, codes.tolist(), late.tolist(), strict=True) if is_late or code in self._waiting]

    def asleep(self, rows: pa.Table) -> set[Key]:
        """Those that are not watched for want of room, although they have not ended."""
        keys = keys_of(rows)
        slots = self.live.find(self._codes(keys))
        return {key for key, slot, state in zip(keys, slots.tolist(), states(rows), strict=True) if slot < 0 and state != ENDED}

    def not_alive(self, keys: list[Key]) -> list[Key]:
        """Those that are not in memory."""
        return [key for key, slot in zip(keys, self.live.find(self._codes(keys)).tolist(), strict=True) if slot < 0]

    def retell(self, keys: list[Key], rows: list[pa.RecordBatch]) -> None:
        """With the commit these rows say all that is known of these sessions."""
        self.staged.append(Retold(self._codes(keys), rows))

    def refolded(self, traces: Keys) -> None:
        """With the commit these traces are to be folded again, from what is stored of them then."""
        self.staged.append(Again(np.empty(0, np.uint64), traces))

    def trace_rows(self, key: Key) -> pa.Table:
        """The stored trace rows of a session."""
        return empty(SESSION_TRACE_ROWS) if self._history is None else self._history.trace_rows_of_sessions([key])

    def next_trace_version(self, now: int) -> int:
        folding = self.telling.folding
        return self.versions.next(now) if folding is None else folding.next_version()

    def keys_of(self, traces: Sequence[Trace]) -> Keys:
        return self.telling.tenants.keys_of(traces, self._texts)

    def _codes(self, keys: Sequence[Key]) -> U64:
        return hashes(self._texts, pa.array(["\0".join(key) for key in keys], pa.string()))

    # what becomes of it

    def discard(self) -> None:
        for staged in self.staged:
            if isinstance(staged, Staged):
                self._doubt(staged)
        self.staged.clear()
        self.marked.discard()
        self.telling.graves.discard()

    def _doubt(self, staged: Staged) -> None:
        """What is remembered of these sessions is not to be believed until they were told again from what is stored."""
        if self._history is None:
            return
        self.live.drop(staged.keys)
        self._past.add(digests_of(staged.names))
        self._doubts.add(zip(staged.keys.tolist(), keys_of(staged.names), staged.known.segments.tolist(), strict=True))

    def doubtful(self) -> Touched | None:
        """Sessions of groups that came to nothing: what is stored of them shall be what is true of them."""
        keys = self._doubts.first(MOST_DUE)
        return self.sought(name_columns(*zip(*keys, strict=True))) if keys else None

    def doubted(self, touched: Touched) -> Mask:
        """Which of these sessions are such: of these, what has no trace rows has vanished."""
        return self._doubts.among(touched.keys)

    def segments_stored(self, touched: Touched) -> npt.NDArray[np.uint32]:
        """How many segments of each of these sessions may have rows."""
        return self._doubts.segments(touched.keys, touched.before.segments)

    def commit(self, active_window: int) -> None:
        self.marked.committed()
        self.telling.graves.committed()
        for staged in self.staged:
            self._doubts.forget(staged.keys.tolist())
        for staged in self.staged:
            if isinstance(staged, Aside):
                self._waiting.keep(staged)
                self.live.postpone(staged.keys, staged.until)
            elif isinstance(staged, Retold):
                self._learn_anew(staged)
            elif isinstance(staged, Again):
                self.telling.ask(staged.traces)
            else:
                self._keep(staged)
        self.staged.clear()
        if self.live.shrink(self._room, self._clock.now() - active_window) and self._history is None:
            self.live.drop_ended()

    def _learn_anew(self, retold: Retold) -> None:
        self.live.drop(retold.keys)
        self.marked.forget(retold.keys)
        self._waiting.forget(retold.keys.tolist())
        for batch in retold.rows:
            table = pa.Table.from_batches([batch])
            there = table.filter(pa.array([not deleted for deleted in table.column("Deleted").to_pylist()], pa.bool_()))
            if self._alerts:  # what is true of them now may be an alert: told at the next tick
                self._take_in(there, due=self._clock.now())
            else:
                self._take_in(there.filter(pa.array([state != ENDED for state in states(there)], pa.bool_())))
            self._past.add(digests_of(batch))

    def _keep(self, staged: Staged) -> None:
        if staged.crowded.any():
            self._crowded_at = self._clock.now()
            room = where(~staged.crowded)
            names, known = pick(staged.names, room), staged.known.take(room)
            self.live.put(staged.keys.take(room), names, known, only(staged.kept, ~staged.crowded))
        else:
            self.live.put(staged.keys, staged.names, staged.known, staged.kept)
        self._waiting.forget(staged.keys.tolist())
        if self._history is not None and staged.gone.any():  # else nothing could be read back: they stay while there is room
            self.live.drop(staged.keys.compress(staged.gone))
            self.marked.forget(staged.keys.compress(staged.gone))
        for session, services in staged.told.items():
            self.telling.learn(session, services)
        if staged.wrong is not None:
            self.telling.ask(staged.wrong)
        self._past.add(staged.digests)

    def sweep(self, now: int) -> None:
        """Take in sessions that were forgotten for want of room and are silent for so long that something is due; once a minute."""
        room = min(MOST_DUE, self._most - len(self.live))
        if self._crowded_at is None or self._history is None or now - self._swept < MINUTE or room <= 0:
            return
        table = self._history.silent_sessions(now - self._book.longest_silence, room)
        self._take_in(table, due=now)
        self._swept = now
        if not len(table) and now - self._crowded_at > self._book.longest_silence + AHEAD:
            self._crowded_at = None

    # the way back

    def wake(self, collector: str) -> None:
        """Go on where the stored rows end. Asked for when it is needed first, so that a database that is down delays nothing."""
        if self._awake:
            return
        assert self._history is not None
        versions = Versions(self._history.last_version())
        self._past.wake(self._history)
        table = self._history.open_sessions(self._most)
        for begin in range(0, len(table), AT_ONCE):
            self._take_in(table.slice(begin, AT_ONCE))
        self.woken = [name_columns(*(table.column(name).slice(0, MOST_WOKEN).to_pylist() for name in NAME))]
        if self._alerts.longest_silence and len(table) < self._most:
            heard_since = self._clock.now() - self._alerts.longest_silence
            self._take_in(self._history.ended_sessions(heard_since, self._most - len(table)))
        if len(table) >= self._most:
            self._crowded_at = self._clock.now()
        self._tell_again(collector)
        self.undone = self._history.graves(undone=True)
        self.versions, self._awake = versions, True

    def _take_in(self, table: pa.Table, due: int | None = None) -> None:
        """Stored sessions as they were last told; those that live already are left alone."""
        table = table.combine_chunks()
        if not len(table):
            return
        names = name_columns(*(table.column(name).to_pylist() for name in NAME))
        keys = hashes(self._texts, pa.array(list(map("\0".join, keys_of(names))), pa.string()))
        known = self._past.known(table)
        rules = self._book.of_stored(table, self._texts)
        known.deadline[:] = deadlines(known.heard, known.heard, known.state, rules) if due is None else due
        known.deadline[:] = np.minimum(known.deadline, self._alerts.due(known.heard, 0))
        new = where(self.live.find(keys) < 0)
        self._past.recall_marks(names)
        self.live.put(keys.take(new), pick(names, new), known.take(new), Kept.nothing(len(new)))

    def _tell_again(self, collector: str) -> None:
        """Events that a death between two inserts may have swallowed are due now."""
        assert self._history is not None
        table = self._history.untold_sessions(collector).combine_chunks()
        if not len(table):
            return
        names = name_columns(*(table.column(name).to_pylist() for name in NAME))
        keys = keys_of(names)
        known = self._past.known(table)
        as_told(known, keys, self._history.last_events(keys), self._alerts)
        known.deadline[:] = self._clock.now()
        self._past.recall_marks(names)
        codes = hashes(self._texts, pa.array(list(map("\0".join, keys)), pa.string()))
        self.live.put(codes, names, known, Kept.nothing(len(keys)))

    def meters(self) -> dict[str, float]:
        """Sessions that live, by state, and the bytes of their trace rows."""
        out = {f'sojourn_sessions{{state="{name}"}}': float(self.live.count(code)) for code, name in enumerate(STATES[:ENDED])}
        return out | {"sojourn_lifecycle_trace_row_bytes": float(self.live.bytes)}


def _facets(lists: pa.Array) -> tuple[Rows, Index]:
    """The facets of a column of lists, and the row that each belongs to."""
    return view(flat(lists), TRACE_FACET), owners(lists)


def _of_sessions(whole: Pile, which: Index, count: int) -> Pile:
    """What belongs to some of `count` sessions, numbered anew."""
    place = np.full(count, -1, np.intp)
    place[which] = np.arange(len(which))
    mine = part(whole, where(place.take(whole.session) >= 0))
    return Pile(mine.rows, place.take(mine.session), mine.facets, mine.row)
