"""Which services tell their calls in log records instead of spans, by session.

A trace is folded with what is known of this about its session; its row says so (`muted` notes). `lifecycle`, who sees all rows of a
session, compares: where a row was folded with something else than is true now, it asks for the trace to be folded anew. So it does not
matter what came first, and nothing has to be remembered for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sojourn.schema import FACETS
from sojourn.sessions.graves import Graves
from sojourn.sessions.missing import NONE
from sojourn.sessions.order import changes, scramble, where
from sojourn.sessions.packed import U64, Index, Keys, Rows
from sojourn.sessions.tenants import Tenants

Services = Mapping[int, int]
"""Hash of a service's name (0 for '') → TELLING bits."""

_TELLING: Final = FACETS["telling"]
_MUTED: Final = FACETS["muted"]
MOST: Final = 100_000
"""Sessions that are remembered; what is forgotten is found again by comparing."""


class Pairs(NamedTuple):
    """Who tells what: hashes of sessions and services with their TELLING bits, sorted by session and service."""

    session: U64
    service: U64
    bits: U64


Trace = tuple[str, str]
"""Tenant and trace id."""


class Folding(Protocol):
    """What `aggregate` does for `lifecycle` (`processors.folding.Fold`)."""

    def afresh(self, host: Any) -> Any:
        """A fold of the same settings that knows nothing, on another host."""

    def wake(self) -> None:
        """Know what the database knows, if that is not so yet."""

    def next_version(self) -> int:
        """A version for trace rows, greater than all that were told."""

    def unsettled(self) -> set[Trace]:
        """Traces that are to be folded at the next tick."""

    def forget(self, traces: Sequence[Trace]) -> None:
        """Of these traces only what is stored is true."""


class Telling:
    """What `lifecycle` found out and `aggregate` asks, and the other way round. One thread uses it."""

    def __init__(self) -> None:
        self.missing = NONE
        """What `session` says is done with traces that name no session."""
        self.folding: Folding | None = None
        self.graves = Graves()
        self.tenants = Tenants()
        """Of the traces that are asked for."""
        self._known: dict[int, Services] = {}
        self._asked: dict[bytes, None] = {}

    def of(self, session: int) -> Services:
        return self._known.get(session, {})

    def among(self, sessions: U64) -> set[int]:
        """Those of the sessions of which something is known."""
        return self._known.keys() & set(sessions.tolist()) if self._known else set()

    def learn(self, session: int, services: Services) -> None:
        self._known.pop(session, None)
        if services:
            self._known[session] = services
        while len(self._known) > MOST:
            del self._known[next(iter(self._known))]

    def ask(self, traces: Keys) -> None:
        """These traces have to be folded anew."""
        self._asked.update(dict.fromkeys(key.tobytes() for key in traces))

    def asked(self) -> list[bytes]:
        return list(self._asked)

    def answered(self, traces: Iterable[bytes]) -> None:
        for key in traces:
            self._asked.pop(key, None)


def untrue(facets: Rows, row: Index, session: U64, telling: Telling) -> tuple[dict[int, Services], Index]:
    """What `telling` does not know yet of sessions by the notes of all their rows, and the rows that were folded with something else.

    `row` is the row of each facet, `session` the session of each row, sorted.
    """
    told, muted = where(facets["what"] == _TELLING), where(facets["what"] == _MUTED)
    if not len(told) and not len(muted):
        return {}, np.empty(0, np.intp)
    first = changes(session)
    number = first.cumsum() - 1
    owner, service, bits = united(number.take(row.take(told)), facets["value"][told], facets["key"][told])
    truth = np.zeros(int(number[-1]) + 1, np.uint64)
    np.add.at(truth, owner, scramble(service, bits))
    said = np.zeros(len(session), np.uint64)
    np.add.at(said, row.take(muted), scramble(facets["value"][muted], facets["key"][muted]))
    wrong = where(said != truth.take(number))
    keys = session.compress(first)
    tellers = keys.take(owner.compress(changes(owner)))
    news = set(keys.take(number.take(wrong)).tolist()) | (set(tellers.tolist()) - telling.among(tellers))
    learned: dict[int, dict[int, int]] = {key: {} for key in news}
    for key, name, what in zip(keys.take(owner).tolist(), service.tolist(), bits.tolist(), strict=True):
        if key in learned:
            learned[key][name] = what
    return dict(learned), wrong


def united(owner: npt.NDArray[Any], service: U64, bits: U64) -> tuple[npt.NDArray[Any], U64, U64]:
    """One entry per owner and service with all their bits, sorted by both."""
    owner, service, bits = _joined(owner, service, bits)  # most rows repeat the one before: a tenth of them is left to be sorted
    by = np.lexsort((service, owner))
    return _joined(owner.take(by), service.take(by), bits.take(by))


def _joined(owner: npt.NDArray[Any], service: U64, bits: U64) -> tuple[npt.NDArray[Any], U64, U64]:
    """Neighbours of one owner and service as one entry."""
    first = where(changes(owner, service))
    return owner.take(first), service.take(first), np.bitwise_or.reduceat(bits, first) if len(first) else bits


def bits_of(session: U64, service: U64, known: Pairs) -> npt.NDArray[np.uint8]:
    """TELLING bits of each row by its (session, service)."""
    if not len(known.bits) or not len(session):
        return np.zeros(len(session), np.uint8)
    key = scramble(known.session, known.service)
    by = np.argsort(key)
    at = by.take(np.minimum(np.searchsorted(key.take(by), scramble(session, service)), len(key) - 1))
    same = (known.session.take(at) == session) & (known.service.take(at) == service)
    return np.where(same, known.bits.take(at), np.uint64(0)).astype(np.uint8)
