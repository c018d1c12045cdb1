"""A right configuration becomes a description: components, defaults, lanes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.commands.print_config import printable
from sojourn.config.load import load
from sojourn.config.manual import keys
from sojourn.config.model import Description, ServiceSettings, read

from .samples import Samples, Source

PLAIN = "receivers: {source: }\nexporters: {sink: }\nservice: {pipelines: {traces: {receivers: [source], exporters: [sink]}}}"


def described(text: str = PLAIN, *settings: str, **environment: str) -> Description:
    return read(load(["env:CONFIG"], settings, {"CONFIG": text, **environment}), Samples())


def test_nothing_written_is_the_default() -> None:
    """A component without keys, and a null key, mean the defaults."""
    description = described(PLAIN, "receivers.source.limit=", "service.flush_interval=", "service.telemetry=")
    assert description.receivers["source"] == Source()
    assert description.service.flush_interval == 1.0


def test_text_from_a_variable_stays_text() -> None:
    """A number in a variable is a text where a text is wanted and a number where a number is wanted."""
    description = described(
        PLAIN, "exporters.sink.path=${env:CODE}", "exporters.sink.count=${env:CODE}", "exporters.sink.token=${CODE}", CODE="0123"
    )
    sink = description.exporters["sink"]
    assert (sink.path, sink.count, sink.token.reveal()) == ("0123", 83, "0123")  # type: ignore[attr-defined]


def test_type_can_be_named_beside_the_id(tmp_path: Path) -> None:
    """`type` names a file beside the configuration, or any other type."""
    (tmp_path / "tidy.py").write_text("from sojourn import Processor\nclass Tidy(Processor):\n    '''Tidies.'''\n    hard: bool = False\n")
    (tmp_path / "main.yaml").write_text(
        "receivers: {mine: {type: source}}\nprocessors: {tidy: {type: ./tidy.py:Tidy, hard: true}}\nexporters: {sink: }\n"
        "service: {pipelines: {traces: {receivers: [mine], processors: [tidy], exporters: [sink]}}}"
    )
    description = read(load([str(tmp_path / "main.yaml")]), Samples())
    assert isinstance(description.receivers["mine"], Source)
    assert description.processors["tidy"].hard  # type: ignore[attr-defined]
    assert description.type_of("processors", "tidy") == "./tidy.py:Tidy"


@pytest.mark.parametrize(
    ("pipelines", "lanes"),
    [
        ({"traces": "[a, b]", "logs": "[b]", "metrics": "[c]"}, [("traces", "logs"), ("metrics",)]),
        ({"traces": "[]", "logs": "[]"}, [("traces",), ("logs",)]),
        ({"metrics": "[a]", "traces": "[b]", "logs": "[a, b]"}, [("metrics", "traces", "logs")]),
    ],
)
def test_pipelines_that_share_a_processor_share_a_lane(pipelines: dict[str, str], lanes: list[tuple[str, ...]]) -> None:
    """Sharing is transitive; the rest stands alone."""
    body = ", ".join(f"{id_}: {{receivers: [source], processors: {names}, exporters: [sink]}}" for id_, names in pipelines.items())
    text = f"receivers: {{source: }}\nprocessors: {{a: , b: , c: }}\nexporters: {{sink: }}\nservice: {{pipelines: {{{body}}}}}"
    assert described(text).lanes() == lanes


def test_what_is_printed_reads_back() -> None:
    """print-config gives a configuration that means the same, and no secret."""
    text = PLAIN.replace("sink: }", "sink: {token: hunter2, database: 'clickhouse://u:hunter2@h'}, sink/b: {type: sink, count: 3}}")
    description = described(
        text, "service.flush_interval=90s", "service.flush_bytes=2097152", "receivers.source.protocols.grpc.endpoint=:0"
    )
    tree = printable(description)
    assert "hunter2" not in str(tree)
    assert tree["service"]["flush_interval"] == "1m30s"
    assert tree["service"]["flush_bytes"] == "2MiB"
    import yaml

    again = described(yaml.safe_dump(tree))
    assert again.service == description.service
    assert again.receivers == description.receivers


def test_every_key_of_the_service_is_documented() -> None:
    """The manual says what every key of the service means."""
    assert [key.name for key in keys(ServiceSettings) if not key.meaning] == []
