"""What `aggregate` does with spans of sessions that were deleted: it keeps them out, and finds more of their traces as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.component import FORGET, Batch
from sojourn.processors.recalling import Recall, Touched
from sojourn.schema import SESSION_MARKS
from sojourn.sessions.graves import Grave, marks_of, orders_of
from sojourn.sessions.names import key_of
from sojourn.sessions.order import where
from sojourn.sessions.packed import Keys, Mask, Rows, filled, hashes, take, trace_keys
from sojourn.sessions.rows import look_up
from sojourn.sessions.telling import Telling
from sojourn.sessions.tenants import with_tenants
from sojourn.sessions.traces import Folded


class Burials:
    def __init__(self, texts: Any, recall: Recall, telling: Telling) -> None:
        self._texts, self._recall, self._telling = texts, recall, telling
        self._buried: list[Grave] = []
        """Traces of deleted sessions that are found with this group."""

    def again(self) -> None:
        """Know again what was deleted in an earlier life."""
        graves = self._recall.graves()
        if graves:
            self._bury(graves, [])
            self._telling.graves.committed()

    def living(self, records: pa.RecordBatch, traces: pa.Array, facts: Rows) -> tuple[pa.RecordBatch, Rows]:
        """Without what belongs to deleted sessions: that is not stored again."""
        if not self._telling.graves:
            return records, facts
        told, some = traces.dictionary, filled(traces.dictionary)
        tenants = self._telling.tenants.of_traces(records.column("Tenant"), facts, len(told), self._texts)
        keys = np.zeros((len(told), 3), ">u8")
        keys[some] = with_tenants(trace_keys(told), tenants.compress(some))
        dead = self._telling.graves.dead(facts, keys)
        if not dead.any():
            return records, facts
        return records.filter(pa.array(~dead)), take(facts, where(~dead))

    def alive(self, touched: Touched) -> Touched:
        """Without what was deleted, wherever it was remembered."""
        if self._telling.graves:
            dead = self._telling.graves.dead(touched.facts, touched.keys)
            if dead.any():
                touched.fresh -= int(dead[: touched.fresh].sum())
                touched.facts = take(touched.facts, where(~dead))
        return touched

    def late(
        self, touched: Touched, folded: Folded, numbers: npt.NDArray[np.uint32], version: Callable[[], int]
    ) -> tuple[Mask, Keys | None]:
        """Parts of traces that turn out to be of a session that was deleted after they had begun: they go. And the keys of
        the traces that go: of what other sessions have of them something else may count now.
        """
        cells, graves = folded.cells, self._telling.graves
        if not graves or not cells.groups.count:
            return np.zeros(cells.groups.count, bool), None
        since = graves.since(cells.session)
        late = folded.traces["start"] < since
        whole = where(late & (cells.session == folded.main.take(cells.trace)))
        if not len(whole):
            return np.asarray(late), None
        names = look_up(self._texts, cells.session.take(whole)).to_pylist()
        traces = [self._recall.trace_of(touched.keys[number].tobytes())[1] for number in numbers.take(cells.trace.take(whole)).tolist()]
        now = version()
        found = zip(names, traces, since.take(whole).tolist(), strict=True)
        buried = [Grave(key_of(name), trace, time, now) for name, trace, time in found]
        self._bury(buried, buried)
        self._buried += buried
        return np.asarray(late), self._recall.keys_of([(grave.key[0], grave.trace) for grave in buried])

    def orders(self) -> list[Batch]:
        """What follows from it if traces turned out to be of deleted sessions."""
        graves, self._buried = self._buried, []
        if not graves:
            return []
        return [Batch(SESSION_MARKS.name, marks_of(graves, graves[0].version, 0)), Batch(FORGET, orders_of(graves))]

    def discard(self) -> None:
        self._buried.clear()
        self._telling.graves.discard()

    def _bury(self, graves: list[Grave], orders: list[Grave]) -> None:
        traces = [(grave.key[0], grave.trace) for grave in graves if grave.trace]
        codes = hashes(self._texts, pa.array(["\0".join(grave.key) for grave in graves], pa.string())).tolist()
        self._telling.graves.stage(
            {code: grave.time for code, grave in zip(codes, graves, strict=True)}, self._recall.keys_of(traces), orders
        )
