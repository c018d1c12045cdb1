"""The order of a table's rows, and how a place in it is told: as text, to be kept, and as a condition that the index can use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.errors import SojournError
from sojourn.schema import Table
from sojourn.storage.database import Database


@dataclass(frozen=True, slots=True)
class Order:
    parts: tuple[str, ...]
    """The expressions of the sorting key."""
    types: tuple[str, ...]

    @classmethod
    def of(cls, database: Database, table: Table) -> Order:
        asked = {"database": database.name, "table": table.name}
        found = database.rows("SELECT sorting_key FROM system.tables WHERE database = {database:String} AND name = {table:String}", asked)
        if not found:
            raise SojournError(f"{database.address}: {database.name}.{table.name}: there is no such table")
        parts = tuple(_split(found[0]["sorting_key"]))
        types = ", ".join(f"toTypeName(max({part}))" for part in parts)  # an aggregate has an answer without rows too
        told = database.rows(f"SELECT [{types}] AS types FROM {database.name}.{table.name} WHERE 0")
        return cls(parts, tuple(told[0]["types"]))

    def told(self, expression: str, number: int) -> str:
        """SQL that gives that part of a place as text."""
        kind = self.types[number]
        if "String" in kind:
            return f"hex({expression})"
        if kind.startswith("DateTime64"):
            return f"toString(toUnixTimestamp64Nano(toDateTime64({expression}, 9)))"
        return f"toString(toUnixTimestamp({expression}))" if kind.startswith("DateTime") else f"toString({expression})"

    def after(self, place: Sequence[str] | None) -> str:
        return "1" if place is None else self._beyond(self._values(place), ">", ">")

    def until(self, place: Sequence[str]) -> str:
        return self._beyond(self._values(place), "<", "<=")

    def _values(self, place: Sequence[str]) -> list[str]:
        return [_literal(kind, text) for kind, text in zip(self.types, place, strict=True)]

    def _beyond(self, values: list[str], sign: str, last: str) -> str:
        """Written out, because the index does not know what it means to compare tuples."""
        condition = f"{self.parts[-1]} {last} {values[-1]}"
        for part, value in zip(self.parts[-2::-1], values[-2::-1], strict=True):
            condition = f"{part} {sign} {value} OR ({part} = {value} AND ({condition}))"
        return f"({condition})"


def _literal(kind: str, text: str) -> str:
    if "String" in kind:
        return f"unhex('{bytes.fromhex(text).hex()}')"
    if kind.startswith("DateTime64"):
        return f"fromUnixTimestamp64Nano(toInt64({int(text)}))"
    return f"toDateTime({int(text)})" if kind.startswith("DateTime") else f"to{kind}({int(text)})"


def _split(key: str) -> list[str]:
    """At the commas that stand in no parentheses."""
    return [part.strip() for part in re.findall(r"(?:[^,(]|\([^)]*\))+", key)]
