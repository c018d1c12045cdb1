"""Sessions beside those that are folded again: log records of theirs stand in the same traces, and who tells calls there counts too."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import pyarrow as pa

from sojourn.component import Host
from sojourn.schema import FACETS
from sojourn.sessions.names import Key, keys_of
from sojourn.sessions.packed import hashes
from sojourn.sessions.telling import Trace

if TYPE_CHECKING:
    from sojourn.storage.history import History

_NOTES = ("TraceId", "Notes.What", "Notes.Key", "Notes.Text")
Telling = tuple[Key, str, int, str]
"""A session, a trace of it, the TELLING bits and the service."""


def only(batch: pa.RecordBatch, keys: AbstractSet[Key]) -> pa.RecordBatch:
    """The rows of these sessions."""
    mine = [key in keys for key in keys_of(batch)]
    return batch if all(mine) else batch.filter(pa.array(mine, pa.bool_()))


def meet(own: Host, history: History, folded: pa.RecordBatch, keys: AbstractSet[Key]) -> None:
    """Learn who tells calls in the sessions that share traces with these, and have such traces folded anew with that in mind.

    Of the traces that were folded the new rows say it, of all others of such a session the stored rows.
    """
    assert own.telling is not None
    parts = list(zip(keys_of(folded), folded.column("TraceId").to_pylist(), strict=True))
    shared = [(key, trace) for key, trace in parts if key not in keys]
    if not shared:
        return
    traces: set[Trace] = {(key[0], trace) for key, trace in parts}
    stored = [told for told in history.tellings(list(dict(shared))) if (told[0][0], told[1]) not in traces]
    services: dict[Key, dict[str, int]] = {}
    for key, _, bits, service in (*stored, *_tellings(folded)):
        if key not in keys:
            known = services.setdefault(key, {})
            known[service] = known.get(service, 0) | bits
    for key, names in services.items():
        session, *codes = hashes(own.texts, pa.array(["\0".join(key), *names], pa.string())).tolist()
        own.telling.learn(session, dict(zip(codes, names.values(), strict=True)))
    news = {key for key, *_ in stored}
    again = list(dict.fromkeys((key[0], trace) for key, trace in shared if key in news))
    if again:
        own.telling.ask(own.telling.tenants.keys_of(again, own.texts))


def _tellings(folded: pa.RecordBatch) -> Iterator[Telling]:
    columns = (folded.column(name).to_pylist() for name in _NOTES)
    for key, trace, what, bits, service in zip(keys_of(folded), *columns, strict=True):
        told = zip(what, bits, service, strict=True)
        yield from ((key, trace, bit, name) for note, bit, name in told if note == FACETS["telling"])
