"""What a table adds up to, so that two databases can be compared without sending rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sojourn.schema import Column, Table
from sojourn.storage.copying import Portion, day_of, within
from sojourn.storage.database import Database
from sojourn.storage.ordering import Order

ROWS: Final = "rows"
KEYS: Final = "keys"
"""Of the hashes of all keys: that they are the same rows."""
Totals = dict[str, int]


def totals(database: Database, table: Table, order: Order, days: Sequence[int]) -> dict[Portion, Totals]:
    """Rows, and the total of every column: numbers and times are added up, of texts, lists and maps their lengths. By day, for tables that
    are parted by days: those from the first to the last of `days`. Raises Unavailable or Rejected."""
    asked = {ROWS: "count()", KEYS: f"sum(cityHash64({', '.join(_key(table, part) for part in order.parts)}))"}
    asked |= {column.name: _total(column) for column in table.columns}
    told = ", ".join(f"toString({sql}) AS t{number}" for number, sql in enumerate(asked.values()))
    day, where = (f"{day_of(table)}", within(table, days[0], days[-1])) if table.days else ("NULL", "1")
    found = database.rows(f"SELECT {day} AS day, {told} FROM {database.name}.{table.name} FINAL WHERE {where} GROUP BY day")
    return {Portion(table, row["day"]): {name: int(row[f"t{number}"]) for number, name in enumerate(asked)} for row in found}


def _key(table: Table, part: str) -> str:
    """Hours begin elsewhere where the server has another time zone."""
    return f"toUnixTimestamp64Nano({table.days})" if table.days and table.days in part else part


def _total(column: Column) -> str:
    name, kind = f"`{column.name}`", column.type
    if kind.startswith(("UInt", "Int")):
        return f"sum({name})"
    if kind.startswith("DateTime64"):
        return f"sum(toUnixTimestamp64Nano(toDateTime64({name}, 9)))"
    if kind == "Float64":
        return f"sum(reinterpretAsUInt64({name}))"  # a sum of floats depends on their order
    return f"sum(toUInt8({name}))" if kind == "Bool" else f"sum(length({name}))"
