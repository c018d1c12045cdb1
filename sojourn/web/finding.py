"""Which sessions a list shows, without reading all of them.

Taking the newest version of every row (FINAL) costs more than looking through all versions. So the first rows are looked for among all
versions, and only those sessions are read as they are now: by name, the greatest version of each (half of what FINAL costs). What is found
is right if it stands before everything that was not looked at: a session's newest version is one of its versions, so a session that was
passed over cannot stand before the first version that was.
Else more is looked at, and at last everything.

Versions that are only looked through may be too many: conditions that are costly stand there in a form that keeps a little more, and where
values hardly ever are equal, the order among equal ones is left out, so that names are read of the first rows and not of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sojourn.web.parameters import SORTABLE, Question
from sojourn.web.reading import Reading, Row

_STEPS: Final = (4, 12)
"""How many times as many versions are looked at as rows are wanted, one after the other."""
_SPARE: Final = 8
"""At first so many sessions are read as they are now: those wanted and an eighth of that more. Naming more costs more than it spares."""
_MOST: Final = 1_000
"""More versions are never looked at behind the first step."""
_BY_VALUE: Final = {
    **{"descending": "value_descending", "ascending": "value_ascending"},
    **{"after_descending": "from_descending", "after_ascending": "from_ascending"},
}
Key = tuple[str, str]


def sessions(reading: Reading, question: Question) -> list[Row]:
    """One row more than asked for, if there are so many."""
    wanted = question.limit + 1
    for step, looked in enumerate(min(wanted * times, max(_MOST, 2 * wanted)) for times in _STEPS):
        alone = step == 0 and _hardly_equal(question)
        seen = _seen(reading, question, looked, alone)
        keys = list({_key(version): None for version in seen})[: wanted + wanted // _SPARE + 2 if step == 0 else None]
        if not keys:
            return []
        known = set(keys)
        edge = next((version for version in seen if _key(version) not in known), seen[-1] if len(seen) == looked else None)
        rows = _named(reading, question, keys) if step == 0 else _places(reading, question, keys)
        if edge is None or (len(rows) == wanted and _stands_before(question, rows[-1], edge, alone)):
            return _whole(reading, question, rows)
    return _whole(reading, question, _places(reading, question))


def _seen(reading: Reading, question: Question, looked: int, alone: bool) -> list[Row]:
    """Project, id and sort value of the first versions in the order of the list, or of their values `alone`."""
    others = {"meta": "holds"} | (_BY_VALUE if alone else {})
    given = {others.get(name, name) for name in question.given}
    return reading.rows("session_versions", given, tenant=reading.tenant, **question.bound | {"limit": looked})


def _hardly_equal(question: Question) -> bool:
    """Whether sessions are sorted by what is hardly ever the same: times, durations, tokens and money, and not small counts."""
    name, kind = SORTABLE[question.sort.removeprefix("-")]
    return "after_unknown" not in question.given and (kind.startswith("DateTime64") or name.endswith(("Ns", "Tokens", "Pico")))


def _named(reading: Reading, question: Question, keys: Sequence[Key]) -> list[Row]:
    """Of these sessions those that stand in the list, whole, in its order."""
    rows = reading.rows("sessions", question.given, tenant=reading.tenant, keys=keys, **question.bound)
    traces = sorted({(*_key(row), trace) for row in rows for trace in (row["first_trace"], row["last_trace"]) if trace})
    texts = reading.rows("session_texts", tenant=reading.tenant, keys=traces) if traces else []
    said = {(row["project"], row["session_id"], row["trace_id"]): (row["input"], row["output"]) for row in texts}
    for row in rows:
        first, last = row.pop("first_trace"), row.pop("last_trace")
        prompt, answer = row.pop("first_prompt"), row.pop("last_answer")
        row["first_input"] = said.get((*_key(row), first), ("", ""))[0] if first else prompt
        row["last_output"] = said.get((*_key(row), last), ("", ""))[1] if last else answer
    return rows


def _places(reading: Reading, question: Question, keys: Sequence[Key] = ()) -> list[Row]:
    """Project, id and sort value of the sessions that stand in the list, in its order: of these, or of all."""
    given = question.given | {"keys"} if keys else question.given
    return reading.rows("session_places", given, tenant=reading.tenant, keys=keys, **question.bound)


def _whole(reading: Reading, question: Question, rows: list[Row]) -> list[Row]:
    """The same sessions whole, without the values they were sorted by; one may have been deleted meanwhile."""
    if rows and "name" not in rows[0]:
        rows = _named(reading, question, [_key(row) for row in rows])
    for row in rows:
        del row["value"]
    return rows


def _key(row: Row) -> Key:
    return row["project"], row["session_id"]


def _stands_before(question: Question, place: Row, seen: Row, alone: bool) -> bool:
    """Whether a session stands at or before the last version that was seen in the order of the list, or of values `alone` before it."""
    value, edge = place["value"], seen["value"]
    if (value is None) != (edge is None):
        return edge is None
    if value != edge and value is not None:
        return bool(value > edge) if question.sort.startswith("-") else bool(value < edge)
    return not alone and _key(place) <= _key(seen)
