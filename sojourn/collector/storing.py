"""What leaves a lane: batches to exporters, each until it is stored or refused for good."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from sojourn.collector.meters import Meters
from sojourn.collector.paths import DERIVED, LAST, Outlet, Parcel, rank
from sojourn.collector.persistence import GivenUp, Persistence, Surprised
from sojourn.collector.sending_on import NotSentOn, SendingOn
from sojourn.component import Batch, Raw
from sojourn.errors import Rejected

_ITEMS: Final = {"otel_traces": "spans", "otel_logs": "log_records"}


class Storing:
    """Of one lane; its thread calls."""

    def __init__(self, lane: str, sending_on: SendingOn, persistence: Persistence, meters: Meters) -> None:
        self._lane = lane
        self.sending_on = sending_on
        self._persistence = persistence
        self._meters = meters
        self._pool: ThreadPoolExecutor | None = None

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def store(self, parcels: list[Parcel]) -> None:
        """Export all of it: what was received in order, then what is derived from it side by side, since a database answers slowly.

        An exporter that rejects gets no more of what was received; the others get all. Raises Rejected and GivenUp.
        """
        parcels = self.sending_on.written(parcels)
        rejected: dict[str, Rejected] = {}
        for parcel in (parcel for parcel in parcels if not rank(parcel)):
            if parcel[0].id not in rejected and (error := self._export(parcel)):
                rejected[parcel[0].id] = error
        derived = [parcel for parcel in parcels if 0 < rank(parcel) < LAST and parcel[0].id not in rejected]
        if len(derived) > 1:
            answers = list(self._side_by_side().map(self._export, derived))
        else:
            answers = [self._export(parcel) for parcel in derived]
        rejected |= {parcel[0].id: error for parcel, error in zip(derived, answers, strict=True) if error}
        for parcel in (parcel for parcel in parcels if rank(parcel) == LAST):
            if parcel[0].id not in rejected and (error := self._export(parcel)):
                rejected[parcel[0].id] = error
        if rejected and all(isinstance(error, NotSentOn) for error in rejected.values()):
            raise NotSentOn("; ".join(map(str, rejected.values())))
        if rejected:
            raise Rejected("; ".join(map(str, rejected.values())), any(error.of_rows for error in rejected.values()))

    def _side_by_side(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(DERIVED, f"lane {self._lane} exports")
        return self._pool

    def _export(self, parcel: Parcel) -> Rejected | None:
        """Export one batch, again and again if need be; gives the refusal if it is refused for good. Raises GivenUp."""
        outlet, batch = parcel
        where = f"exporters::{outlet.id}"
        begin = time.monotonic()
        try:
            self._persistence.attempt(lambda: where, partial(outlet.export.export, batch))
        except (Rejected, Surprised, GivenUp) as error:
            self._count("send_failed", outlet, batch)
            if not isinstance(error, Rejected):
                raise
            return NotSentOn(f"{where}: {error}") if isinstance(batch, Raw) else Rejected(f"{where}: {error}", error.of_rows)
        self.sending_on.accepted(outlet, batch)
        self._persistence.well(where)
        self._meters.took("sojourn_exporter_seconds", time.monotonic() - begin, exporter=outlet.id)
        self._count("sent", outlet, batch)
        return None

    def _count(self, what: str, outlet: Outlet, batch: Batch | Raw) -> None:
        if isinstance(batch, Raw):
            self._meters.add(f"sojourn_exporter_{what}_requests_total", len(batch.requests), exporter=outlet.id, signal=batch.signal)
            self._meters.add(f"sojourn_exporter_{what}_bytes_total", sum(map(len, batch.requests)), exporter=outlet.id, signal=batch.signal)
        elif batch.table.startswith("otel_"):
            items = _ITEMS.get(batch.table, "metric_points")
            self._meters.add(f"otelcol_exporter_{what}_{items}_total", batch.records.num_rows, exporter=outlet.id)
        else:
            self._meters.add(f"sojourn_exporter_{what}_rows_total", batch.records.num_rows, exporter=outlet.id, table=batch.table)
