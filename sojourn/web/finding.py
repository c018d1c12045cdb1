"""Which sessions a list shows, without reading all of them.

Taking the newest version of every row (FINAL) costs more than looking through all versions. So the first rows are looked for among all
versions, and only those sessions are read as they are now. What is found is right if it stands before everything that was not looked
at: a session's newest version is one of its versions, so a session that was passed over cannot stand before the last row that was seen.
Else more is looked at, and at last everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sojourn.web.parameters import Question, pico
from sojourn.web.reading import Reading, Row

_STEPS: Final = (3, 12)
"""How many times as many versions are looked at as rows are wanted, one after the other."""
_MOST: Final = 1_000
"""More versions are never looked at: naming so many sessions costs more than it spares."""


def sessions(reading: Reading, question: Question) -> list[Row]:
    """One row more than asked for, if there are so many."""
    wanted = question.limit + 1
    for step in _STEPS:
        looked = wanted * step
        if looked > _MOST:
            break
        seen = reading.rows("session_versions", question.given, tenant=reading.tenant, **question.bound | {"limit": looked})
        keys = list({(row["project"], row["session_id"]): None for row in seen})
        if not keys:
            return []
        rows = reading.rows("sessions", question.given | {"keys"}, tenant=reading.tenant, keys=keys, **question.bound)
        if len(seen) < looked or (len(rows) == wanted and _stands_before(question, rows[-1], seen[-1])):
            return rows
    return reading.rows("sessions", question.given, tenant=reading.tenant, **question.bound)


def _stands_before(question: Question, row: Row, seen: Mapping[str, Any]) -> bool:
    """Whether a row stands at or before the last version that was seen, in the order of the list."""
    column = question.sort.removeprefix("-")
    value, edge = row[column], seen["value"]
    if column == "cost" and value is not None:
        value = pico(value)
    if (value is None) != (edge is None):
        return edge is None
    if value != edge and value is not None:
        return bool(value > edge) if question.sort.startswith("-") else bool(value < edge)
    return (row["project"], row["session_id"]) <= (seen["project"], seen["session_id"])
