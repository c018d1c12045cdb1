"""Which sessions a list shows, without reading all of them.

Taking the newest version of every row (FINAL) costs more than looking through all versions. So the first rows are looked for among all
versions, and only those sessions are read as they are now. What is found is right if it stands before everything that was not looked
at: a session's newest version is one of its versions, so a session that was passed over cannot stand before the last row that was seen.
Else more is looked at, and at last everything.
"""

from __future__ import annotations

from typing import Final

from sojourn.web.parameters import Question
from sojourn.web.reading import Reading, Row

_STEPS: Final = (2, 10)
"""How many times as many versions are looked at as rows are wanted, one after the other."""
_MOST: Final = 1_000
"""More versions are never looked at: naming so many sessions costs more than it spares."""
Key = tuple[str, str]


def sessions(reading: Reading, question: Question) -> list[Row]:
    """One row more than asked for, if there are so many."""
    places = [_key(place) for place in _places(reading, question)]
    rows = reading.rows("sessions", tenant=reading.tenant, keys=places) if places else []
    found = {_key(row): row for row in rows}
    return [found[place] for place in places if place in found]  # one may have been deleted meanwhile


def _places(reading: Reading, question: Question) -> list[Row]:
    """Project, id and sort value of the sessions that stand in the list, in its order."""
    wanted = question.limit + 1
    for step in _STEPS:
        looked = wanted * step
        if looked > _MOST:
            break
        seen = reading.rows("session_versions", question.given, tenant=reading.tenant, **question.bound | {"limit": looked})
        if not seen:
            return []
        keys = list({_key(version): None for version in seen})
        places = reading.rows("session_places", question.given | {"keys"}, tenant=reading.tenant, keys=keys, **question.bound)
        if len(seen) < looked or (len(places) == wanted and _stands_before(question, places[-1], seen[-1])):
            return places
    return reading.rows("session_places", question.given, tenant=reading.tenant, **question.bound)


def _key(row: Row) -> Key:
    return row["project"], row["session_id"]


def _stands_before(question: Question, place: Row, seen: Row) -> bool:
    """Whether a session stands at or before the last version that was seen, in the order of the list."""
    value, edge = place["value"], seen["value"]
    if (value is None) != (edge is None):
        return edge is None
    if value != edge and value is not None:
        return bool(value > edge) if question.sort.startswith("-") else bool(value < edge)
    return _key(place) <= _key(seen)
