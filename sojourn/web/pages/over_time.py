"""What came in over time: a chart for each figure, by service, model, user or project where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from sojourn.web import parameters, wording
from sojourn.web.answers import Answer, Pairs
from sojourn.web.pages.frame import again, render, without
from sojourn.web.pages.listing import chips
from sojourn.web.reading import Row

HIGH: Final = 120
WIDE: Final = 600
_SERIES: Final = 6
_RANGES: Final = (("1h", "1 h"), ("6h", "6 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"))
_OWN: Final = {"since", "until", "bucket", "group"}

Words = Callable[[Any], str]
_FIGURES: Final[tuple[tuple[str, str, Words], ...]] = (
    ("sessions", "Sessions", wording.number),
    ("cost", "Cost", wording.money),
    ("total_tokens", "Tokens", wording.rough),
    ("traces", "Traces", wording.number),
    ("errors", "Errors", wording.number),
)
_DURATIONS: Final = (("turn_p50_ns", "median"), ("turn_p95_ns", "p95"), ("turn_p99_ns", "p99"))


def over_time(answer: Answer, pairs: Pairs) -> str:
    group = dict(pairs).get("group", "")
    starts = _starts(answer)
    names = _names(answer["buckets"]) if group else [""]
    charts = [_chart(answer, starts, figure, names, group, pairs) for figure in _FIGURES]
    return render(
        "over_time.html",
        charts=charts,
        turns=_turns(answer, starts, names, pairs) if not group else None,
        names=names if group else [],
        group=group,
        groups=[("", "In all", again(pairs, group=None)), *((one, f"By {one}", again(pairs, group=one)) for one in parameters.GROUPS)],
        ranges=[
            (words, again(pairs, since=value, until=None, bucket=None), _given(pairs, "since", "24h") == value) for value, words in _RANGES
        ],
        chips=[(words, without(pairs, pair)) for words, pair in chips(pairs) if pair[0] not in _OWN],
        rows=[row for row in answer["buckets"] if row["traces"] or row["sessions"]],
        ends=(answer["since"], wording.stamp((starts[0] + wording.moment(answer["until"])) // 2), answer["until"]),
        bucket=wording.duration(answer["bucket_ns"]).partition(" 00 ")[0],
        wide=WIDE,
        high=HIGH,
        nothing=not any(row["traces"] or row["sessions"] for row in answer["buckets"]),
        twin="/metrics-over-time.json" + again(pairs),
    )


def _given(pairs: Pairs, name: str, default: str) -> str:
    return dict(pairs).get(name) or default


def _starts(answer: Answer) -> list[int]:
    return list(range(wording.moment(answer["since"]), wording.moment(answer["until"]), int(answer["bucket_ns"])))


def _names(rows: Sequence[Row]) -> list[str]:
    """The values with most traces; what is left over is the last one."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row["group"]] = totals.get(row["group"], 0) + row["traces"]
    ordered = sorted(totals, key=lambda name: -totals[name])
    return ordered if len(ordered) <= _SERIES else [*ordered[: _SERIES - 1], "\0others"]


def _chart(answer: Answer, starts: list[int], figure: tuple[str, str, Words], names: list[str], group: str, pairs: Pairs) -> dict[str, Any]:
    """Stacked bars: for each bucket where each part begins and how high it is, in units of the picture."""
    column, title, words = figure
    values = _values(answer["buckets"], column, names)
    totals = [sum((values.get((start, name)) or Decimal(0)) for name in names) for start in starts]
    most = max(totals, default=Decimal(0)) or Decimal(1)
    wide = WIDE / max(len(starts), 1)
    bars = []
    for place, start in enumerate(starts):
        parts, top = [], float(HIGH)
        for number, name in enumerate(names):
            high = float((values.get((start, name)) or Decimal(0)) / most) * HIGH
            top -= high
            if high:
                parts.append((f"{top:.2f}", f"{high:.2f}", number))
        bars.append(
            {"left": f"{place * wide:.2f}", "parts": parts, "title": _title(start, totals[place], words), **_link(answer, start, pairs)}
        )
    whole: Any = sum(totals)
    known = any(row[column] is not None for row in answer["buckets"])
    legend = [
        (_shown(name), words(_plain(sum(values.get((start, name)) or Decimal(0) for start in starts))), number)
        for number, name in enumerate(names)
    ]
    return {
        "title": title,
        "whole": "" if group in ("service", "model") else words(_plain(whole)) if known else wording.UNKNOWN,
        "most": words(_plain(most)),
        "bars": bars,
        "wide": f"{max(wide - min(1.5, wide * 0.2), 0.5):.2f}",
        "step": f"{wide:.2f}",
        "legend": legend if group else [],
    }


def _values(rows: Sequence[Row], column: str, names: list[str]) -> dict[tuple[int, str], Decimal]:
    values: dict[tuple[int, str], Decimal] = {}
    for row in rows:
        name = row.get("group", "")
        key = (wording.moment(row["start"]), name if name in names else "\0others")
        values[key] = values.get(key, Decimal(0)) + Decimal(row[column] or 0)
    return values


def _plain(value: Any) -> Any:
    return f"{value:f}" if value != int(value) else int(value)


def _shown(name: str) -> str:
    return "others" if name == "\0others" else name or "(none)"


def _title(start: int, value: Any, words: Words) -> str:
    return f"{wording.clock(wording.stamp(start))} UTC: {words(_plain(value))}"


def _link(answer: Answer, start: int, pairs: Pairs) -> dict[str, str]:
    """The sessions that were active in this bucket, with the same filters."""
    end = start + int(answer["bucket_ns"])
    kept = [(name, value) for name, value in pairs if value and name not in _OWN]
    return {"href": "/sessions?" + urlencode([*kept, ("since", wording.stamp(start)), ("until", wording.stamp(end))])}


def _turns(answer: Answer, starts: list[int], names: list[str], pairs: Pairs) -> dict[str, Any]:
    """Lines of the percentiles of turn durations, broken where there were no turns."""
    rows = {wording.moment(row["start"]): row for row in answer["buckets"]}
    most = max((row[column] for row in rows.values() for column, _ in _DURATIONS), default=0) or 1
    wide = WIDE / max(len(starts), 1)
    lines = []
    for number, (column, name) in enumerate(_DURATIONS):
        path, drawing = [], False
        for place, start in enumerate(starts):
            row = rows.get(start)
            if row is None or not row["turns"]:
                drawing = False
                continue
            x, y = (place + 0.5) * wide, HIGH - row[column] / most * (HIGH - 4)
            path.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}" + ("" if drawing else f"h{min(wide, 3):.1f}"))
            drawing = True
        lines.append((name, "".join(path), number))
    spots = [
        {"left": f"{place * wide:.2f}", "title": _percentiles(start, rows[start]), **_link(answer, start, pairs)}
        for place, start in enumerate(starts)
        if start in rows and rows[start]["turns"]
    ]
    return {"lines": lines, "most": wording.duration(most), "spots": spots, "step": f"{wide:.2f}"}


def _percentiles(start: int, row: Row) -> str:
    said = ", ".join(f"{name} {wording.duration(row[column])}" for column, name in _DURATIONS)
    return f"{wording.clock(wording.stamp(start))} UTC: {said} of {wording.count(row['turns'], 'turn')}"
