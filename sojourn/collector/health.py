"""What is well and what is not, told by the threads that notice it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["starting", "running", "stopping"]


@dataclass(frozen=True, slots=True)
class Trouble:
    message: str
    since: float  # monotonic seconds
    fatal: bool


class Health:
    """The state of the collector and of each component, by path such as exporters::clickhouse."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._troubles: dict[str, Trouble] = {}
        self._known: list[str] = []
        self.state: State = "starting"

    def know(self, component: str) -> None:
        with self._lock:
            self._known = [*dict.fromkeys((*self._known, component))]

    def trouble(self, component: str, message: str, fatal: bool = False) -> bool:
        """Something is wrong; it lasts since it was first told. True if nobody knew."""
        with self._lock:
            earlier = self._troubles.get(component)
            self._troubles[component] = Trouble(message, earlier.since if earlier else time.monotonic(), fatal)
            return earlier is None

    def well(self, component: str) -> float | None:
        """The component works; if it did not, for how many seconds."""
        if component not in self._troubles:  # the way of every group: no lock
            return None
        with self._lock:
            earlier = self._troubles.pop(component, None)
            return time.monotonic() - earlier.since if earlier else None

    def report(self) -> tuple[bool, dict[str, Any]]:
        """(healthy, state and components). A component that tries again is no reason to be restarted; one that cannot go on is."""
        with self._lock:
            troubles, known = dict(self._troubles), list(self._known)
        fatal = any(trouble.fatal for trouble in troubles.values())
        state: str = self.state
        if state == "running" and troubles:
            state = "failed" if fatal else "degraded"
        components = {name: _component(troubles.get(name)) for name in dict.fromkeys((*known, *troubles))}
        return state in ("running", "degraded"), {"state": state, "components": components}


def _component(trouble: Trouble | None) -> dict[str, Any]:
    if trouble is None:
        return {"status": "ok"}
    status = "failed" if trouble.fatal else "trying again"
    return {"status": status, "message": trouble.message, "seconds": round(time.monotonic() - trouble.since, 3)}
