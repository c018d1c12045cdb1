"""What is known of a trace when new spans of it come: from the shelf, else from the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sojourn.component import Host
from sojourn.processors.coming import Came, span_facets, traceless
from sojourn.schema import FLAGS
from sojourn.sessions.cells import is_record
from sojourn.sessions.graves import Grave
from sojourn.sessions.order import where
from sojourn.sessions.packed import FACT, SPAN_FACET, U64, Index, Keys, Mask, Rows, concat, copy, hashes, take, view
from sojourn.sessions.seen import Seen
from sojourn.sessions.shelf import Kept, Shelf
from sojourn.sessions.telling import Trace
from sojourn.sessions.tenants import Tenants, with_tenants

MOST_DOUBTS = 100_000
"""Traces that are read back because a group of them was refused; only a database that refuses and refuses makes so many."""
_NONE = 0xFFFFFFFF
"""The number of a trace that is none of those that are folded."""

if TYPE_CHECKING:
    from sojourn.storage.history import History


@dataclass(slots=True)
class Touched:
    """The traces of a group: their ids, and all their spans, older ones first."""

    keys: Keys
    facts: Rows
    facets: Rows
    fresh: int
    """Rows of `facts` from here on are new."""
    session: U64
    """Hash of the session each trace was counted in last, 0 for none."""
    recalled: Mask
    """Traces that were read back: told again even if nothing is new, since what follows from them may never have been stored."""
    stored: list[tuple[int, int]] = field(default_factory=list)
    """Of those that were read back: traces and sessions to which stored rows give a part of them."""


class Recall:
    """The shelf of recently touched traces, the filter of those that may be stored, and the way back from the database."""

    def __init__(self, host: Host, memory: int, tenants: Tenants) -> None:
        assert host.texts is not None
        self._texts, self._history, self._tenants = host.texts, host.history, tenants
        self._restored = host.history is None
        self._seen: Seen | None = None
        self._shelf = Shelf(memory, self._forget)
        self._doubtful: dict[bytes, None] = {}

    @property
    def possible(self) -> bool:
        """Whether there is a database to read from."""
        return self._history is not None

    def restore(self) -> int | None:
        """The last version that is stored, at the first call: when spans come, so that a database that is down delays no start."""
        if self._restored:
            return None
        assert self._history is not None
        version = self._history.last_version()
        horizon = self._history.horizon()
        seen = Seen(horizon)
        for traces in self._history.traces_since(horizon):
            names = traces.column("Tenant").combine_chunks().dictionary_encode()
            tenants = self._tenants.codes(names.dictionary, self._texts).take(np.asarray(names.indices))
            ids = np.stack([np.asarray(traces.column(half)) for half in ("Hi", "Lo")], axis=1)
            seen.include(_trace_hashes(with_tenants(ids, tenants)))
        self._seen, self._restored = seen, True
        return version

    def sizes(self, keys: Keys) -> Index:
        """Known spans per trace, -1 where the shelf knows none."""
        return self._shelf.get(keys).spans

    def put(self, kept: Kept) -> None:
        """What the shelf holds from now on."""
        self._shelf.put(kept)
        for key in kept.keys if self._doubtful else ():
            self._doubtful.pop(key.tobytes(), None)

    def doubt(self, keys: Keys) -> None:
        """A group of these traces came to nothing, perhaps when some of it was stored already: the shelf does not know all of them."""
        if self._history is not None:
            self._doubtful.update((key.tobytes(), None) for key in keys)
            for key in list(self._doubtful)[: max(len(self._doubtful) - MOST_DOUBTS, 0)]:
                del self._doubtful[key]

    def known(self, came: Came, numbers: Index, asked: Mask) -> Touched:
        """What the shelf knows of these traces, then what the database knows of those that may have been forgotten."""
        keys, facts, facets = came
        whole = len(numbers) == len(keys)
        known = self._shelf.get(keys if whole else keys[numbers])
        old, old_facets, session = known.facts, known.facets, known.session
        if not whole:
            old["trace"], old_facets["trace"] = numbers.take(old["trace"]), numbers.take(old_facets["trace"])
            session = np.zeros(len(keys), np.uint64)
            session[numbers] = known.session
        touched = Touched(keys, concat(old, facts), concat(old_facets, facets), len(old), session.copy(), asked.copy())
        unknown = numbers.compress(known.spans < 0)
        doubtful = self._doubts(keys, numbers)
        if self._history is None or not (len(unknown) or len(doubtful)):
            return touched
        assert self._seen is not None
        # A root began its trace, and a log trace lies within its minute: if that is news, so is the trace.
        traceless = (facts["flags"] & FLAGS["traceless"]) != 0
        # But one that begins after its arrival has a clock that says nothing.
        root = facts[np.where(is_record(facts), traceless, facts["parent"] == 0) & (facts["start"] <= facts["arrival"])]
        start = np.full(len(keys), -1, np.int64)
        start[root["trace"]] = root["start"]
        maybe = self._seen.maybe(_trace_hashes(keys[unknown]), start.take(unknown)) | asked.take(unknown)
        wanted = np.union1d(unknown[maybe], doubtful)
        return self.stored(touched, wanted) if len(wanted) else touched

    def _doubts(self, keys: Keys, numbers: Index) -> Index:
        if not self._doubtful:
            return numbers[:0]
        return numbers[[key.tobytes() in self._doubtful for key in keys[numbers]]]

    def stored(self, touched: Touched, numbers: Index) -> Touched:
        """Add what the database holds of these traces."""
        assert self._history is not None
        wanted = self._named(touched.keys, numbers)
        touched.recalled[numbers] = True
        ids = list(dict.fromkeys(trace for _, trace in wanted))
        facts, facets = self.read(self._history, wanted)
        touched.facts, touched.facets = concat(facts, touched.facts), concat(facets, touched.facets)
        touched.fresh += len(facts)
        for tenant, project, session, trace, spans in self._history.parts_of_traces(ids):
            if (number := wanted.get((tenant, trace))) is None:
                continue
            code = int(hashes(self._texts, pa.array([f"{tenant}\0{project}\0{session}"]))[0])
            touched.stored.append((number, code))
            if spans:
                touched.session[number] = code
        return touched

    def read(self, history: History, wanted: Mapping[Trace, int]) -> tuple[Rows, Rows]:
        """Spans and log records of these traces that are stored, by the numbers of the traces."""
        ids = list(dict.fromkeys(trace for _, trace in wanted))
        tables = history.records(ids), history.spans(ids)
        parts = [self._stored_facts(table, wanted) for table in tables if len(table)]
        return concat(np.empty(0, FACT), *(facts for facts, _ in parts)), concat(np.empty(0, SPAN_FACET), *(facets for _, facets in parts))

    def drop(self, keys: Keys, now: int) -> None:
        """Whatever the shelf knows of these is not to be believed."""
        self._shelf.drop(keys)
        self._forget(keys, now)

    def graves(self) -> list[Grave]:
        """What was deleted in earlier lives."""
        return [] if self._history is None else self._history.graves()

    def keys_of(self, traces: Sequence[Trace]) -> Keys:
        return self._tenants.keys_of(traces, self._texts)

    def trace_of(self, key: bytes) -> Trace:
        return self._tenants.name(int.from_bytes(key[16:], "big")), key[:16].hex()

    def _named(self, keys: Keys, numbers: Index) -> dict[tuple[str, str], int]:
        """These traces by tenant and id, as they are stored."""
        return {(self._tenants.name(int(keys[number, 2])), keys[number, :2].tobytes().hex()): number for number in numbers.tolist()}

    def _stored_facts(self, table: pa.Table, wanted: Mapping[Trace, int]) -> tuple[Rows, Rows]:
        """Rows of these traces; others of the table have the id of one of them, but are another tenant's."""
        from sojourn import _native

        batch = table.combine_chunks().to_batches()[0]
        packed = pa.record_batch(_native.facts(batch, self._texts))
        facts = copy(view(packed.column("_fact"), FACT))
        trace = batch.column("TraceId").to_pylist()
        if "LogTrace" in batch.schema.names:
            facts["flags"] |= traceless(batch)
            trace = [mine or other for mine, other in zip(batch.column("LogTrace").to_pylist(), trace, strict=True)]
        facts["trace"] = [wanted.get(each, _NONE) for each in zip(batch.column("Tenant").to_pylist(), trace, strict=True)]
        facets = span_facets(packed.column("_facets"), facts)
        if (others := facts["trace"] == _NONE).any():
            facts, facets = take(facts, where(~others)), take(facets, where(facets["trace"] != _NONE))
        return facts, facets

    def _forget(self, gone: Keys, newest: int) -> None:
        """Spans of these traces are in the database only from now on."""
        if self._seen is not None:
            self._seen.forget(_trace_hashes(gone), newest)


def _trace_hashes(keys: Keys) -> U64:
    """A number per trace, for the filter."""
    hi, lo, tenant = keys.astype(np.uint64).T
    out: U64 = (hi * np.uint64(0x9E3779B97F4A7C15) ^ lo ^ tenant) * np.uint64(0xC2B2AE3D27D4EB4F)
    return out
