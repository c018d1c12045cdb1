"""One lane while it is being opened: its exporters, what it stored earlier, its processors, its queue."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sojourn.collector.dead_letters import DeadLetters
from sojourn.collector.memory import leave_pandas_out
from sojourn.collector.paths import Outlet, Path, Step
from sojourn.collector.pipeline import Lane
from sojourn.collector.write_ahead import open_log
from sojourn.component import Process

if TYPE_CHECKING:
    from sojourn import _native
    from sojourn.collector.service import Service
    from sojourn.storage.history import History
    from sojourn.wire.lifting import Lifting

TEXTS: Final = 64 << 20
"""Bytes of texts that a lane remembers: names, models, users, previews of recent traces."""
REMOTE: Final = (64 << 20, 192 << 20)
EMBEDDED: Final = (12 << 20, 32 << 20)
"""Bytes of one group, and of all that is not yet written: requests wait when three quarters of that are held, so that it takes more than
two groups and two thirds for the next one to be whole when the last one is stored. Larger groups cost less per span and bridge the time
that a server takes; the embedded engine takes several times the size of a group, in this process, while it stores it."""


class Opening:
    """One lane while it is being opened."""

    def __init__(self, service: Service, pipelines: tuple[str, ...], stack: ExitStack) -> None:
        from sojourn import _native

        self._service = service
        self._stack = stack
        description = service.description
        self._pipelines = {id_: description.service.pipelines[id_] for id_ in pipelines}
        exporters = dict.fromkeys(id_ for pipeline in self._pipelines.values() for id_ in pipeline.exporters)
        self._exporters = {id_: description.exporters[id_] for id_ in exporters}
        self._processors = list(dict.fromkeys(id_ for pipeline in self._pipelines.values() for id_ in pipeline.processors))
        self._raw = any(exporter.raw for exporter in self._exporters.values())
        self._lifting = {id_: self._lifts(pipeline.processors) for id_, pipeline in self._pipelines.items()}
        looking = any(description.type_of("processors", id_) != "redact" for id_ in self._processors)  # redact works on requests
        self.decode = looking or any(not exporter.raw for exporter in self._exporters.values())
        if self.decode:
            leave_pandas_out()
        self._host = replace(service.host, texts=_native.Texts(TEXTS) if self.decode else None)
        self._outlets: dict[str, Outlet] = {}

    def open_exporters(self) -> None:
        for id_, exporter in self._exporters.items():
            host = replace(self._host, id=id_)
            export = self._service.enter(self._stack, "exporters", id_, lambda exporter=exporter, host=host: exporter.open(host))
            self._outlets[id_] = Outlet(id_, export, exporter.raw, exporter.tables)

    def open_lane(self) -> Lane:
        steps = self._open_processors()
        paths = {
            id_.partition("/")[0]: Path(
                tuple(replace(steps[step], lifts=step == self._lifting[id_]) for step in pipeline.processors),
                tuple(self._outlets[out] for out in pipeline.exporters),
            )
            for id_, pipeline in self._pipelines.items()
        }
        service = self._service
        name = "+".join(self._pipelines)
        log = self._log(name)
        queue = self._queue(log)
        letters = DeadLetters(service.host.data_dir)
        meters, persistence = service.meters, service.persistence
        lane = Lane(name, queue, paths, service.host.clock, service.trouble, meters, persistence, service.tick, letters, log)
        if any(self._lifting.values()):
            lane.lifts_with(self._lift_again)
        return lane

    def _lifts(self, processors: tuple[str, ...]) -> str | None:
        """The first of our own processors behind one of somebody else's, which may have changed what ours reads."""
        found = self._service.description.processors
        ours = [id_ for id_ in processors if type(found[id_]).__module__.partition(".")[0] == "sojourn"]
        reading = [id_ for id_ in ours if self._service.description.type_of("processors", id_) != "redact"]
        return reading[0] if reading and set(processors[: processors.index(reading[0])]) - set(ours) else None

    def _lift_again(self) -> Lifting:
        from sojourn.wire.lifting import Lifting

        assert self._host.texts is not None
        return Lifting(self._host.texts, self._lift())

    def _log(self, name: str) -> _native.Log | None:
        description = self._service.description
        receivers = {id_ for pipeline in self._pipelines.values() for id_ in pipeline.receivers}
        wanted = any(description.receivers[id_].durable(self._service.host) for id_ in receivers)
        log = open_log(self._service.host.data_dir, name, description.service.write_ahead_log.max_size, wanted)
        if log is not None:
            self._stack.callback(log.close)
        return log

    def _open_processors(self) -> dict[str, Step]:
        if not self._processors:
            return {}
        if self.decode:
            from sojourn.sessions.telling import Telling

            self._host = replace(self._host, history=self._history(), telling=Telling())
        processors = self._service.description.processors
        steps: dict[str, Step] = {}
        for id_ in self._processors:
            process: Process = self._service.enter(self._stack, "processors", id_, lambda id_=id_: processors[id_].open(self._host))
            steps[id_] = Step(id_, process, looks=self._service.description.type_of("processors", id_) != "redact")
        return steps

    def _history(self) -> History | None:
        """What this lane stored earlier, from the first of its exporters that can say."""
        for id_, exporter in self._exporters.items():
            history: History | None = self._service.enter(
                self._stack, "exporters", id_, lambda exporter=exporter: exporter.open_history(self._host)
            )
            if history is not None:
                return history
        return None

    def _queue(self, log: _native.Log | None) -> Any:
        from sojourn import _native

        settings = self._service.description.service
        databases = (exporter.stores_in(self._host) for exporter in self._exporters.values())
        group, waiting = EMBEDDED if any(database is not None and database.embedded for database in databases) else REMOTE
        return _native.Lane(
            texts=self._host.texts,
            lift=self._lift(),
            flush_interval=settings.flush_interval,
            flush_rows=settings.flush_rows,
            flush_bytes=settings.flush_bytes or group,
            queue_bytes=settings.queue_bytes or waiting,
            decode=self.decode,
            raw=self._raw or any(self._lifting.values()),
            log=log,
            redact=self._redact(),
        )

    def _redact(self) -> str | None:
        """What is masked in requests of the signals whose pipelines ask for it."""
        processors = self._service.description.processors
        for id_ in self._processors:
            plan = getattr(processors[id_], "plan", None)
            if callable(plan):
                signals = [name.partition("/")[0] for name, pipeline in self._pipelines.items() if id_ in pipeline.processors]
                return str(plan(signals))
        return None

    def _lift(self) -> str:
        """The plan after which attributes become columns, from what all processors want of it."""
        if not self.decode:
            return "{}"
        from sojourn.sessions.lifting import lift_plan

        wanted: dict[str, Any] = {}
        for id_ in self._processors:
            lift = getattr(self._service.description.processors[id_], "lift", None)
            if callable(lift):
                wanted = lift() | wanted
        return lift_plan(**wanted)
