"""What of the last rows was perhaps never told: a process may die between storing a session's row and storing its events.

All events of a group are one insert, with the version of the group's rows. Where there are rows of the newest version and no events, these
may have been lost, or there were none. What the stored events say of such sessions is then what was last told of them, whatever their rows
say; folding them again tells the difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sojourn.sessions.lifecycle import ACTIVE, ENDED, IDLE
from sojourn.sessions.live import Known
from sojourn.sessions.names import Key

if TYPE_CHECKING:
    import pyarrow as pa

    from sojourn.sessions.alerts import Alerts

_STATES = {"session.end": ENDED, "session.idle": IDLE}


def as_told(known: Known, keys: list[Key], events: pa.Table, alerts: Alerts) -> None:
    """Put into `known`, which is what the rows of these sessions say, what was told of them. `events` are their last ones (see History)."""
    found: Mapping[Key, tuple[int, str, list[str]]] = {
        (tenant, project, session): (segments, last, fired)
        for tenant, project, session, segments, last, fired in zip(*(column.to_pylist() for column in events.columns), strict=True)
    }
    fired_of = []
    for number, key in enumerate(keys):
        segments, last, fired = found.get(key, (0, "", []))
        known.segments[number] = min(int(known.segments[number]), segments)
        known.state[number] = _STATES.get(last, ACTIVE)
        fired_of.append(fired)
    known.firing &= alerts.bits(fired_of) if alerts else np.uint64(0)
