"""Every row of one database into another, piece by piece in the order of the tables, so that it can be stopped at any moment.

Which piece comes next is written down before it is sent, and that it is stored before the next one (`copied`): where nobody knows whether a
piece arrived, the same rows are sent again with the same token. Merges in between change nothing, since a piece is a range of keys.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from sojourn import schema
from sojourn.errors import Rejected, SojournError, Unavailable
from sojourn.storage.copied import Copied, Place
from sojourn.storage.database import Database
from sojourn.storage.inserting import settings
from sojourn.storage.ordering import Order

log = logging.getLogger(__name__)
T = TypeVar("T")

BYTES: Final = 32 << 20
"""Uncompressed bytes of a piece, about: it stands in memory three times while it is sent."""
ROWS: Final = 100_000
PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between two attempts to reach the server."""
DAY: Final = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows of one table that are copied one after the other: those of one day, or all of a table that is not parted by days."""

    table: schema.Table
    day: int | None = None
    """Days since 1970, UTC."""

    @property
    def name(self) -> str:
        return self.table.name if self.day is None else f"{self.table.name}/{self.day}"

    @property
    def condition(self) -> str:
        return "1" if self.day is None else within(self.table, self.day, self.day)


def within(table: schema.Table, first: int, last: int) -> str:
    """The condition that a row lies in these days."""
    begin, end = (f"fromUnixTimestamp64Nano(toInt64({day * DAY}))" for day in (first, last + 1))
    return f"{table.days} >= {begin} AND {table.days} < {end}"


def day_of(table: schema.Table) -> str:
    return f"intDiv(toUnixTimestamp64Nano({table.days}), {DAY})"


def days(table: schema.Table, *databases: Database) -> list[int]:
    """Those of which there are rows in any of the databases."""
    sql = f"SELECT DISTINCT {day_of(table)} AS day FROM {{}}.{table.name}"
    return sorted({int(row["day"]) for database in databases for row in database.rows(sql.format(database.name))})


def portions(database: Database) -> list[Portion]:
    return [portion for table in schema.TABLES for portion in _portions(database, table)]


def _portions(database: Database, table: schema.Table) -> list[Portion]:
    return [Portion(table, day) for day in days(table, database)] if table.days else [Portion(table)]


@dataclass(frozen=True, slots=True)
class Measured:
    """What is asked of a table once."""

    order: Order
    rows: int
    """Rows that are stored; of equal ones that are not merged yet one is copied."""
    most: int
    """Rows of a piece."""


@dataclass(slots=True)
class Copying:
    source: Database
    target: Database
    copied: Copied
    most: int = ROWS
    """Rows of a piece."""
    pauses: tuple[float, ...] = PAUSES
    _measured: dict[str, Measured] = field(default_factory=dict)

    def rows(self) -> int:
        """How many rows there are to copy, about."""
        return sum(self.measured(table).rows for table in schema.TABLES)

    def copy(self, portion: Portion) -> Iterator[int]:
        """Copy what is left of a portion; how many rows each piece had. Raises SojournError, and then it may be called again."""
        progress, order = self.copied.of(portion.name), self.measured(portion.table).order
        while not progress.finished:
            after = order.after(progress.after)
            if progress.upto is None:
                rows, last = self._next(portion, order, after)
                if not rows:
                    self.copied.tell(portion.name, "finished")
                    return
                self.copied.tell(portion.name, "begun", last, rows)
            assert progress.upto is not None
            block = self._read(portion, f"{after} AND {order.until(progress.upto)}")
            token = f"copy/{self.copied.id}/{portion.name}/{progress.attempt}-{progress.pieces}"
            self._insistently(partial(self._insert, portion.table, block, token))
            self.copied.tell(portion.name, "stored")
            yield progress.size

    def measured(self, table: schema.Table) -> Measured:
        if table.name not in self._measured:
            sql = (
                "SELECT sum(rows) AS rows, sum(data_uncompressed_bytes) AS size FROM system.parts "
                "WHERE active AND database = {database:String} AND table = {table:String}"
            )
            found = self.source.rows(sql, {"database": self.source.name, "table": table.name})[0]
            rows, size = int(found["rows"]), int(found["size"])
            most = max(1, min(self.most, BYTES * rows // max(size, 1)))
            self._measured[table.name] = Measured(Order.of(self.source, table), rows, most)
        return self._measured[table.name]

    def _next(self, portion: Portion, order: Order, after: str) -> tuple[int, Place]:
        """How many rows the next piece has, and the place of the last."""
        keys, where = ", ".join(order.parts), f"{portion.condition} AND {after}"
        first = f"SELECT tuple({keys}) AS place FROM {self._table(portion)} WHERE {where} ORDER BY {keys}"
        some = f"SELECT count() AS rows, max(place) AS last FROM ({first} LIMIT {self.measured(portion.table).most})"
        place = ", ".join(order.told(f"tupleElement(last, {number + 1})", number) for number in range(len(order.parts)))
        found = self.source.rows(f"SELECT rows, [{place}] AS place FROM ({some})")[0]
        return int(found["rows"]), tuple(found["place"])

    def _read(self, portion: Portion, condition: str) -> bytes:
        """Of rows that a merge would make one, the one that would stay. FINAL hides rows that say that something has vanished."""
        names = ", ".join(f"`{column.name}`" for column in portion.table.columns)
        final = "" if any(column.name == "Deleted" for column in portion.table.columns) else " FINAL"
        return self.source.native(f"SELECT {names} FROM {self._table(portion)}{final} WHERE {portion.condition} AND {condition}")

    def _table(self, portion: Portion) -> str:
        return f"{self.source.name}.{portion.table.name}"

    def _insert(self, table: schema.Table, block: bytes, token: str) -> None:
        from clickhouse_connect.driver.exceptions import ClickHouseError
        from lz4 import frame

        from sojourn.storage.failures import told

        chosen: dict[str, Any] = settings(self.target, table, token)
        try:
            names = [column.name for column in table.columns]
            self.target.insert(table.name, names, frame.compress(block), compressed=True, settings=chosen)
        except ClickHouseError as error:
            raise told(error, f"{self.target.address}: {table.name}") from error

    def _insistently(self, action: Callable[[], T]) -> T:
        """A server that cannot be reached is waited for, but not for ever."""
        for pause in self.pauses:
            try:
                return action()
            except Unavailable as error:
                log.warning("%s: trying again in %.0f s", error, pause)
                time.sleep(pause)
            except Rejected as error:
                raise SojournError(str(error)) from error
        return action()
