"""The plan after which the native core makes columns of attributes: the table of keys, and what a configuration adds to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sojourn.sessions import attributes as table
from sojourn.sessions import kinds
from sojourn.sessions.attributes import Beside, Entry, Event, Inside
from sojourn.sessions.log_events import EVENT_PREFIXES, GENERIC_CALLS, RECORDS

_COLUMNS: dict[str, list[Entry]] = {
    "session_name": table.SESSION_NAME,
    "prompt_name": table.PROMPT_NAME,
    "user": table.USER,
    "model": table.MODEL,
    "provider": table.PROVIDER,
    "tool": table.TOOL,
    "tool_entity": table.TOOL_ENTITY,
    "response": table.RESPONSE,
    "response_inside": table.RESPONSE_INSIDE,
    "input_tokens": table.INPUT_TOKENS,
    "output_tokens": table.OUTPUT_TOKENS,
    "total_tokens": table.TOTAL_TOKENS,
    "cache_read": table.CACHE_READ,
    "cache_write": table.CACHE_WRITE,
    "reasoning": table.REASONING,
    "cost": table.COST,
    "input_cost": table.INPUT_COST,
    "output_cost": table.OUTPUT_COST,
    "error": table.ERROR,
    "ended": table.ENDED,
    "record_user": table.RECORD_USER,
    "never_model": list(kinds.NEVER_MODEL),
    "output": table.OUTPUT,
    "tags": table.TAGS,
    "metadata": table.METADATA,
}

Column = list[dict[str, object]]


def id_class(key: str) -> int:
    """The rank of a session id by the key that gave it: 0 for a session, 1 for a conversation, thread or group."""
    last = key.rsplit(".", 1)[-1]
    return 0 if last in ("session_id", "sessionId", "session") or key == "session.id" or key.endswith(".session.id") else 1


def lift_plan(
    id_attributes: Sequence[str] | None = None,
    project: Mapping[str, str] | None = None,
    id_max_length: int = 256,
    max_future_skew: int = 600_000_000_000,
    gap_attributes: Sequence[str] = (),
    measures: Mapping[str, str] | None = None,
) -> str:
    """The plan as JSON, for `_native.Lane(lift=...)`.

    `id_attributes` replaces SESSION_ID. `project` is {"attribute": resource attribute} or {"value": constant}. `max_future_skew` in ns:
    times further ahead of arrival are flagged. `gap_attributes` are those of `session`, where traces without an id need them; `measures`
    the attributes of numbers that are added up, by name.
    """
    ids: list[Entry] = list(table.SESSION_ID if id_attributes is None else id_attributes)
    ids = [entry for entry in ids if entry not in table.NEVER_SESSION]
    plan = {
        "id_max_length": id_max_length,
        "max_future_skew": max_future_skew,
        "project": project or {"attribute": "service.namespace"},
        "columns": {**_columns(ids), "kept": _kept(gap_attributes, measures or {})},
        "records": {event: record._asdict() for event, record in RECORDS.items()},
        "event_prefixes": EVENT_PREFIXES,
        "generic_calls": GENERIC_CALLS,
        "resource_session": ["session.id"] if "session.id" in ids else [],
        "resource_gaps": dict(_resource_gaps(gap_attributes)),
        **{name: list(texts) for name, texts in _texts()},
    }
    return json.dumps(plan)


def _columns(ids: Iterable[Entry]) -> dict[str, Column]:
    user = [_entry(entry) | {"user": True} for entry in table.USER_INPUT]
    return {
        "session": [_entry(entry) | {"class": id_class(entry if isinstance(entry, str) else entry[1])} for entry in ids],
        "kind": [{"key": key, "values": values} for key, values in kinds.KIND],
        "input": [*user, *(_entry(entry) | {"user": False} for entry in table.TOOL_INPUT)],
        "first_token": [_entry(timed.entry) | {"unit": timed.unit, "scopes": timed.scopes} for timed in table.FIRST_TOKEN],
        "score_name": [_entry(score.name) for score in table.SCORES],
        "score_value": [_entry(score.value) for score in table.SCORES],
        **{column: [_entry(entry) for entry in entries] for column, entries in _COLUMNS.items()},
    }


def _entry(entry: Entry) -> dict[str, Any]:
    match entry:
        case Inside(key, name):
            return {"key": key, "path": name}
        case Beside(key, name):
            return {"key": key, "path": name, "beside": True}
        case Event(event, key):
            return {"key": key, "event": event}
        case key:
            return {"key": key}


def _kept(gap_attributes: Sequence[str], measures: Mapping[str, str]) -> Column:
    """What is kept of single attributes. The user and the service of a span are facts of it anyway."""
    own = [attribute for attribute in gap_attributes if attribute not in ("user", "service")]
    kept = [("gap", attribute, attribute) for attribute in own] + [("measure", name, attribute) for name, attribute in measures.items()]
    return [{"key": attribute, "facet": facet, "name": name} for facet, name, attribute in kept]


def _resource_gaps(gap_attributes: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Where on the resource to look for what a span does not say: name → keys."""
    for attribute in gap_attributes:
        if attribute == "user":
            yield attribute, [entry for entry in table.USER if isinstance(entry, str)]
        elif attribute != "service":
            yield attribute, [attribute]


def _texts() -> Iterator[tuple[str, Iterable[str]]]:
    yield "placeholders", table.PLACEHOLDERS
    yield "quoted", table.QUOTED
    yield "never_model", kinds.NEVER_MODEL_VALUES
    yield "agent_names", kinds.AGENT_NAMES
    yield "metadata_prefixes", table.METADATA_PREFIXES
    yield "never_session", table.NEVER_SESSION
    yield "generic_parts", table.GENERIC_PARTS
    yield "generic_last", table.GENERIC_LAST
