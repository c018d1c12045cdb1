"""What people ask of sessions between groups: the requests that `lifecycle` and `aggregate` answer (`component.Answering`)."""

from __future__ import annotations

from dataclasses import dataclass
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
