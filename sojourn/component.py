"""The contract of every component, on one page.

A *description* is a frozen model: its fields are the YAML keys, their docstrings are the manual. `open()` turns it into the running
thing and is a context manager, so start and stop are one place. The service opens extensions and exporters first, then processors,
receivers last, and leaves in the reverse order.

A *lane* is one thread with one group of data in flight: all pipelines that share a processor. Every processor is called from its lane's
thread only, so it needs no locks. An exporter is called for one group at a time, but for several tables of it side by side.

For every group the lane calls, in this order:

    process(batch) of each processor, in the order of the pipeline
    export(batch) of each exporter, for each batch that came out; returns once the rows are stored. First what was received, one after
      the other, then what is derived from it, side by side
    committed() of each processor: what the group produced is safe now, apply it to the state

If anything before `committed()` fails, `discard()` is called and the group is processed again or given up: state must look as if the
group had never come.
`tick(now)` is called between groups, about once a second; what it yields is exported, then `committed()` follows as for a group. A
running processor that has `asked(request)` (see Answering) is asked between groups too, when an extension wants something of it. One that
has `ending()` (see Ending) is told when no group follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import pyarrow as pa

    from sojourn import _native
    from sojourn.config.types import Endpoint
    from sojourn.sessions.telling import Telling
    from sojourn.storage.database import Database
    from sojourn.storage.history import History


FORGET: Final = "forget"
"""The `table` of a batch that is no rows but an order: remove everything of these sessions and traces (columns Tenant, Project, SessionId,
TraceId, which is '' for the whole session, Before, Version); or, with Version 0, what arrived before and belongs to none. Exporters that
store nothing for good take no notice of it."""

REPRICE: Final = "reprice"
"""As FORGET, an order: these spans and log records cost something else now (columns Tenant, TraceId, SpanId, Digest, which is 0 for a span,
CostPico, CostSource)."""


class Clock(Protocol):
    """Where the time comes from: `_native.Clock` in a running collector, a hand-set one in tests."""

    def now(self) -> int:
        """Nanoseconds since 1970, UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows bound for one table. Columns whose name begins with `_` travel between processors and are never stored."""

    table: str
    records: pa.RecordBatch
    token: str = ""
    """What an exporter tells this batch apart by when it comes again after a restart. Given by the lane; '' if it cannot come again."""
    again: bool = False
    """Whether an earlier process may have begun to store it."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Requests for exporters that send them on: serialised OTLP `Export…ServiceRequest` messages of one signal, as they came, but for what
    processors dropped or changed."""

    signal: str  # traces | logs | metrics
    requests: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Host:
    """What a running component may use of the collector around it."""

    clock: Clock
    collector: str
    """This collector's stable name, stored with every row."""
    data_dir: Path | None
    texts: _native.Texts | None = None
    """The texts behind the hashes in packed rows. None where nothing decodes."""
    history: History | None = None
    """What this lane stored earlier, or None where nothing can be read back."""
    telling: Telling | None = None
    """What `lifecycle` and `aggregate` of this lane know of services that tell their calls in log records."""
    id: str = ""
    """Of an exporter: its own id, such as webhook/slack."""
    authenticators: dict[str, _native.Keyring] = field(default_factory=dict)
    """The credentials of the authenticators among the extensions, by id."""


class Process(Protocol):
    def process(self, batch: Batch) -> Iterable[Batch]:
        """Give back what goes on: nothing (dropped), the batch, or more batches for other tables too.

        Raises Rejected (this group can never be processed) or Unavailable (try again later).
        """
        ...

    def settle(self) -> Iterable[Batch]:
        """All batches of a group, of all signals, have been through process(): give what follows from them together.

        Called once per group, after the processors in front of this one have settled. Raises as process() does.
        """
        ...

    def tick(self, now: int) -> Iterable[Batch]:
        """Something may be due by itself. `now` is in nanoseconds since 1970. What follows goes through settle() of those behind."""
        ...

    def committed(self) -> None:
        """What was produced since the last committed() or discard() is stored: apply it to the state."""
        ...

    def discard(self) -> None:
        """What was produced since then came to nothing: forget it."""
        ...


