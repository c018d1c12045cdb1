"""Small pictures of metric series, as the path of an SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
