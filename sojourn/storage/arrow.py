"""Which Arrow types the columns of a table have when ClickHouse gives them (FORMAT Arrow)."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

    from sojourn.schema import Table


@functools.cache
def _plain() -> dict[str, pa.DataType]:
    import pyarrow as pa

    return {
        "UInt8": pa.uint8(),
        "UInt32": pa.uint32(),
        "UInt64": pa.uint64(),
        "UInt128": pa.binary(16),
        "Int32": pa.int32(),
        "Int64": pa.int64(),
        "Float64": pa.float64(),
        "Bool": pa.bool_(),
        "String": pa.string(),
        "LowCardinality(String)": pa.string(),
        "DateTime64(9)": pa.timestamp("ns"),
        "DateTime64(3)": pa.timestamp("ms"),
    }


_OUTER: Final = re.compile(r"(Array|Map)\((.*)\)")


def arrow_type(clickhouse: str) -> pa.DataType:
    """The Arrow type of a ClickHouse type of our tables. KeyError for others."""
    import pyarrow as pa

    nested = _OUTER.fullmatch(clickhouse)
    if nested is None:
        return _plain()[clickhouse]
    if nested[1] == "Array":
        return pa.list_(arrow_type(nested[2]))
    key, value = nested[2].rsplit(", ", 1)
    return pa.map_(arrow_type(key), arrow_type(value))


def arrow_schema(table: Table) -> pa.Schema:
    """All columns of the table."""
    import pyarrow as pa

    return pa.schema([(column.name, arrow_type(column.type)) for column in table.columns])


def empty(table: Table) -> pa.Table:
    """No rows, all columns."""
    return arrow_schema(table).empty_table()
