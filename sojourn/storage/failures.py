"""What an error of the database means for the data: never, or later.

Codes: ClickHouse `ErrorCodes.cpp`. The list of those that pass by themselves follows other exporters' experience (glassflow, SigNoz);
what a person can put right without touching the data (a password, a missing grant, a dropped table, a full disk) is waited for too.
"""

from __future__ import annotations

import re
from typing import Final

from sojourn.errors import Rejected, SojournError, Unavailable

PASSING: Final = frozenset(
    {159, 198, 201, 202, 203, 209, 210, 236, 241, 242, 243, 244, 252, 254, 265, 279, 285, 286, 289, 290, 297, 319, 364, 384, 425, 999, 1000}
)
"""Timeouts, network, memory, too many parts or queries, read-only replicas, Keeper."""
_NO_ROOM: Final = 243
_DAMAGED: Final = 246
"""A part that is stored cannot be read. That says nothing of new rows: they wait until the database can be read again."""
MISSING: Final = frozenset({60, 81})
"""Somebody dropped the table or the database: the schema has to be applied again."""
_OTHER: Final = frozenset({10, 16, 47, 115})
"""A column or setting is missing: the table is not ours, or of another version. No row is to blame."""
_CODE: Final = re.compile(r"\bCode: (\d{1,5})\b")
_MACHINE: Final = re.compile(r"[^'\"]*\b(ErrnoException|filesystem_error):")
"""What the operating system said to the engine, of the disk or of files that it may open: no row is to blame. Values, which may be
anything, stand in quotes."""
_PERSON: Final = frozenset({164, 192, 193, 194, 497, 516})


def told(error: Exception, where: str) -> SojournError:
    """The error to raise instead of one of clickhouse-connect. Errors without a code come from the network or a proxy: later."""
    text = " ".join(str(error).split())[:500]
    code = code_of(error)
    if (network := _network(error)) is not None:
        return Unavailable(f"{where}: cannot be reached: {network}")
    if code == _NO_ROOM:
        return Unavailable(f"{where}: its disk is full, or nearly: {text}")
    if code is None or code in PASSING or code == _DAMAGED or _MACHINE.match(str(error)):
        return Unavailable(f"{where}: cannot do it now: {text}")
    if code in _PERSON:
        return Unavailable(f"{where}: refuses us: check username, password and grants: {text}", 10.0)
    if code in _OTHER:
        return Unavailable(f"{where}: the tables are not as they should be: see `sojourn schema`: {text}", 10.0)
    if code in MISSING:
        return Unavailable(f"{where}: a table is missing: {text}")
    return Rejected(f"{where}: cannot take this data: {text}")


def code_of(error: Exception) -> int | None:
    """ClickHouse's code of an error; proxies sometimes drop the header and leave only the text."""
    code: int | None = getattr(error, "code", None)
    found = _CODE.search(str(error)) if code is None else None
    return int(found[1]) if found else code


def _network(error: BaseException | None) -> str | None:
    """What the operating system said, below the layers that wrapped it."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None
