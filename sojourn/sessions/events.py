"""What happened to sessions: the difference between what was last told of them and what is true now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.schema import SESSION_EVENT_ROWS
from sojourn.sessions.answer import Answer
from sojourn.sessions.lifecycle import ENDED, IDLE, REASONS, Rules
from sojourn.sessions.live import Known
from sojourn.sessions.names import NAME, pick
from sojourn.sessions.order import changes, where
from sojourn.sessions.packed import Index, Mask, numbers
from sojourn.sessions.records import codes, times

EVENTS: Final = ("session.start", "session.rotated", "session.reopened", "session.updated", "session.idle", "session.end")
START, ROTATED, REOPENED, UPDATED, WENT_IDLE, END = range(6)
"""In the order in which they are told of one segment."""
WHY: Final = (*REASONS, "late_data", "merged")
LATE_DATA, MERGED = len(REASONS), len(REASONS) + 1


@dataclass(frozen=True, slots=True)
class Events:
    """Events in the order in which they are told."""

    group: Index
    """The segment's place in the answer."""
    what: npt.NDArray[np.uint8]
    why: npt.NDArray[np.uint8]


def differences(answer: Answer, before: Known, now: int, rules: Rules) -> Events:
    """What is new of each segment. `before` is what was told of each session number."""
    part = answer.segments
    session, number, state, reason = answer.session[part], answer.number[part], answer.state[part], answer.reason[part]
    told = before.segments.take(session)
    was_last = number + 1 == told
    was_ended = (number + 1 < told) | (was_last & (before.state.take(session) == ENDED))
    ended = state == ENDED
    late = _late(answer, before, session, was_last, now, rules)
    found: list[tuple[int, Mask, npt.NDArray[np.uint8] | int]] = [
        (START, (number == 0) & (told == 0), 0),
        (ROTATED, (number >= told) & (number > 0), _reason_before(number, reason)),
        (REOPENED, was_ended & ~ended & ~late, 0),
        (UPDATED, was_ended & ((late & ~ended) | (ended & answer.touched[part])), np.where(late, np.uint8(LATE_DATA), np.uint8(0))),
        (UPDATED, (number + 1 == answer.several[part]) & (told > answer.several[part]), MERGED),
        (WENT_IDLE, (state == IDLE) & ~(was_last & (before.state.take(session) == IDLE)), 0),
        (END, ended & ~was_ended, reason),
    ]
    return _in_order(found, session, number)


def _late(answer: Answer, before: Known, session: Index, was_last: Mask, now: int, rules: Rules) -> Mask:
    """Has the segment been ended for longer than `allowed_lateness`?"""
    heard = np.where(was_last, before.heard.take(session), answer.summary.end[answer.segments])
    return now - (heard + rules.silence) > rules.allowed_lateness


def _reason_before(number: npt.NDArray[np.uint32], reason: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Why the segment in front of each ended."""
    out = np.zeros(len(reason), np.uint8)
    out[1:] = reason[:-1]
    out[number == 0] = 0
    return out


def _in_order(found: list[tuple[int, Mask, npt.NDArray[np.uint8] | int]], session: Index, number: npt.NDArray[np.uint32]) -> Events:
    groups, whats, whys = [], [], []
    for code, mask, why in found:
        mine = where(mask)
        if len(mine):
            groups.append(mine)
            whats.append(np.full(len(mine), code, np.uint8))
            whys.append(np.full(len(mine), why, np.uint8) if isinstance(why, int) else why.take(mine))
    if not groups:
        return Events(np.empty(0, np.intp), np.empty(0, np.uint8), np.empty(0, np.uint8))
    group, what, reason = np.concatenate(groups), np.concatenate(whats), np.concatenate(whys)
    order = np.lexsort((what, number.take(group), session.take(group)))
    order = order.compress(changes(group.take(order), what.take(order)))  # one event of a kind, for the first reason
    return Events(group.take(order), what.take(order), reason.take(order))


def event_records(
    events: Events, answer: Answer, names: pa.RecordBatch, revision: npt.NDArray[np.uint64], now: int, version: int
) -> pa.RecordBatch:
    """Rows of `session_event_rows`. `names` and `revision` are those of each session number."""
    count, session = len(events.group), answer.session.take(events.group)
    columns = {
        "Time": times(np.full(count, now, np.int64)),
        **dict(zip(NAME, pick(names, session).columns, strict=True)),
        "Segment": numbers(answer.number.take(events.group)),
        "SegmentStart": times(answer.summary.start.take(events.group)),
        "Revision": numbers(revision.take(session)),
        "Event": codes(events.what, EVENTS),
        "Reason": codes(events.why, WHY),
        "Attributes": pa.MapArray.from_arrays(
            pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string()), pa.array([], pa.string())
        ),
        "Version": numbers(np.full(count, version, np.uint64)),
    }
    order = [column.name for column in SESSION_EVENT_ROWS.columns if column.name != "Collector"]
    return pa.RecordBatch.from_arrays([columns[name] for name in order], order)
