"""What happened to sessions: the difference between what was last told of them and what is true now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sojourn.schema import SESSION_EVENT_ROWS
from sojourn.sessions.alerts import Alerts, Firing
from sojourn.sessions.answer import Answer
from sojourn.sessions.lifecycle import ENDED, IDLE, REASONS, Rules
from sojourn.sessions.live import Known
from sojourn.sessions.names import NAME, pick
from sojourn.sessions.order import changes, where
from sojourn.sessions.packed import U64, Index, Mask, numbers, offsets
from sojourn.sessions.records import codes, times

EVENTS: Final = ("session.start", "session.rotated", "session.reopened", "session.updated", "session.idle", "session.end", "session.alert")
START, ROTATED, REOPENED, UPDATED, WENT_IDLE, END, ALERT = range(7)
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
    """Place in WHY; from its length on the numbers of alerts."""


def differences(answer: Answer, before: Known, now: int, rules: Rules) -> Events:
    """What is new of each segment. `before` is what was told of each session number, `rules` are those of each."""
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


def alerted(answer: Answer, new: U64) -> Events:
    """The alerts that are new, by their bits for each session of the answer: events of the last segments."""
    part = answer.segments
    last = where(answer.number[part] + 1 == answer.several[part])
    place = np.zeros(int(answer.session.max()) + 1, np.intp)
    place[answer.session.take(last)] = last
    groups, whys = [np.empty(0, np.intp)], [np.empty(0, np.uint8)]
    session = answer.session[answer.sessions]
    for number in range(int(np.bitwise_or.reduce(new)).bit_length()):
        mine = session.compress(new & np.uint64(1 << number) != 0)
        groups.append(place.take(mine))
        whys.append(np.full(len(mine), len(WHY) + number, np.uint8))
    group = np.concatenate(groups)
    return Events(group, np.full(len(group), ALERT, np.uint8), np.concatenate(whys))


def together(events: Events, alerts: Events) -> Events:
    """Changes first, then the alerts that they brought."""
    if not len(alerts.group):
        return events
    pairs = zip((events.group, events.what, events.why), (alerts.group, alerts.what, alerts.why), strict=True)
    return Events(*(np.concatenate(pair) for pair in pairs))  # type: ignore[arg-type]


def _late(answer: Answer, before: Known, session: Index, was_last: Mask, now: int, rules: Rules) -> Mask:
    """Has the segment been ended for longer than `allowed_lateness`?"""
    heard = np.where(was_last, before.heard.take(session), answer.summary.end[answer.segments])
    rules = rules.take(session)
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
    events: Events,
    answer: Answer,
    names: pa.RecordBatch,
    revision: U64,
    now: int,
    version: int,
    alerts: Alerts,
    firing: Firing | None = None,
    previous: Mapping[int, str] = MappingProxyType({}),
) -> pa.RecordBatch:
    """Rows of `session_event_rows`, with `_receivers` where there are alerts. `names` and `revision` are those of each session number,
    `previous` the ids of the sessions that some of them continue."""
    count, session = len(events.group), answer.session.take(events.group)
    columns = {
        "Time": times(np.full(count, now, np.int64)),
        **dict(zip(NAME, pick(names, session).columns, strict=True)),
        "Segment": numbers(answer.number.take(events.group)),
        "SegmentStart": times(answer.summary.start.take(events.group)),
        "Revision": numbers(revision.take(session)),
        "Event": codes(events.what, EVENTS),
        "Reason": codes(events.why, (*WHY, *(alert.name for alert in alerts.all))),
        "Version": numbers(np.full(count, version, np.uint64)),
    }
    said: list[list[tuple[str, str]]] = [[]] * count
    order = [column.name for column in SESSION_EVENT_ROWS.columns if column.name != "Collector"]
    if firing is not None and (events.what == ALERT).any():
        said = _said(events, answer, session, alerts, firing)
        order.append("_receivers")
        columns["_receivers"] = pa.array([_receivers(alerts, why) for why in events.why.tolist()], pa.list_(pa.string()))
    if previous:
        begun = zip(events.what.tolist(), session.tolist(), said, strict=True)
        said = [[("session.previous_id", previous[of]), *each] if what == START and of in previous else each for what, of, each in begun]
    columns["Attributes"] = pa.MapArray.from_arrays(
        pa.array(offsets(np.fromiter(map(len, said), np.int64, count))),
        pa.array([key for each in said for key, _ in each], pa.string()),
        pa.array([value for each in said for _, value in each], pa.string()),
    )
    return pa.RecordBatch.from_arrays([columns[name] for name in order], order)


def _said(events: Events, answer: Answer, session: Index, alerts: Alerts, firing: Firing) -> list[list[tuple[str, str]]]:
    """What there is to say of each event: of alerts how bad it is, and why."""
    row = np.zeros(int(answer.session.max()) + 1, np.intp)
    row[answer.session[answer.sessions]] = np.arange(len(firing.now))
    out: list[list[tuple[str, str]]] = []
    for why, place in zip(events.why.tolist(), row.take(session).tolist(), strict=True):
        if why < len(WHY):
            out.append([])
            continue
        alert = alerts.all[why - len(WHY)]
        values = firing.values(why - len(WHY), place)
        out.append([("alert.severity", alert.severity), ("alert.condition", alert.condition.text), ("alert.values", values)])
    return out


def _receivers(alerts: Alerts, why: int) -> list[str]:
    return list(alerts.all[why - len(WHY)].receivers) if why >= len(WHY) else []
