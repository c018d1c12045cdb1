"""What an error of the database means for the data: never, or later.

Codes: ClickHouse `ErrorCodes.cpp`. The list of those that pass by themselves follows other exporters' experience (glassflow, SigNoz);
what a person can put right without touching the data (a password, a missing grant, a dropped table, a full disk) is waited for too.
"""

from __future__ import annotations

from typing import Final

from sojourn.errors import Rejected, SojournError, Unavailable

PASSING: Final = frozenset(
    {159, 198, 201, 202, 203, 209, 210, 236, 241, 242, 243, 244, 252, 254, 265, 279, 285, 286, 289, 290, 297, 319, 364, 384, 425, 999, 1000}
)
"""Timeouts, network, memory, too many parts or queries, read-only replicas, Keeper."""
MISSING: Final = frozenset({60, 81})
"""Somebody dropped the table or the database: the schema has to be applied again."""
_PERSON: Final = frozenset({164, 192, 193, 194, 497, 516})


def told(error: Exception, where: str) -> SojournError:
    """The error to raise instead of one of clickhouse-connect. Errors without a code come from the network or a proxy: later."""
    code = getattr(error, "code", None)
    text = " ".join(str(error).split())[:500]
    if code is None or code in PASSING:
        return Unavailable(f"{where}: cannot be reached or is overloaded, trying again: {text}")
    if code in _PERSON:
        return Unavailable(f"{where}: refuses us: check username, password and grants: {text}", 10.0)
    if code in MISSING:
        return Unavailable(f"{where}: a table is missing: {text}")
    return Rejected(f"{where}: cannot take this data: {text}")
