"""The timeline of a session as a picture: a lane for each agent or route, more where its traces overlap, with silences folded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sojourn.web import answers, wording
from sojourn.web.axis import Axis, Interval
from sojourn.web.reading import Row

_LANES: Final = 40
_HIGH: Final = 22
_TOP: Final = 40
_LEAST: Final = 0.35  # per cent: an instant is seen too


@dataclass(slots=True)
class Lane:
    name: str
    rows: list[list[tuple[int, int, Row]]] = field(default_factory=list)

    def add(self, start: int, end: int, row: Row) -> None:
        """Into the first line that is free by then."""
        line = next((line for line in self.rows if line[-1][1] <= start), None)
        if line is None:
            line = [] if len(self.rows) < _LANES else self.rows.pop()
            self.rows.append(line)
        line.append((start, end, row))


def drawn(session: Row, traces: Sequence[Row], segments: Sequence[Row], events: Iterable[Row], turns: Mapping[str, int]) -> dict[str, Any]:
    """Everything that `timeline.html` draws; places in per cent across and in pixels down."""
    spans = [(wording.moment(row["start"]), wording.moment(row["end"]), row) for row in traces]
    whole = (wording.moment(session["start"]), wording.moment(session["end"]))
    busy: list[Interval] = [(start, max(end, start)) for start, end, _ in spans]
    axis = Axis([*busy, (whole[0], whole[0]), (whole[1], whole[1])])
    lanes = _lanes(spans)
    down, bars, labels = _TOP, [], []
    for lane in lanes:
        labels.append({"name": lane.name, "top": down, "high": _HIGH * len(lane.rows)})
        for line in lane.rows:
            bars += [_bar(axis, start, end, row, down, turns.get(row["trace_id"])) for start, end, row in line]
            down += _HIGH
    return {
        "bars": bars,
        "lanes": labels if len(lanes) > 1 else [],
        "high": down + 6,
        "ticks": [(f"{axis.place(tick):.3f}", wording.stamp(tick)) for tick in axis.ticks()],
        "folds": [
            (
                f"{fold.left:.3f}",
                f"{fold.width:.3f}",
                wording.duration(fold.end - fold.start),
                f"{fold.left + fold.width / 2:.3f}" if fold.width > 3 else "",
            )
            for fold in axis.folds
        ],
        "segments": list(_segments(axis, segments)) if len(segments) > 1 else [],
        "events": [_event(axis, event) for event in events],
        "more": len(traces) >= answers.LANES,
    }


def _lanes(spans: Sequence[tuple[int, int, Row]]) -> list[Lane]:
    names = {row["name"] for _, _, row in spans}
    one_for_each = 1 < len(names) <= 8
    lanes: dict[str, Lane] = {}
    for start, end, row in spans:
        name = row["name"] if one_for_each else ""
        lanes.setdefault(name, Lane(name)).add(start, end, row)
    return list(lanes.values())


def _bar(axis: Axis, start: int, end: int, row: Row, top: int, turn: int | None) -> dict[str, Any]:
    left = min(axis.place(start), 100 - _LEAST)
    width = max(axis.place(end) - left, _LEAST)
    title = [row["name"], wording.duration(end - start), f"{wording.number(row['total_tokens'])} tokens", wording.money(row["cost"])]
    if row["errors"]:
        title.append(wording.count(row["errors"], "error"))
    return {
        "id": row["trace_id"],
        "left": f"{left:.3f}",
        "width": f"{width:.3f}",
        "top": top + 2,
        "high": _HIGH - 4,
        "kind": "bad" if row["status"] == "error" else "some" if row["errors"] else "good",
        "label": str(turn) if turn and width > 2 else "",
        "title": " · ".join(title),
    }


def _segments(axis: Axis, segments: Sequence[Row]) -> Iterable[dict[str, Any]]:
    for row in segments:
        left, right = axis.place(wording.moment(row["start"])), axis.place(wording.moment(row["end"]))
        reason = wording.REASONS.get(row["end_reason"], row["end_reason"])
        yield {"number": row["segment"], "left": f"{left:.3f}", "width": f"{max(right - left, _LEAST):.3f}", "reason": reason}


def _event(axis: Axis, row: Row) -> dict[str, str]:
    words = wording.EVENTS.get(row["event"], row["event"])
    return {
        "left": f"{min(max(axis.place(wording.moment(row['time'])), 0.5), 99.5):.3f}",
        "kind": row["event"].rpartition(".")[2],
        "title": f"{words}: {wording.REASONS.get(row['reason'], row['reason'])}" if row["reason"] else words,
        "time": row["time"],
    }
