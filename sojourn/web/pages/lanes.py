"""The timeline of a session as a picture: a lane for each agent or route, more where they overlap, with silences folded.

The bar of a trace stands in the lane of the agent that leads it; what other agents do within it has bars in lanes of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sojourn.web import answers, wording
from sojourn.web.axis import Axis, Interval
from sojourn.web.reading import Row

_LANES: Final = 40
_NAMES: Final = 8
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


def drawn(
    session: Row, traces: Sequence[Row], agents: Sequence[Row], segments: Sequence[Row], events: Iterable[Row], turns: Mapping[str, int]
) -> dict[str, Any]:
    """Everything that `timeline.html` draws; places in per cent across and in pixels down."""
    spans = [(wording.moment(row["start"]), wording.moment(row["end"]), row) for row in traces]
    whole = (wording.moment(session["start"]), wording.moment(session["end"]))
    busy: list[Interval] = [(start, max(end, start)) for start, end, _ in spans]
    axis = Axis([*busy, (whole[0], whole[0]), (whole[1], whole[1])])
    lanes = _lanes(spans, agents)
    down, bars, labels = _TOP, [], []
    for lane in lanes:
        labels.append({"name": lane.name, "top": down, "high": _HIGH * len(lane.rows)})
        for line in lane.rows:
            bars += [_bar(axis, start, end, row, down, turns.get(row["trace_id"])) for start, end, row in line]
            down += _HIGH
    return {
        "bars": bars,
        "agents": any("part" in bar["kind"] for bar in bars),
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


def _lanes(spans: Sequence[tuple[int, int, Row]], agents: Sequence[Row]) -> list[Lane]:
    leaders = _leaders(spans, agents)
    leading = {agent["span_id"] for agent in leaders.values()}
    known = {row["trace_id"] for _, _, row in spans}
    bars = [
        (leaders[row["trace_id"]]["name"] if row["trace_id"] in leaders else row["name"], (start, end, row)) for start, end, row in spans
    ]
    others = [agent for agent in agents if agent["span_id"] not in leading and agent["trace_id"] in known]
    bars += [(agent["name"], (wording.moment(agent["start"]), wording.moment(agent["end"]), agent)) for agent in others]
    names = Counter(name for name, _ in bars)
    if not leaders and not others and len(names) > _NAMES:
        names = Counter()  # names that tell nothing, one for each trace
    shown = {name for name, _ in names.most_common(_NAMES)}
    rest = "" if not shown else f"{len(names) - len(shown)} others"
    lanes: dict[str, Lane] = {}
    for name, bar in sorted(bars, key=lambda one: one[1][0]):
        title = name if name in shown else rest
        lanes.setdefault(title, Lane(title)).add(*bar)
    return list(lanes.values())


def _leaders(spans: Sequence[tuple[int, int, Row]], agents: Sequence[Row]) -> dict[str, Row]:
    """The agent that leads a trace: the first to begin, if it works for most of the time."""
    first: dict[str, Row] = {}
    for agent in agents:
        first.setdefault(agent["trace_id"], agent)
    lasting = {row["trace_id"]: end - start for start, end, row in spans}
    return {
        trace: agent
        for trace, agent in first.items()
        if 2 * (wording.moment(agent["end"]) - wording.moment(agent["start"])) >= lasting.get(trace, 2**63)
    }


def _bar(axis: Axis, start: int, end: int, row: Row, top: int, turn: int | None) -> dict[str, Any]:
    left = min(axis.place(start), 100 - _LEAST)
    width = max(axis.place(end) - left, _LEAST)
    title = [row["name"], wording.duration(end - start)]
    if "span_id" in row:
        kind = "part bad" if row["error"] else "part"
    else:
        kind = "bad" if row["status"] == "error" else "some" if row["errors"] else "good"
        title += [f"{wording.number(row['total_tokens'])} tokens", wording.money(row["cost"])]
        title += [wording.count(row["errors"], "error")] if row["errors"] else []
    return {
        "id": row["trace_id"],
        "left": f"{left:.3f}",
        "width": f"{width:.3f}",
        "top": top + 2,
        "high": _HIGH - 4,
        "kind": kind,
        "label": str(turn) if turn and width > 2 and "span_id" not in row else "",
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
