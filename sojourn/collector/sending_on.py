"""Rows that processors changed, as requests: for exporters that send requests on, and for what follows from what a request says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sojourn.collector.paths import Outlet, Parcel, Path
from sojourn.collector.sifting import Part
from sojourn.component import Batch, Raw
from sojourn.errors import Rejected

if TYPE_CHECKING:
    from sojourn import _native
    from sojourn.wire.going_on import Came
    from sojourn.wire.lifting import Lifting


class NotSentOn(Rejected):
    """The other side takes some requests never; what other exporters store, they have stored."""

    def __init__(self, message: str) -> None:
        super().__init__(message, of_rows=False)


class SendingOn:
    """Of one lane. Costs nothing where no processor stands before such an exporter, and no plugin before ours."""

    def __init__(self, paths: Mapping[str, Path], lift: Callable[[], Lifting] | None = None) -> None:
        self._signals = frozenset(signal for signal, path in paths.items() if path.remembers)
        self._lift = lift
        self._lifting: Lifting | None = None
        self._came: Came | None = None
        self._number = 0
        self._accepted: set[str] = set()
        self._done: frozenset[str] = frozenset()

    def begin(self, delivery: _native.Delivery, incoming: Part) -> Part:
        """A group comes: its rows, each of which can be found again in its requests."""
        self._accepted, self._done = set(), frozenset()
        if not self._signals:
            return incoming
        from sojourn.wire.going_on import Came

        self._number += 1
        tables = {batch.table: batch.records for path, batch in incoming if path.remembers}
        came = Came(self._number, [(signal, body) for signal, body in delivery.raw() if signal in self._signals], tables)
        self._came = came
        return [(path, replace(batch, records=came.marked(batch.table)) if path.remembers else batch) for path, batch in incoming]

    def lifted(self, batches: list[Batch]) -> list[Batch]:
        """What follows from the rows is right again, if a processor changed some of them. Raises Rejected for what is no row any more."""
        if self._came is None or self._lift is None:
            return batches
        self._lifting = self._lifting or self._lift()
        came, lifting = self._came, self._lifting
        return [replace(batch, records=lifting.again(came, batch.table, batch.records)) for batch in batches]

    def end(self) -> None:
        self._came = None

    def accepted(self, outlet: Outlet, batch: Batch | Raw) -> None:
        if isinstance(batch, Raw):
            self._accepted.add(outlet.id)

    def again(self) -> None:
        """Parts of the group are stored one by one now: who took its requests has them."""
        self._done = frozenset(self._accepted)

    def written(self, parcels: list[Parcel]) -> list[Parcel]:
        """Rows for exporters that send requests on become requests. Raises Rejected for rows that cannot be in one."""
        if not any(outlet.raw for outlet, _ in parcels):
            return parcels
        rows: dict[str, tuple[Outlet, list[Batch]]] = {}
        others: list[Parcel] = []
        for outlet, batch in parcels:
            if not outlet.raw:
                others.append((outlet, batch))
            elif outlet.id not in self._done:
                if isinstance(batch, Raw):
                    others.append((outlet, batch))
                else:
                    rows.setdefault(outlet.id, (outlet, []))[1].append(batch)
        return [(outlet, raw) for outlet, batches in rows.values() for raw in self._requests(batches)] + others

    def _requests(self, batches: Iterable[Batch]) -> Iterable[Raw]:
        from sojourn.wire.going_on import SIGNALS, Came

        left: dict[str, dict[str, list[object]]] = {}
        for batch in batches:
            left.setdefault(SIGNALS[batch.table], {}).setdefault(batch.table, []).append(batch.records)
        came = self._came or Came(0, [], {})
        for signal, tables in left.items():
            if requests := tuple(came.requests_of(signal, tables)):
                yield Raw(signal, requests)
