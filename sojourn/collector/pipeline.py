"""A lane at work: one thread that takes a group, sends it through the processors, stores it, and only then commits it.

Whatever goes wrong, a group ends in one of three ways: committed (rows that can never be stored are in the dead letters then), refused
for good ("never": it is forwarded as it came, and is not taken) or refused for now ("later": the collector stops). It is never dropped in
silence.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from sojourn.collector import memory
from sojourn.collector.asking import Desk
from sojourn.collector.dead_letters import DeadLetters
from sojourn.collector.health import Health
from sojourn.collector.meters import Meters
from sojourn.collector.paths import Parcel, Path, Step, addressed, decoded, rank, raw, rows, told_apart
from sojourn.collector.persistence import GivenUp, Persistence, Surprised
from sojourn.collector.sending_on import NotSentOn, SendingOn
from sojourn.collector.sifting import Part, Sifting, size
from sojourn.collector.storing import Storing
from sojourn.component import Batch, Clock
from sojourn.errors import Rejected, Unavailable
from sojourn.scheduling import give_way

if TYPE_CHECKING:
    from sojourn import _native
    from sojourn.wire.lifting import Lifting

log = logging.getLogger(__name__)
TICK: Final = 1.0
TIDY: Final = 5.0
"""Seconds after the first group until free memory is given back: it costs page faults, each over a microsecond."""
PATIENCE: Final = 2.0
"""Seconds to wait until the log has written that the requests in hand are a group, before they are stored as one."""
CLOSING: Final = 0.05
"""Seconds to wait for what may still come to a lane that was closed."""
COME_AGAIN: Final = 5.0
"""Seconds after which a sender whose data was given up may try again."""


@dataclass(slots=True)
class Lane:
    """Groups from one native queue, one after the other."""

    name: str
    queue: _native.Lane
    paths: dict[str, Path]
    """By signal."""
    clock: Clock
    health: Health
    meters: Meters
    persistence: Persistence
    interval: float = TICK
    """Seconds between ticks."""
    letters: DeadLetters = field(default_factory=lambda: DeadLetters(None))
    """Where rows go that can never be stored."""
    log: _native.Log | None = None
    """Where requests are safe until they are stored."""
    oldest: int | None = None
    """Arrival of the oldest request in the group that is in hand, ns since 1970."""
    rounds: int = 0
    ticks: int = 0
    """How many groups and ticks have come to their end, and how many of them were ticks."""
    stored: int = 0
    lost: int = 0
    """How many rows of groups were committed, and how many were given up."""
    kept: bool = False
    """The collector stops, and the log keeps what could not be stored in time."""
    _again: bool = False
    """An earlier process may have begun to store the group in hand."""
    _at: str = ""
    """The component that is at work."""
    _overdue: set[str] = field(default_factory=set)
    """Processors that could not do at the last tick what was due."""
    _closed: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _due: float = 0.0
    _soiled: float = 0.0
    """When the first group came whose memory may still lie around, 0 for none."""
    _turned: threading.Condition = field(default_factory=threading.Condition)
    _desk: Desk = field(init=False)
    _storing: Storing = field(init=False)

    def __post_init__(self) -> None:
        self._desk = Desk(self.queue.wake)
        self._storing = Storing(self.name, SendingOn(self.paths), self.persistence, self.meters)

    def lifts_with(self, lift: Callable[[], Lifting]) -> None:
        """What makes facts anew of rows that plugins changed, once it is needed."""
        self._storing.sending_on = SendingOn(self.paths, lift)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name=f"lane {self.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more data comes: bring to its end what is there."""
        self._closed.set()
        self.queue.close()

    def join(self, timeout: float) -> bool:
        """Wait for the thread; False if it is still at work."""
        if self._thread is not None:
            self._thread.join(timeout)
            return not self._thread.is_alive()
        return True

    def answers(self) -> bool:
        """Whether any processor here can be asked."""
        return any(hasattr(step.process, "asked") for _, _, step in self._stages())

    def ask(self, request: object, timeout: float) -> None:
        """Have the processors answer between two groups. Raises Unavailable, or what they raise."""
        self._desk.ask(request, timeout)

    def wait(self, until: Callable[[], bool], timeout: float) -> bool:
        """Wait until something holds, looking after every group and tick; for tests, which must not sleep."""
        with self._turned:
            return self._turned.wait_for(until, timeout)

    def stats(self) -> dict[str, float]:
        """Samples for /metrics."""
        queue = self.queue.stats()
        logged = self.log.stats() if self.log is not None else {}
        return logged | {
            "otelcol_exporter_queue_size": queue.get("queued_bytes", 0.0),
            "otelcol_exporter_queue_capacity": queue.get("capacity_bytes", 0.0),
            "sojourn_lane_queued_rows": queue.get("queued_rows", 0.0),
            "sojourn_lane_oldest_unwritten_seconds": self.oldest_seconds(),
        }

    def idle(self) -> bool:
        """Nothing waits and nothing is on its way."""
        stats = self.queue.stats()
        return not stats["queued_rows"] and not stats["queued_bytes"] and not stats.get("behind")

    def oldest_seconds(self) -> float:
        oldest = self.oldest
        return 0.0 if oldest is None else max(0.0, (self.clock.now() - oldest) / 1e9)

    def _work(self) -> None:
        if self.log is not None:
            give_way()
        try:
            self._rounds()
        finally:
            self._desk.close()
            self._storing.close()

    def _rounds(self) -> None:
        self._due = time.monotonic() + self.interval
        while True:
            try:
                closed = self._closed.is_set()  # what came between looking and closing is still to be taken
                delivery = self.queue.next(0.0 if self._desk.waiting() else self._patience(closed))
                if delivery is not None:
                    self._group(delivery)
                self._answer()
                if time.monotonic() >= self._due:
                    self._tick()
                    self._tidy()
                    self._due = time.monotonic() + self.interval
                if closed and self._ended(delivery):
                    self._end()
                    return
            except Exception as error:
                log.exception("lane %s: failed unexpectedly: this is a defect, please report it", self.name)
                self.health.trouble(f"lanes::{self.name}", f"{type(error).__name__}: {error}", fatal=True)
                time.sleep(0.1)

    def _end(self) -> None:
        """What waits for a second look gets it now: after a restart nobody would remember it, and until then it would not be seen."""
        waiting = [step.process for _, _, step in self._stages() if hasattr(step.process, "ending")]
        for process in waiting:
            process.ending()
        self._tick()
        if waiting:
            self._tick()  # what a processor asked of one before it

    def _patience(self, closed: bool) -> float:
        """Seconds to wait for a group: until something is due, and hardly if no more are to come."""
        left = max(0.0, self._due - time.monotonic())
        return min(left, CLOSING) if closed else left

    def _ended(self, delivery: _native.Delivery | None) -> bool:
        """Whether a closed lane has nothing left to do, or no time to do it."""
        stats = self.queue.stats()
        behind, queued = bool(stats.get("behind")), bool(stats["queued_rows"])
        if behind and self.persistence.expired():
            self.kept = True
            return not queued
        return delivery is None and not behind and not queued

    def _tidy(self) -> None:
        """Let go of code that the last groups did not run and, now and then, of what they left free in pieces."""
        if not self._soiled:
            return
        memory.drop_idle_code()
        if time.monotonic() >= self._soiled + TIDY:
            memory.give_pages_back()
            self._soiled = 0.0

    def _group(self, delivery: _native.Delivery) -> None:
        begin = time.monotonic()
        self._soiled = self._soiled or begin
        self.oldest, self._again = delivery.oldest, delivery.replayed
        try:
            self._bring(delivery)
        except Rejected as error:
            self._fail(delivery, str(error), None)
        except Surprised as error:
            self._fail(delivery, str(error), None if delivery.logged else COME_AGAIN)
        except GivenUp as error:
            self._give_up(delivery, str(error))
        except BaseException:
            self._fail(delivery, "the collector failed", COME_AGAIN)
            raise
        else:
            delivery.commit()
        finally:
            self.oldest = None
            self._storing.sending_on.end()
            self._turn()
        self.meters.took("sojourn_lane_group_seconds", time.monotonic() - begin, lane=self.name)

    def _give_up(self, delivery: _native.Delivery, message: str) -> None:
        if not delivery.logged:
            self._fail(delivery, message, COME_AGAIN)
            return
        self._discard()
        self.kept = True
        log.warning("lane %s: %d rows stay in the write-ahead log for the next start: %s", self.name, delivery.rows, message)
        delivery.refuse(message, COME_AGAIN)

    def _fail(self, delivery: _native.Delivery, message: str, retry_after: float | None) -> None:
        self._discard()
        self.lost += delivery.rows
        self.meters.add("sojourn_lane_given_up_rows_total", delivery.rows, lane=self.name)
        log.error("lane %s: %d rows are not stored: %s", self.name, delivery.rows, message)
        delivery.refuse(message, retry_after)

    def _turn(self) -> None:
        with self._turned:
            self.rounds += 1
            self._turned.notify_all()

    def _bring(self, delivery: _native.Delivery) -> None:
        """Store a group; if some of its rows can never be stored, all the others."""
        incoming = self._storing.sending_on.begin(delivery, list(decoded(delivery, self.paths)))
        requests, token = list(raw(delivery, self.paths)), None
        try:
            parcels = self._through(incoming)
            token = delivery.token(PATIENCE)
            self._storing.store(told_apart(sorted([*requests, *parcels], key=rank), token, self._again))
        except NotSentOn as error:
            if not incoming:
                raise
            self._committed()  # everything else is stored
            self._sift(incoming, token, error)
        except (Rejected, Surprised) as error:
            if not incoming:
                raise
            self._discard()
            self._storing.sending_on.again()
            self._sift(incoming, token, error)
        else:
            self._committed()
            self.stored += delivery.rows

    def _sift(self, incoming: Part, token: str | None, reason: Exception) -> None:
        """Store what can be stored. Raises the reason if that is nothing, and nothing of it is in the dead letters."""
        insist = partial(self.persistence.attempt, lambda: f"lanes::{self.name}")
        sifting = Sifting(self.name, self._store_part, self.letters, insist)
        sifting.sift(incoming, token, reason)
        if sifting.lost == size(incoming):
            raise reason
        self.stored += size(incoming) - sifting.bad
        self.lost += sifting.lost
        self.meters.add("sojourn_lane_dead_rows_total", sifting.bad - sifting.lost, lane=self.name)
        self.meters.add("sojourn_lane_given_up_rows_total", sifting.lost, lane=self.name)

    def _store_part(self, part: Part, token: str | None) -> None:
        try:
            self._storing.store(told_apart(self._through(part), token, self._again))
        except BaseException:
            self._discard()
            raise
        self._committed()

    def _through(self, incoming: Part) -> list[Parcel]:
        """What has to be stored after all processors, in the order of the tables."""
        produced = self.persistence.attempt(lambda: self._at, lambda: self._processed(incoming), self._discard)
        return sorted(produced, key=rank)

    def _processed(self, incoming: Iterable[tuple[Path, Batch]]) -> list[Parcel]:
        out = [parcel for path, batch in incoming for parcel in addressed(path, self._chain(path.steps, [batch]))]
        for index, path, step in self._stages():
            out += self._sent_on(index, path, step, step.process.settle)
        return out

    def _chain(self, steps: Iterable[Step], batches: list[Batch]) -> list[Batch]:
        for step in steps:
            self._at = f"processors::{step.id}"
            begin = time.monotonic()
            if step.lifts:
                batches = self._storing.sending_on.lifted(batches)
            out = [out for batch in batches for out in step.process.process(batch) if out.records.num_rows]
            self.meters.took("sojourn_processor_seconds", time.monotonic() - begin, processor=step.id)
            self.meters.add("otelcol_processor_incoming_items_total", rows(batches), processor=step.id)
            self.meters.add("otelcol_processor_outgoing_items_total", rows(out), processor=step.id)
            self.persistence.well(self._at)
            batches = out
        return batches

    def _tick(self) -> None:
        try:
            self._do_what_is_due(self.clock.now())
        finally:
            self.ticks += 1
            self._turn()

    def _do_what_is_due(self, now: int) -> None:
        """Ask every processor. What cannot be done now is due again at the next tick."""
        try:
            parcels = [parcel for index, path, step in self._stages() for parcel in self._due_of(index, path, step, now)]
        except Exception as error:
            self.persistence.tell(self._at, error)
            self._overdue.add(self._at)
            self._discard()
            return
        try:
            self._storing.store(sorted(parcels, key=rank))
        except (Rejected, Surprised, GivenUp) as error:
            self._discard()
            log.error("lane %s: what was due is not stored: %s", self.name, error)
        else:
            self._committed()

    def _answer(self) -> None:
        """One of the requests that wait, so that neither they nor the groups hold the others up for long."""
        if (waiting := self._desk.take()) is None:
            return
        request, outcome = waiting
        try:
            parcels = [parcel for _, path, step in self._stages() for parcel in self._asked_of(path, step, request)]
            self._storing.store(sorted(parcels, key=rank))
        except Exception as error:
            self._discard()
            outcome.set_exception(Unavailable(str(error)) if isinstance(error, (GivenUp, Surprised)) else error)
        else:
            self._committed()
            outcome.set_result(None)
        self._turn()

    def _asked_of(self, path: Path, step: Step, request: object) -> list[Parcel]:
        asked = getattr(step.process, "asked", None)
        if asked is None:
            return []
        self._at = f"processors::{step.id}"
        return addressed(path, [batch for batch in asked(request) if batch.records.num_rows])

    def _stages(self) -> Iterator[tuple[int, Path, Step]]:
        """Every processor once, with the first path that it is in and its place there."""
        seen: set[str] = set()
        for path in self.paths.values():
            for index, step in enumerate(path.steps):
                if step.id not in seen:
                    seen.add(step.id)
                    yield index, path, step

    def _due_of(self, index: int, path: Path, step: Step, now: int) -> list[Parcel]:
        out = self._sent_on(index, path, step, step.process.settle)
        out += self._sent_on(index, path, step, partial(step.process.tick, now))
        if self._at in self._overdue:
            self._overdue.discard(self._at)
            self.persistence.well(self._at)
        return out

    def _sent_on(self, index: int, path: Path, step: Step, tell: Callable[[], Iterable[Batch]]) -> list[Parcel]:
        """What a processor gives by itself, after those behind it."""
        where = self._at = f"processors::{step.id}"
        told = [batch for batch in tell() if batch.records.num_rows]
        out = addressed(path, self._chain(path.steps[index + 1 :], told)) if told else []
        self._at = where
        return out

    def _committed(self) -> None:
        for _, _, step in self._stages():
            try:
                step.process.committed()
            except Exception as error:  # the data is stored; only this processor's memory of it is wrong
                self.persistence.tell(f"processors::{step.id}", error)

    def _discard(self) -> None:
        for _, _, step in self._stages():
            try:
                step.process.discard()
            except Exception as error:
                self.persistence.tell(f"processors::{step.id}", error)