class Answering(Protocol):
    """What a running processor may have beside `Process`: it does what people ask for."""

    def asked(self, request: object) -> Iterable[Batch]:
        """Somebody asks through `Service.ask`: put the answer into the request, give what has to be stored for it.

        Called on the lane's thread between two groups, of every processor in the order of the pipeline; those that do not know this kind
        of request give nothing. What they give is stored as it is, without passing the processors behind; `committed()` or `discard()`
        follows. Raises as process() does.
        """
        ...


class Ending(Protocol):
    """What a running processor may have beside `Process`, if it puts off what it could tell."""

    def ending(self) -> None:
        """No more comes, and the next ticks are the last: what waits is due with them."""
        ...


class Export(Protocol):
    def export(self, batch: Batch | Raw) -> None:
        """Return once the data is stored. Raises Rejected (never) or Unavailable (later)."""
        ...


class Component(BaseModel):
    """What all descriptions share: immutable, and a key that nobody knows is an error.

    The docstring below a field is its entry in the manual; it is read from the source when the manual is asked for, not at every start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def unguarded(self) -> Iterable[Endpoint]:
        """Where anybody who reaches it may send data or read it. The service warns if that is more than this machine."""
        return ()

    def asks(self) -> Iterable[tuple[tuple[str, ...], str]]:
        """Ids of the authenticators that it asks, behind the keys that lead there."""
        return ()


class Receiver(Component):
    def open(self, host: Host, lanes: dict[str, list[_native.Lane]]) -> AbstractContextManager[object]:
        """Start to take data and push it into `lanes` (by signal: traces, logs, metrics); leaving stops taking, not delivering.

        What is yielded may have `endpoints: dict[str, str]` (host:port, printed and written to endpoints.json), `secured: Collection[str]`
        (those of them that speak TLS) and `meters() -> dict[str, float]`.
        """
        raise NotImplementedError

    def durable(self, host: Host) -> bool:
        """Whether it pushes with `durable=True`: then its lanes have a write-ahead log. Default: no."""
        return False


class Processor(Component):
    def open(self, host: Host) -> AbstractContextManager[Process]:
        """Default: a stateless processor, which is its own running thing."""
        return _Stateless(self)

    def process(self, batch: Batch) -> Iterable[Batch]:
        raise NotImplementedError

    def settle(self) -> Iterable[Batch]:
        return ()

    def tick(self, now: int) -> Iterable[Batch]:
        return ()

    def committed(self) -> None:
        return None

    def discard(self) -> None:
        return None


class Exporter(Component):
    raw: ClassVar[bool] = False
    """True for an exporter that takes `Raw` requests and never looks inside."""
    tables: ClassVar[frozenset[str] | None] = None
    """The tables whose rows it takes; None for all of them. It gets them before anything that is derived is stored."""

    def open(self, host: Host) -> AbstractContextManager[Export]:
        raise NotImplementedError

    def open_history(self, host: Host) -> AbstractContextManager[History | None]:
        """Read access to what was stored, for processors whose state was forgotten. Default: there is none."""
        return _Nothing()

    def stores_in(self, host: Host) -> Database | None:
        """The database that the rows go to, for extensions that show them. Opens nothing by itself. Default: there is none."""
        return None


class Service(Protocol):
    """What extensions see of the running collector."""

    host: Host

    def health(self) -> tuple[bool, dict[str, object]]:
        """(healthy, what /health answers)."""
        ...

    def urls(self) -> dict[str, str]:
        """Where everything listens, by the names of endpoints.json, as URLs: https where TLS is on."""
        ...

    def database(self) -> Database | None:
        """The database of the first exporter that has one; the same object whenever it is asked for."""
        ...

    def ask(self, request: object, timeout: float) -> None:
        """Have the processors answer `request` between two groups (Answering), and wait until what follows from it is stored.

        Raises Unavailable if that takes longer than `timeout` seconds, if too many others ask, or if nobody here can answer; and what
        the processors raise.
        """
        ...


class Extension(Component):
    def open(self, service: Service) -> AbstractContextManager[object]:
        """Start beside the pipelines. What is yielded may have `endpoints: dict[str, str]`, as for receivers."""
        raise NotImplementedError


class Authenticator(Extension):
    """An extension that says who a caller is. It is opened before all others, and what it yields has `keyring: _native.Keyring`."""


class _Stateless(AbstractContextManager["Process"]):
    def __init__(self, processor: Processor) -> None:
        self._processor = processor

    def __enter__(self) -> Process:
        return self._processor

    def __exit__(self, *_: object) -> None:
        return None


class _Nothing(AbstractContextManager["History | None"]):
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
