"""A time axis in per cent on which long silences are folded, so that a session of three days with ten busy minutes can be read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

Interval = tuple[int, int]

_FOLDED: Final = 0.08  # a silence longer than this part of the activity is folded
_LEAST_FOLDED: Final = 1_000_000_000
_FOLD_WIDTH: Final = 3.5  # per cent
_ALL_FOLDS: Final = 35.0
_TICKS: Final = 9
_APART: Final = 9.0  # per cent between two ticks
_LABEL: Final = 5.5  # per cent that the name of a tick takes: it does not reach into what is folded
_SECOND: Final = 1_000_000_000
_STEPS: Final = tuple(
    step * _SECOND // 1000
    for step in (1, 5, 10, 50, 100, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000, 86_400_000)
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the axis: time that is drawn to scale, or a silence that is folded."""

    start: int
    end: int
    left: float
    width: float
    folded: bool


class Axis:
    def __init__(self, busy: Sequence[Interval]) -> None:
        """`busy` are the intervals of what is drawn, in nanoseconds."""
        merged = list(_union(busy)) or [(0, 1)]
        active = sum(end - start for start, end in merged)
        threshold = max(active * _FOLDED, _LEAST_FOLDED)
        cuts = [(one[1], other[0]) for one, other in pairwise(merged) if other[0] - one[1] > threshold]
        fold = min(_FOLD_WIDTH, _ALL_FOLDS / len(cuts)) if cuts else 0.0
        edges = [merged[0][0], *(edge for cut in cuts for edge in cut), max(merged[-1][1], merged[-1][0] + 1)]
        shown = list(zip(edges[::2], edges[1::2], strict=True))
        scale = (100.0 - fold * len(cuts)) / max(sum(end - start for start, end in shown), 1)
        self.stretches = list(_laid(shown, fold, scale))
        self._starts = [stretch.start for stretch in self.stretches]

    def place(self, moment: int) -> float:
        """Where a moment lies, in per cent; what lies outside is put on the edge."""
        stretch = self.stretches[max(bisect_right(self._starts, moment) - 1, 0)]
        part = (moment - stretch.start) / max(stretch.end - stretch.start, 1)
        return stretch.left + min(max(part, 0.0), 1.0) * stretch.width

    @property
    def folds(self) -> list[Stretch]:
        return [stretch for stretch in self.stretches if stretch.folded]

    def ticks(self) -> list[int]:
        """Moments to be named: the begin of every stretch, and round times between them where there is room."""
        shown = [stretch for stretch in self.stretches if not stretch.folded]
        whole = sum(stretch.end - stretch.start for stretch in shown)
        step = next((step for step in _STEPS if whole / step <= _TICKS), _STEPS[-1])
        found: list[int] = []
        for stretch in shown:
            first = stretch.start - stretch.start % step + step
            count = min((stretch.end - first) // step + 1, 4 * _TICKS)
            for moment in (stretch.start, *(first + number * step for number in range(count))):
                place = self.place(moment)
                room = stretch.left + stretch.width - place
                if room >= _LABEL and (not found or place - self.place(found[-1]) >= _APART):
                    found.append(moment)
        return found or [self.stretches[0].start]


def _union(intervals: Sequence[Interval]) -> Iterator[Interval]:
    start = end = None
    for begin, finish in sorted(intervals):
        if start is None or end is None:
            start, end = begin, finish
        elif begin <= end:
            end = max(end, finish)
        else:
            yield start, end
            start, end = begin, finish
    if start is not None and end is not None:
        yield start, max(end, start)


def _laid(shown: Sequence[Interval], fold: float, scale: float) -> Iterator[Stretch]:
    left, before = 0.0, None
    for start, end in shown:
        if before is not None:
            yield Stretch(before, start, left, fold, folded=True)
            left += fold
        yield Stretch(start, end, left, (end - start) * scale, folded=False)
        left += (end - start) * scale
        before = end
