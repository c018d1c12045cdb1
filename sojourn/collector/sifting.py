"""A group that can never be stored as it is: it is halved until the rows that are to blame stand alone, and the rest is stored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sojourn.collector.dead_letters import DeadLetters
from sojourn.collector.paths import Path
from sojourn.collector.persistence import Surprised
from sojourn.component import Batch
from sojourn.errors import Rejected

log = logging.getLogger(__name__)
Part = list[tuple[Path, Batch]]
"""Rows of a group, by the path that they take."""
ATTEMPTS: Final = 400
"""How often parts of one group are tried: enough for a dozen bad rows among twenty thousand. What is left then is taken as bad."""


def size(part: Part) -> int:
    return sum(batch.records.num_rows for _, batch in part)


def halves(part: Part) -> tuple[Part, Part]:
    """The first half of the rows, and the others."""
    left = size(part) // 2
    first: Part = []
    second: Part = []
    for path, batch in part:
        taken = min(left, batch.records.num_rows)
        left -= taken
        if taken:
            first.append((path, Batch(batch.table, batch.records.slice(0, taken))))
        if taken < batch.records.num_rows:
            second.append((path, Batch(batch.table, batch.records.slice(taken))))
    return first, second


@dataclass(slots=True)
class Sifting:
    """One group. `store` brings a part into the database whole, told apart by a token, or raises what is wrong with it."""

    lane: str
    store: Callable[[Part, str | None], None]
    letters: DeadLetters
    insist: Callable[[Callable[[], bool]], bool]
    """Does something until it can be done."""
    bad: int = 0
    """Rows that were found to be bad."""
    lost: int = 0
    """Those of them that could not be written down."""
    _left: int = field(default=ATTEMPTS)

    def sift(self, part: Part, token: str | None, reason: Exception) -> None:
        """`part` could not be stored for this reason."""
        if size(part) == 1 or self._left <= 0 or (isinstance(reason, Rejected) and not reason.of_rows):
            self._bury(part, reason)
            return
        for number, half in enumerate(halves(part)):
            self._left -= 1
            name = token and f"{token}/{number}"
            try:
                self.store(half, name)
            except (Rejected, Surprised) as error:
                self.sift(half, name, error)

    def _bury(self, part: Part, reason: Exception) -> None:
        rows = size(part)
        self.bad += rows
        buried = [self.insist(partial(self.letters.bury, self.lane, batch, str(reason))) for _, batch in part]
        if all(buried):
            log.error("lane %s: %d rows can never be stored, and are in %s: %s", self.lane, rows, self.letters.folder, reason)
        else:
            self.lost += rows
            log.error("lane %s: %d rows can never be stored, and are lost: %s", self.lane, rows, reason)
