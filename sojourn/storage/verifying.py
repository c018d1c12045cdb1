"""Are rows that were received really in their table?

The engine of a table without replicas writes down the token of an insert just before the rows become visible. If it is killed in between,
it takes the same insert for a repeated one for ever after: it says yes and stores nothing. So whoever inserts again has to look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sojourn import schema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from sojourn.storage.database import Database

    Mask = npt.NDArray[np.bool_]


def missing(database: Database, table: schema.Table, records: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """The places of rows of `records` that the table holds neither as they are nor in a greater version.

    Raises Unavailable or Rejected. A database that gives no readable answer (a sink that discards everything) misses nothing.
    """
    import numpy as np

    held = _spans_held(database, records) if table is schema.OTEL_TRACES else _digests_held(database, table, records)
    return np.flatnonzero(~held) if held is not None else np.zeros(0, np.int64)


def _spans_held(database: Database, records: pa.RecordBatch) -> Mask | None:
    import numpy as np

    sql = (
        f"SELECT Tenant, TraceId, SpanId, max(Version) AS Version FROM {database.name}.{schema.OTEL_TRACES.name} "
        "WHERE TraceId IN (SELECT arrayJoin(splitByChar(',', {traces:String}))) GROUP BY Tenant, TraceId, SpanId"
    )
    found = database.query_arrow(sql, {"traces": ",".join(set(records.column("TraceId").to_pylist()))})
    if found is None:
        return None
    held = dict(_versions(found))
    return np.array([held.get(key, -1) >= version for key, version in _versions(records)], bool)


def _versions(rows: pa.RecordBatch | pa.Table) -> list[tuple[tuple[str, str, str], int]]:
    tenants, traces, spans, versions = (rows.column(name).to_pylist() for name in ("Tenant", "TraceId", "SpanId", "Version"))
    numbers = (int.from_bytes(version, "little") for version in versions)
    return list(zip(zip(tenants, traces, spans, strict=True), numbers, strict=True))


def _digests_held(database: Database, table: schema.Table, records: pa.RecordBatch) -> Mask | None:
    """A copy that was stored with another time, since it tells none that can be kept, is not looked for: this one collapses with it."""
    import numpy as np

    digests, times = (np.asarray(records.column(name).cast(kind)) for name, kind in (("Digest", "uint64"), (table.days, "int64")))
    sql = (
        f"SELECT DISTINCT Digest FROM {database.name}.{table.name} "
        "WHERE Digest IN (SELECT toUInt64(arrayJoin(splitByChar(',', {digests:String})))) "
        f"AND {table.days} BETWEEN fromUnixTimestamp64Nano({{first:Int64}}) AND fromUnixTimestamp64Nano({{last:Int64}})"
    )
    asked = {"digests": ",".join(map(str, digests.tolist())), "first": int(times.min()), "last": int(times.max())}
    found = database.query_arrow(sql, asked)
    return None if found is None else np.isin(digests, np.asarray(found.column("Digest")))
