"""In which order a session's traces and log records stand on its page, and where one page of them ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sojourn.web.reading import Row

TRACES: Final = 100
LOGS: Final = 400

Places = tuple[str, str, str, str]
"""Time and id of the last trace, and of the last log record, that stood on a page; empty texts before the first."""
_Moment = tuple[str, int, str, Row]


def merged(traces: Sequence[Row], logs: Sequence[Row], before: Places) -> tuple[list[Row], Places | None]:
    """What stands on a page, by (time, traces first, id), and where the next page goes on; None at the end.

    Of each list up to one more than fits a page was read. Behind the last row of a list that has more, nothing of the other one may be
    shown yet. Times are texts of one length, so that their order is that of time.
    """
    moments = sorted([*map(_trace, traces[:TRACES]), *map(_log, logs[:LOGS])], key=_key)
    ends = [_trace(traces[TRACES - 1])] if len(traces) > TRACES else []
    ends += [_log(logs[LOGS - 1])] if len(logs) > LOGS else []
    if not ends:
        return [row for *_, row in moments], None
    end = min(map(_key, ends))
    shown = [moment for moment in moments if _key(moment) <= end]
    last_trace = next(((start, identity) for start, kind, identity, _ in reversed(shown) if kind == 0), before[:2])
    last_log = next(((time, row["digest"]) for time, kind, _, row in reversed(shown) if kind == 1), before[2:])
    return [row for *_, row in shown], (*last_trace, *last_log)


def _trace(row: Row) -> _Moment:
    return (row["start"], 0, row["trace_id"], row)


def _log(row: Row) -> _Moment:
    return (row["time"], 1, row["digest"].zfill(20), row)  # texts of one length, to be ordered like the numbers they are


def _key(moment: _Moment) -> tuple[str, int, str]:
    return moment[:3]
