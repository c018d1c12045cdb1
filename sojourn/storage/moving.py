"""A copy from its beginning to its end: every portion is copied, everything is compared, and what differs is copied once more."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from sojourn import schema
from sojourn.storage.copying import Copying, Portion, days, portions
from sojourn.storage.totals import totals

AT_ONCE: Final = 31
"""Days of a table that are compared by one question."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Another piece is stored."""

    table: schema.Table
    done: int
    total: int
    """Rows that are stored now, and how many there are, about, of all tables."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Another table is to be compared."""

    table: schema.Table
    done: int
    total: int


@dataclass(slots=True)
class Compared:
    """What a table holds here and there."""

    table: schema.Table
    here: dict[str, int] = field(default_factory=lambda: {"rows": 0})
    there: dict[str, int] = field(default_factory=lambda: {"rows": 0})
    different: set[str] = field(default_factory=set)
    """Names of columns, and totals.ROWS and totals.KEYS."""

    def add(self, here: Mapping[str, int], there: Mapping[str, int]) -> None:
        for name in {**here, **there}:  # of what has no rows there are no totals
            self.here[name] = self.here.get(name, 0) + here.get(name, 0)
            self.there[name] = self.there.get(name, 0) + there.get(name, 0)
            if here.get(name, 0) != there.get(name, 0):
                self.different.add(name)

    def names(self) -> list[str]:
        """What differs, in the order of the columns."""
        return [name for name in self.here if name in self.different]


Step = Stored | Looked | Compared


def move(copying: Copying) -> Iterator[Step]:
    """Do it; at the end every table, compared. Raises SojournError, and may be begun again then.

    What differs was changed since it was copied: the collector was started in between. Only what was removed then stays different.
    """
    own = portions(copying.source)
    yield from _copy(copying, own)
    tables, different = yield from _compare(copying)
    if again := [portion for portion in own if portion in different]:
        for portion in again:
            copying.copied.tell(portion.name, "again")
        yield from _copy(copying, again)
        tables, _ = yield from _compare(copying)
    yield from tables


def _copy(copying: Copying, these: Iterable[Portion]) -> Iterator[Stored]:
    total = copying.rows()
    for portion in these:
        for _ in copying.copy(portion):
            yield Stored(portion.table, copying.copied.rows(), total)


def _compare(copying: Copying) -> Generator[Looked, None, tuple[list[Compared], set[Portion]]]:
    tables, different = [], set()
    for number, table in enumerate(schema.TABLES):
        yield Looked(table, number, len(schema.TABLES))
        compared = Compared(table)
        both = days(table, copying.source, copying.target) if table.days else [0]
        for first in range(0, len(both), AT_ONCE):
            different |= _add(compared, copying, both[first : first + AT_ONCE])
        tables.append(compared)
    return tables, different


def _add(compared: Compared, copying: Copying, some: list[int]) -> set[Portion]:
    """Compare these days; the portions that differ."""
    order = copying.measured(compared.table).order
    here, there = (totals(database, compared.table, order, some) for database in (copying.source, copying.target))
    for portion in here | there:
        compared.add(here.get(portion, {}), there.get(portion, {}))
    return {portion for portion in here | there if here.get(portion) != there.get(portion)}
