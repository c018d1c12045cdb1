"""What every registered component owes its users, ours and plugins alike."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest
from pydantic import BaseModel, ValidationError

from sojourn import _native
from sojourn.collector.registry import Installed
from sojourn.component import Batch, Component, Host, Processor
from sojourn.config.manual import keys, purpose, submodels
from sojourn.config.model import KINDS, Kind, ServiceSettings
from sojourn.errors import ConfigError
from sojourn.sessions.lifting import lift_plan
from sojourn.testing import at, request, span


def registered() -> Iterator[tuple[Kind, str]]:
    for kind in KINDS:
        for name in Installed().names(kind):
            yield kind, name


@pytest.fixture(params=registered(), ids=lambda found: f"{found[0]}-{found[1]}")
def component(request: pytest.FixtureRequest) -> type[Component]:
    kind, name = request.param
    try:
        return Installed().find(kind, name, None)
    except ConfigError as error:
        pytest.skip(str(error))


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A description and those inside it."""
    yield model
    for info in model.model_fields.values():
        for inner in submodels(info.annotation):
            if inner is not model:
                yield from models(inner)


def test_says_what_it_is_for(component: type[Component]) -> None:
    """One sentence in its own docstring."""
    assert component.__doc__
    assert purpose(component).endswith(".")
    assert len(purpose(component)) <= 160


def test_every_key_is_documented(component: type[Component]) -> None:
    """The manual says what each key means; the default is in the code, so the text does not repeat it."""
    undocumented = [key.name for key in keys(component) if not key.meaning]
    assert undocumented == []
    assert [key.name for key in keys(component) if not key.meaning.endswith((".", "?"))] == []


def test_unknown_keys_are_refused_and_nothing_changes(component: type[Component]) -> None:
    """On every level."""
    for model in models(component):
        assert model.model_config.get("frozen") is True, model
        assert model.model_config.get("extra") == "forbid", model
    with pytest.raises(ValidationError, match="no_such_key"):
        component.model_validate({"no_such_key": 1})


def test_keys_are_written_as_people_write_them(component: type[Component]) -> None:
    """snake_case, and durations and sizes by the words of the types: no key ends in _seconds, _ms or _bytes with a bare number."""
    for key in keys(component):
        assert key.name == key.name.lower(), key
        assert not (key.type in ("whole number", "number") and key.name.endswith(("_seconds", "_ms", "_timeout", "_bytes"))), key


NEEDED: dict[str, dict[str, object]] = {"redact": {"keys": ["never there"]}}
"""What a processor has to be told."""


@pytest.mark.parametrize("name", Installed().names("processors"))
def test_processor_takes_empty_batches_and_keeps_what_it_does_not_know(name: str) -> None:
    """Columns of others pass through, tables of others too, and nothing is made of nothing."""
    texts = _native.Texts(1 << 20)
    limits = {"flush_interval": 60.0, "flush_rows": 10, "flush_bytes": 1 << 20, "queue_bytes": 1 << 20}
    lane = _native.Lane(texts=texts, lift=lift_plan(), **limits)
    lane.push("traces", request(span("x", session="s")).SerializeToString(), "application/x-protobuf", at("09:00"))
    lane.flush()
    delivery = lane.next(10.0)
    assert delivery is not None
    spans = pa.record_batch(delivery.traces())
    spans = spans.append_column("Mine", pa.array(["kept"] * spans.num_rows))
    description = Installed().find("processors", name, None).model_validate(NEEDED.get(name, {}))
    assert isinstance(description, Processor)
    others = Batch("others", pa.record_batch({"a": [1]}))
    with description.open(Host(_native.Clock(at("12:00")), "here", None, texts)) as process:
        assert sum(out.records.num_rows for out in process.process(Batch("otel_traces", spans.slice(0, 0)))) == 0
        process.committed()
        assert [out.records for out in process.process(others)] == [others.records]
        passed = [out.records for out in process.process(Batch("otel_traces", spans)) if out.table == "otel_traces"]
        process.committed()
    assert [records.column("Mine").to_pylist() for records in passed] == [["kept"]]
    delivery.commit()


def test_service_keeps_the_same_promises() -> None:
    """The settings of the service are no component, but people read them in the same manual."""
    test_says_what_it_is_for(ServiceSettings)
    test_every_key_is_documented(ServiceSettings)
    test_unknown_keys_are_refused_and_nothing_changes(ServiceSettings)
