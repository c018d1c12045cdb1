"""From a span to a message on Slack: rules, alerts and events in a whole collector, with the configuration that the documents show."""

from __future__ import annotations

import json
from urllib.request import urlopen

import pytest

from sojourn.collector.registry import Installed
from sojourn.config.load import load
from sojourn.config.model import read
from sojourn.config.problems import ConfigErrors
from sojourn.testing import run, span
from tests.documents import ROOT
from tests.exporters.test_webhook import Server, server  # noqa: F401  a fixture

EXAMPLE = ROOT / "config" / "alerts.yaml"


def test_the_example_tells_slack_a_program_and_a_collector(server: Server) -> None:  # noqa: F811
    settings = [f"exporters.webhook/{name}.url={server.url}-{name}" for name in ("slack", "program", "collector")]
    with run(EXAMPLE, settings, now="09:00") as collector:
        cost = {"gen_ai.usage.cost": 6.5}
        collector.send(span("chat", session="s1", model="gpt-4o", tokens=(10, 5), attributes=cost))
        collector.settle()
        bodies = server.wait(3)
        (slack,) = (body["text"] for body in bodies if "text" in body)
        assert slack.startswith(":rotating_light: *expensive* (critical): <http://127.0.0.1:4321/sessions/s1|session s1>\ncost=6.5")
        assert [body["event"] for body in bodies if "event" in body] == ["session.start"], "expensive is for Slack only"
        collector.advance("31m")
        server.wait(5)
        with urlopen(f"http://{collector.endpoints['web']}/alerts.json") as answer:
            (alert,) = json.load(answer)["alerts"]
        assert (alert["session_id"], alert["name"], alert["values"]) == ("s1", "expensive", "cost=6.5")
        with urlopen(f"http://{collector.endpoints['metrics']}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        assert not [line for line in lines if "webhook" in line and "spans" in line], "it takes events only"
        assert any(line.startswith('sojourn_webhook_told_total{exporter="webhook/slack"} 1') for line in lines)
        (row,) = collector.sessions()
        assert (row["State"], row["Alerts"]) == ("ended", ["expensive"])


def test_who_is_to_be_told_must_be_there() -> None:
    with pytest.raises(ConfigErrors, match=r"lifecycle::alerts::0::receivers: webhook/slack is not among the exporters") as wrong:
        read(load([str(EXAMPLE)], ["service.pipelines.traces.exporters=[clickhouse]"]), Installed())
    assert "alerts.yaml:" in str(wrong.value)


def test_a_condition_is_refused_with_its_line_and_place() -> None:
    with pytest.raises(ConfigErrors, match=r"alerts::0::condition: 'cots > 5' is not a condition: character 1: there is no column cots"):
        read(load([str(EXAMPLE)], ["processors.lifecycle.alerts=[{name: a, condition: cots > 5}]"]), Installed())
