"""What `lifecycle` does when there is time: look whether what it told is still what is stored, and let go of what is older than it must be.

Both take at most a twentieth of the lane's time, and wait for the next tick when that is used up.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import pyarrow as pa

from sojourn.component import FORGET, Batch, Host
from sojourn.processors.remembering import Memory
from sojourn.sessions.graves import Grave, orders_of
from sojourn.sessions.lifecycle import MINUTE
from sojourn.sessions.names import Key, keys_of
from sojourn.sessions.requests import Refold

SHARE: Final = 0.05
"""Of the lane's time."""
MOST_WAITING: Final = 20_000
"""Sessions that wait to be looked at; more are not, and counted."""
AT_ONCE: Final = 50
EXPIRED: Final = 1_000
"""Sessions, and traces without one, that are removed at once."""
TRACES: Final = 20_000
"""Their traces, beyond the first session's."""
BETWEEN: Final = 60 * MINUTE
"""Between two looks for what is too old."""


class Upkeep:
    def __init__(self, host: Host, memory: Memory, refold: Callable[[Refold], list[Batch]]) -> None:
        self._history, self._memory, self._refold = host.history, memory, refold
        self._waiting: deque[pa.RecordBatch] = deque()
        self._count = 0
        self._rest = 0.0
        """Monotonic time until which nothing is done."""
        self._look = 0
        """When to look for what is too old next, ns since 1970."""
        self.skipped = 0

    def suspect(self, names: pa.RecordBatch) -> None:
        """Look at these sessions when there is time: they ended, or lived when the collector died."""
        if not len(names) or self._history is None or self._memory.telling.folding is None:
            return
        room = MOST_WAITING - self._count
        self.skipped += max(len(names) - room, 0)
        if room > 0:
            self._waiting.append(names.slice(0, room))
            self._count += len(self._waiting[-1])

    def tick(self, now: int) -> list[Batch]:
        begin = time.monotonic()
        if self._history is None or begin < self._rest:
            return []
        batches = self._expire(now) if now >= self._look else self._check()
        self._rest = time.monotonic() + (time.monotonic() - begin) * (1 / SHARE - 1)
        return batches

    def _check(self) -> list[Batch]:
        keys: list[Key] = []
        while self._waiting and len(keys) < AT_ONCE:
            names = self._waiting.popleft()
            if len(names) > AT_ONCE - len(keys):
                self._waiting.appendleft(names.slice(AT_ONCE - len(keys)))
                names = names.slice(0, AT_ONCE - len(keys))
            keys += keys_of(names)
        self._count -= len(keys)
        return self._refold(Refold(list(dict.fromkeys(keys)), thorough=False)) if keys else []

    def _expire(self, now: int) -> list[Batch]:
        """Remove whole sessions whose time is over, then traces without session, then whatever belongs to neither."""
        history, memory = self._history, self._memory
        assert history is not None
        if not history.retention:
            self._look = now + BETWEEN
            return []
        before = now - history.retention
        version = memory.versions.next(now)
        keys = memory.not_alive(_some(history.expired_sessions(before, EXPIRED)))
        if keys:
            rows = history.trace_rows_of_sessions(keys)
            spans = [bool(count) for count in rows.column("Spans").to_pylist()]
            traces = list(zip(keys_of(rows), rows.column("TraceId").to_pylist(), spans, strict=True))
            # Of other sessions something else may count now: a call that only a record told, or only a span.
            memory.refolded(memory.keys_of(history.shared(keys, [trace for _, trace, _ in traces])))
        else:
            traces = [((tenant, "", ""), trace, True) for tenant, trace in history.expired_traces(before, EXPIRED)]
        if memory.telling.folding is not None:
            memory.telling.folding.forget([(key[0], trace) for key, trace, _ in traces])
        orders = [*(Grave(key, "", now, version) for key in keys), *(Grave(key, trace, now, version, real) for key, trace, real in traces)]
        if not orders:
            self._look = now + BETWEEN
            orders = [Grave(("", "", ""), "", before, 0)]
        return [Batch(FORGET, orders_of(orders))]


def _some(sessions: list[tuple[str, str, str, int]]) -> list[Key]:
    """As many of these sessions as have not too many traces together."""
    keys: list[Key] = []
    traces = 0
    for *key, count in sessions:
        traces += count
        if keys and traces > TRACES:
            break
        keys.append((key[0], key[1], key[2]))
    return keys
