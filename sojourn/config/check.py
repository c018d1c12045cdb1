"""Rules that no component can check alone: references between sections, the order of processors, what may share a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sojourn.component import Authenticator
from sojourn.config.model import KINDS, SIGNALS, Description, Kind, Pipeline
from sojourn.config.problems import Place, Problem, nearest

_BEFORE: Final = {"aggregate": "session", "lifecycle": "aggregate"}
_KEEPS_SESSIONS: Final = ("aggregate", "lifecycle")


def check(description: Description) -> list[Problem]:
    """Everything that is wrong between the parts."""
    return [
        *_extensions(description),
        *(problem for id_, pipeline in description.service.pipelines.items() for problem in _pipeline(description, id_, pipeline)),
        *_none(description),
        *_lanes(description),
        *_logs(description),
        *_databases(description),
        *_receivers_of_alerts(description),
        *_authenticators(description),
    ]


def _at(description: Description, *path: str) -> Place:
    node = description.tree
    for key in path:
        following = node.child(key)
        if following is None:
            break
        node = following
    return node.place


def _problem(description: Description, path: tuple[str, ...], message: str) -> Problem:
    return Problem(_at(description, *path), path, message)


def _configured(description: Description, kind: Kind) -> list[str] | None:
    """The ids of a section; None if it is no map, which is told elsewhere."""
    section = description.tree.child(kind)
    if section is None or section.value is None:
        return []
    return list(section.value) if isinstance(section.value, dict) else None


def _none(description: Description) -> Iterator[Problem]:
    if not description.service.pipelines:
        yield _problem(description, ("service", "pipelines"), "has no pipeline: add traces: {receivers: [otlp], exporters: [clickhouse]}")


def _authenticators(description: Description) -> Iterator[Problem]:
    """Whoever asks for credentials has to find them."""
    running = [id_ for id_ in description.service.extensions if isinstance(description.extensions.get(id_), Authenticator)]
    for kind in KINDS:
        for id_, component in description.section(kind).items():
            for path, asked in component.asks():
                if asked not in running:
                    known = f"there is {', '.join(running)}" if running else "there is none: add one such as bearer"
                    message = f"{asked} is no authenticator among service::extensions: {known}"
                    yield _problem(description, (kind, id_, *path, "authenticator"), message)


def _logs(description: Description) -> Iterator[Problem]:
    if description.service.data_dir is not None:
        return
    used = {id_ for pipeline in description.service.pipelines.values() for id_ in pipeline.receivers}
    for id_, receiver in description.receivers.items():
        if id_ in used and getattr(receiver, "acknowledge", None) == "durable":
            message = "durable needs a directory for the write-ahead log: set service::data_dir, or choose received or committed"
            yield _problem(description, ("receivers", id_, "acknowledge"), message)


def _extensions(description: Description) -> Iterator[Problem]:
    configured = _configured(description, "extensions")
    for index, id_ in enumerate(description.service.extensions):
        if configured is not None and id_ not in configured:
            yield _missing(description, ("service", "extensions", str(index)), "extension", id_, configured)


def _missing(description: Description, path: tuple[str, ...], word: str, id_: str, configured: list[str]) -> Problem:
    hint = nearest(id_, configured) or f"; add it under {word}s"
    return Problem(_at(description, *path), path[:-1], f"{word} {id_} is not configured{hint}")


def _pipeline(description: Description, id_: str, pipeline: Pipeline) -> Iterator[Problem]:
    path = ("service", "pipelines", id_)
    signal, slash, name = id_.partition("/")
    if signal not in SIGNALS or (slash and not name):
        yield _problem(description, path, f"is not a pipeline: write traces, logs or metrics, or traces/name{_near_signal(signal)}")
        return
    for kind in KINDS[:3]:
        ids: tuple[str, ...] = getattr(pipeline, kind)
        configured = _configured(description, kind)
        if not ids and kind != "processors":
            yield _problem(description, path, f"has no {kind[:-1]}: add {kind}: [{', '.join(configured or ['…'])}]")
        for index, component in enumerate(ids):
            if configured is not None and component not in configured:
                yield _missing(description, (*path, kind, str(index)), kind[:-1], component, configured)
    yield from _processors(description, path, pipeline)


def _near_signal(signal: str) -> str:
    near = nearest(signal, SIGNALS)
    return near if "did you mean" in near else ""


def _processors(description: Description, path: tuple[str, ...], pipeline: Pipeline) -> Iterator[Problem]:
    seen: list[str] = []
    for index, id_ in enumerate(pipeline.processors):
        place = _at(description, *path, "processors", str(index))
        type_ = description.type_of("processors", id_)
        earlier = _BEFORE.get(type_)
        if id_ in pipeline.processors[:index]:
            yield Problem(place, (*path, "processors"), f"{id_} is there twice: keep one of them")
        elif type_ == "redact" and index:
            yield Problem(place, (*path, "processors"), f"{id_} has to be the first: what stands before it would see what nobody may know")
        elif earlier and earlier not in seen:
            order = " → ".join((*_BEFORE.values(), "lifecycle"))
            yield Problem(place, (*path, "processors"), f"{id_} needs {earlier} before it: the order is {order}")
        seen.append(type_)


def _lanes(description: Description) -> Iterator[Problem]:
    """Within a lane a span no longer says which of two pipelines it came by, and requests are masked in one way."""
    pipelines = description.service.pipelines
    for lane in description.lanes():
        masks = dict.fromkeys(
            id_ for name in lane for id_ in pipelines[name].processors if description.type_of("processors", id_) == "redact"
        )
        if len(masks) > 1:
            message = f"shares processors with pipelines that have another redact ({', '.join(masks)}): let them have the same one"
            yield _problem(description, ("service", "pipelines", lane[0]), message)
        first: dict[str, str] = {}
        for id_ in lane:
            signal = id_.partition("/")[0]
            other = first.setdefault(signal, id_)
            if other != id_:
                shared = sorted(set(pipelines[id_].processors) & set(pipelines[other].processors)) or sorted(pipelines[id_].processors)
                own = f"{shared[0]}/{id_.partition('/')[2] or 'other'}"
                message = f"shares the processor {shared[0]} with {other}, which has the same signal: give it its own, such as {own}"
                yield _problem(description, ("service", "pipelines", id_), message)


def _databases(description: Description) -> Iterator[Problem]:
    """Two lanes that keep sessions would replace each other's rows in one database."""
    writers: dict[object, tuple[str, ...]] = {}
    for lane in description.lanes():
        pipelines = [description.service.pipelines[id_] for id_ in lane]
        if not any(description.type_of("processors", id_) in _KEEPS_SESSIONS for pipeline in pipelines for id_ in pipeline.processors):
            continue
        for id_ in dict.fromkeys(id_ for pipeline in pipelines for id_ in pipeline.exporters):
            other = writers.setdefault(_target(description, id_), lane)
            if other is not lane:
                message = (
                    f"keeps sessions in the same database as {other[0]} ({id_}): let both share the processors, or write to two databases"
                )
                yield _problem(description, ("service", "pipelines", lane[0]), message)


def _target(description: Description, id_: str) -> object:
    """What tells two exporters' databases apart."""
    exporter = description.exporters.get(id_)
    endpoint = getattr(exporter, "endpoint", None)
    return id_ if endpoint is None else (type(exporter), str(endpoint), getattr(exporter, "database", None))


def _receivers_of_alerts(description: Description) -> Iterator[Problem]:
    """Events leave `lifecycle` through the first pipeline of its lane that it is in: who is to be told must be there."""
    seen: set[str] = set()
    for pipeline in description.service.pipelines.values():
        for id_ in pipeline.processors:
            if id_ not in seen:
                seen.add(id_)
                yield from _unheard(description, id_, pipeline.exporters)


def _unheard(description: Description, processor: str, exporters: Sequence[str]) -> Iterator[Problem]:
    for number, alert in enumerate(getattr(description.processors.get(processor), "alerts", ())):
        for place, receiver in enumerate(getattr(alert, "receivers", ())):
            if receiver not in exporters:
                path = ("processors", processor, "alerts", str(number), "receivers")
                message = f"{receiver} is not among the exporters of the first pipeline with {processor}{nearest(receiver, exporters)}"
                yield Problem(_at(description, *path, str(place)), path, message)
