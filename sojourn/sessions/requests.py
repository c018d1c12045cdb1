"""What people ask of sessions between groups: the requests that `lifecycle` and `aggregate` answer (`component.Answering`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sojourn.sessions.names import Key


@dataclass(slots=True)
class Mark:
    """Somebody renames a session, says that it has ended, or wants it forgotten."""

    key: Key
    what: Literal["name", "end", "delete"]
    name: str = ""
    """What it shall be called."""
    found: bool = False
    """The answer: whether there is such a session."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A column of a stored row that is not what its spans say."""

    key: Key
    table: str
    """session_rows, session_segment_rows or session_trace_rows."""
    row: str
    """Trace id or number of the segment; '' for the session."""
    column: str
    """'' if the whole row is missing, or one too many."""
    stored: object
    """None if there is no such row."""
    found: object


@dataclass(slots=True)
class Refold:
    """Fold sessions again from what is stored of them, and mend the rows that differ."""

    keys: list[Key]
    check: bool = False
    """Only compare."""
    thorough: bool = True
    """Look for spans that name these sessions but are in no row of theirs."""
    reprice: bool = False
    """Price all calls anew that report no cost, by the prices of today's configuration."""
    later: list[Key] = field(default_factory=list)
    """The answer: sessions that are about to change anyway, so nothing can be said of them now."""
    differences: list[Difference] = field(default_factory=list)

    @property
    def wrong(self) -> set[Key]:
        """Sessions with rows that differed; they are right now unless this was a check."""
        return {each.key for each in self.differences}
