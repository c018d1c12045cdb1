"""Small pictures, as paths of an SVG: metric series, and how busy a session was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sojourn.web import wording

WIDTH: Final = 240
HEIGHT: Final = 40
_EDGE: Final = 2


def line(points: Sequence[Sequence[Any]], bars: bool) -> str:
    """Path of [time, ..., value] by time, in a box of WIDTH and HEIGHT: a bar from zero for each delta, else one line.

    Values that are no numbers are left out; a point alone, or equal ones, lie on a line of their own.
    """
    told = [(wording.moment(point[0]), float(point[-1])) for point in points if point[-1] is not None]
    greatest = max((abs(value) for _, value in told), default=0.0) or 1.0
    if not told or not math.isfinite(greatest):
        return ""
    heights = [value / greatest for _, value in told]  # in [-1, 1] first: the span between two huge values is no number
    low, high = min(0.0, *heights), max(0.0, *heights)
    first, span = told[0][0], max(told[-1][0] - told[0][0], 1)
    places = [
        (_EDGE + (time - first) / span * (WIDTH - 2 * _EDGE), _down(height, low, high))
        for (time, _), height in zip(told, heights, strict=True)
    ]
    if bars:
        ground = _down(0.0, low, high)
        return " ".join(f"M{x:.1f} {ground:.1f}V{y:.1f}" for x, y in places)
    if len(places) == 1:
        places.append((WIDTH - _EDGE, places[0][1]))
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)


def _down(height: float, low: float, high: float) -> float:
    """SVG counts from above."""
    return _EDGE + (high - height) / ((high - low) or 1.0) * (HEIGHT - 2 * _EDGE)


PARTS: Final = 32
"""Into how many parts the time of a session is divided to show when it was busy."""
_PART: Final = 3  # each is so wide, of which one is a gap
_GROUND: Final = 19


@dataclass(frozen=True, slots=True)
class Activity:
    busy: str
    failed: str
    words: str


def activity(parts: Sequence[tuple[int, int, int]]) -> Activity:
    """Of (part, traces, traces with errors): a bar for each part with traces, in a box of 96 and 20; the height is that of the logarithm.

    The foot of a bar is marked where traces have errors, up to half of it where all have.
    """
    most = max((traces for _, traces, _ in parts), default=1)
    busy, failed = [], []
    for part, traces, errors in parts:
        height = 5 + 13 * (math.log1p(traces) / math.log1p(most) if most > 1 else 0.6)
        busy.append(f"M{part * _PART + 1.5} {_GROUND}v-{height:.1f}")
        if errors:
            failed.append(f"M{part * _PART + 1.5} {_GROUND}v-{height * min(errors / traces, 1) * 0.5:.1f}")
    words = f"busy in {len(parts)} of {PARTS} parts of its time" + (f", errors in {len(failed)}" if failed else "")
    return Activity("".join(busy), "".join(failed), words)
