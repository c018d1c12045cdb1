"""From a description to a running collector and back: one ExitStack, so that stopping is starting in reverse.

Exporters open first, then extensions and processors, then the lanes' threads start, receivers come last: nothing is taken that could not
be passed on. Leaving stops the receivers, lets the lanes bring to its end what was taken, and closes the rest.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from sojourn.collector import memory
from sojourn.collector.health import Health
from sojourn.collector.home import Home, move_in
from sojourn.collector.meters import Meters
from sojourn.collector.opening import Opening
from sojourn.collector.persistence import Persistence
from sojourn.collector.pipeline import TICK, Lane
from sojourn.collector.write_ahead import amount, move_old_logs
from sojourn.component import Authenticator, Clock, Component, Host
from sojourn.config.model import Description, Kind
from sojourn.errors import ConfigError, SojournError, Unavailable
from sojourn.extensions.plain_http import Answer, serve

if TYPE_CHECKING:
    from sojourn.storage.database import Database

log = logging.getLogger(__name__)


class Unfinished(SojournError):
    """The collector stopped before everything was dealt with; threads are still at work."""

    def __init__(self, message: str, lost: bool) -> None:
        super().__init__(message)
        self.lost = lost


class Service:
    """A collector that runs. What extensions see of it is in `component.Service`."""

    def __init__(self, description: Description, home: Home, clock: Clock, tick: float = TICK) -> None:
        self.description = description
        self.host = Host(clock, home.collector, home.path)
        self.endpoints: dict[str, str] = {}
        self._secured: set[str] = set()
        self.meters = Meters()
        self.lanes: list[Lane] = []
        self._home = home
        self.tick = tick
        self.trouble = Health()
        self.persistence = Persistence(self.trouble, self.meters)
        self._database: Database | None = None
        self._looked = False
        self._before = (0, 0)

    def health(self) -> tuple[bool, dict[str, object]]:
        """(healthy, state, components and lanes)."""
        healthy, told = self.trouble.report()
        told["oldest_unwritten_seconds"] = round(max((lane.oldest_seconds() for lane in self.lanes), default=0.0), 3)
        told["lanes"] = {lane.name: lane.queue.stats() for lane in self.lanes}
        return healthy, {"collector": self.host.collector, **told}

    def urls(self) -> dict[str, str]:
        """Where everything listens, with the scheme that is spoken there."""
        return {name: f"http{'s' if name in self._secured else ''}://{address}" for name, address in self.endpoints.items()}

    def database(self) -> Database | None:
        """The database of the first exporter that has one, opened when it is first asked for."""
        if not self._looked:
            found = (exporter.stores_in(self.host) for exporter in self._used_exporters().values())
            self._database = next((database for database in found if database is not None), None)
            self._looked = True
        return self._database

    def ask(self, request: object, timeout: float) -> None:
        """Have the first lane whose processors can answer do so. See `component.Service`."""
        lane = next((lane for lane in self.lanes if lane.answers()), None)
        if lane is None:
            raise Unavailable("nothing here can do that: no pipeline has a processor that keeps sessions")
        lane.ask(request, timeout)

    def _close_database(self) -> None:
        if self._database is not None:
            self._database.close()

    def _used_exporters(self) -> dict[str, Any]:
        used = {id_ for pipeline in self.description.service.pipelines.values() for id_ in pipeline.exporters}
        return {id_: exporter for id_, exporter in self.description.exporters.items() if id_ in used}

    def start(self, stack: ExitStack) -> None:
        """Open everything on `stack`. Raises SojournError or ConfigError with the component's path."""
        settings = self.description.service
        stack.callback(self._close_database)
        plans = [Opening(self, lane, stack) for lane in self.description.lanes()]
        if any(plan.decode for plan in plans):  # a sidecar that only forwards gives its memory back instead
            memory.keep_allocator_pages()
        for plan in plans:
            plan.open_exporters()
        for id_ in sorted(dict.fromkeys(settings.extensions), key=lambda id_: not self._is_authenticator(id_)):
            running = self.enter(stack, "extensions", id_, lambda id_=id_: self.description.extensions[id_].open(self))
            if self._is_authenticator(id_):
                self.host.authenticators[id_] = running.keyring
        if settings.telemetry.metrics.endpoint is not None and settings.telemetry.metrics.level != "none":
            self._serve_metrics(stack)
        for plan in plans:
            self.lanes.append(plan.open_lane())
        stack.callback(self._drain)
        for lane in self.lanes:
            self.meters.ask(lane.stats, lane=lane.name)
            lane.start()
        queues = {lane.name: {signal: [lane.queue] for signal in lane.paths} for lane in self.lanes}
        move_old_logs(self.host.data_dir, queues, settings.write_ahead_log.max_size)
        self._open_receivers(stack)
        self._warn_of_strangers()
        memory.collect_rarely()
        self.trouble.state = "running"
        self._home.write_endpoints(self.endpoints)
        stack.callback(self._stopping)
        memory.drop_idle_code()

    def _is_authenticator(self, id_: str) -> bool:
        return isinstance(self.description.extensions[id_], Authenticator)

    def enter(self, stack: ExitStack, kind: Kind, id_: str, open_: Any) -> Any:
        """Open a component; what goes wrong is said with its path."""
        where = f"{kind}::{id_}"
        self.trouble.know(where)
        try:
            running = stack.enter_context(open_())
        except ConfigError as error:
            raise ConfigError(_with_path(where, str(error))) from error
        except SojournError as error:
            raise SojournError(_with_path(where, str(error))) from error
        except OSError as error:
            raise SojournError(f"{where}: cannot start: {error}{_advice(error)}") from error
        except Exception as error:
            error.add_note(f"{where}: cannot start: this is a defect, please report it")
            raise
        for name, address in getattr(running, "endpoints", {}).items():
            _, slash, own = id_.partition("/")
            self.endpoints[f"{name}{slash}{own}"] = address
            if name in getattr(running, "secured", ()):
                self._secured.add(f"{name}{slash}{own}")
        if callable(meters := getattr(running, "meters", None)):
            self.meters.ask(meters, **{kind[:-1]: id_})
        return running

    def _open_receivers(self, stack: ExitStack) -> None:
        used: dict[str, dict[str, list[Any]]] = {}
        for lane in self.lanes:
            for id_, pipeline in self.description.service.pipelines.items():
                signal = id_.partition("/")[0]
                if id_ in lane.name.split("+"):
                    for receiver in pipeline.receivers:
                        used.setdefault(receiver, {}).setdefault(signal, []).append(lane.queue)
        for id_, lanes in used.items():
            distinct = {signal: list(dict.fromkeys(queues)) for signal, queues in lanes.items()}
            self.enter(stack, "receivers", id_, lambda id_=id_, lanes=distinct: self.description.receivers[id_].open(self.host, lanes))

    def _warn_of_strangers(self) -> None:
        """Once, for everything that listens beyond this machine without asking who comes."""
        used = {id_ for pipeline in self.description.service.pipelines.values() for id_ in pipeline.receivers}
        parts: dict[str, Component] = {f"receivers::{id_}": self.description.receivers[id_] for id_ in sorted(used)}
        parts |= {f"extensions::{id_}": self.description.extensions[id_] for id_ in self.description.service.extensions}
        open_ = [f"{where} on {endpoint}" for where, part in parts.items() for endpoint in part.unguarded() if not endpoint.local]
        if open_:
            log.warning(
                "%s: whoever reaches this can send data or read it: add auth with an authenticator, or listen on 127.0.0.1",
                ", ".join(open_),
            )

    def _serve_metrics(self, stack: ExitStack) -> None:
        endpoint = self.description.service.telemetry.metrics.endpoint
        assert endpoint is not None
        try:
            self.endpoints["metrics"] = stack.enter_context(serve(endpoint, self._answer_metrics, "metrics"))
        except OSError as error:
            raise SojournError(f"service::telemetry::metrics::endpoint: {endpoint}: {error.strerror}{_advice(error)}") from error

    def _answer_metrics(self, path: str) -> Answer:
        if path not in ("/", "/metrics"):
            return Answer(404, "metrics are at /metrics\n")
        return Answer(200, self.meters.text(), "text/plain; version=0.0.4; charset=utf-8")

    def _stopping(self) -> None:
        """Before the receivers close: they wait for senders, and senders that wait for a commit wait for the lanes."""
        self._before = self._rows()
        self.persistence.stop(self.description.service.shutdown_timeout)
        self.trouble.state = "stopping"
        log.info("stopping: taking nothing more")

    def _drain(self) -> None:
        """Let the lanes end; what cannot be written in time is told."""
        allowed = self.description.service.shutdown_timeout
        self.persistence.stop(allowed)  # again, for a start that failed half-way
        deadline = time.monotonic() + allowed + 2.0
        for lane in self.lanes:
            lane.close()
        late = [lane for lane in self.lanes if not lane.join(max(0.0, deadline - time.monotonic()))]
        if self.trouble.state == "stopping":
            stored, lost = (after - before for after, before in zip(self._rows(), self._before, strict=True))
            log.info("stopped: %d rows were written while stopping, %d were given up%s", stored, lost, self._left())
        if late:
            names, lost = ", ".join(lane.name for lane in late), any(lane.log is None for lane in late)
            fate = "what was not written is lost" if lost else "what was not written stays in the write-ahead log"
            raise Unfinished(f"service::shutdown_timeout: {names}: did not end in time: {fate}", lost)

    def _left(self) -> str:
        """What the logs keep for the next start, in words."""
        logs = [lane.log.stats() for lane in self.lanes if lane.log is not None]
        requests, size = (sum(stats[name] for stats in logs) for name in ("sojourn_log_requests", "sojourn_log_bytes"))
        return f", {amount(requests, size)} stay in the write-ahead log for the next start" if requests else ""

    def _rows(self) -> tuple[int, int]:
        return sum(lane.stored for lane in self.lanes), sum(lane.lost for lane in self.lanes)


def _with_path(where: str, message: str) -> str:
    return message if message.startswith(where) else f"{where}: {message}"


def _advice(error: OSError) -> str:
    import errno

    if error.errno == errno.EADDRINUSE or "in use" in str(error):
        return ": another program listens there: stop it, or choose another endpoint (port 0 takes any free one)"
    if error.errno == errno.EACCES:
        return ": choose a port above 1023, or run with the right to open it"
    if error.errno == errno.EADDRNOTAVAIL:
        return ": this machine does not have that address"
    return ""


@contextmanager
def running(description: Description, clock: Clock | None = None, tick: float = TICK) -> Iterator[Service]:
    """A collector that takes data while the block runs, and has dealt with all of it when the block is left."""
    from sojourn import _native

    stack = ExitStack()
    try:
        home = stack.enter_context(move_in(description.service.data_dir, description.service.collector))
        service = Service(description, home, clock or _native.Clock(), tick)
        service.start(stack)
        yield service
    finally:  # components are left in the same way whatever happened: authors forget `try` around their `yield`
        stack.close()
