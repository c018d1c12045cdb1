"""Every statement that we hand out is answered: those of the page of queries, and those of the Grafana dashboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from sojourn.testing import Collector, at, run, span
from sojourn.web.ready import READY

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "sojourn.json").read_text("utf-8"))
ASKED = [(panel["title"], target["rawSql"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]
VARIABLES = [(variable["name"], variable["query"]) for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]


@pytest.fixture(scope="module")
def told() -> Iterator[Collector]:
    """A conversation with a tool, an error and a cost."""
    with run(now="09:10") as collector:
        turn = span("POST /chat", session="s", start=at("09:05"), trace="t", attributes={"input.value": "hello", "service.name": "chat"})
        call = span(
            "chat gpt-4o",
            start=at("09:05"),
            trace="t",
            tokens=(100, 20),
            attributes={"gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"},
        )
        collector.send(turn, call)
        collector.settle()
        yield collector


def asked(collector: Collector, sql: str) -> list[Any]:
    endpoint = f"http://{collector.endpoints['clickhouse_http']}/"
    answer = httpx.post(endpoint, params={"default_format": "JSON"}, content=sql, timeout=120, trust_env=False)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def expanded(sql: str, project: str = "") -> str:
    """A statement as Grafana's ClickHouse data source sends it."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 >= toDateTime(0) AND \1 <= toDateTime(4000000000)", sql)
    sql = re.sub(r"\$__timeInterval\((\w+)\)", r"toStartOfInterval(toDateTime(\1), INTERVAL 60 second)", sql)
    sql = sql.replace("${project:singlequote}", f"'{project}'")
    assert "$" not in sql
    return sql


@pytest.mark.parametrize(("title", "sql"), READY, ids=[title for title, _ in READY])
def test_a_ready_query_is_answered(told: Collector, title: str, sql: str) -> None:
    asked(told, sql)


@pytest.mark.parametrize(("title", "sql"), ASKED, ids=[title for title, _ in ASKED])
def test_a_panel_is_answered(told: Collector, title: str, sql: str) -> None:
    """With something of the session where it tells of sessions at all, and with nothing for another project."""
    found = asked(told, expanded(sql))
    assert found or title in ("Alerts", "What happened to sessions")
    asked(told, expanded(sql, "elsewhere"))


@pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=[panel["title"] for panel in DASHBOARD["panels"]])
def test_a_panel_asks_in_the_form_that_the_plugin_reads(told: Collector, panel: dict[str, Any]) -> None:
    """Statements are of its SQL editor; of a series the first column is the time, named so, and others are labels or numbers."""
    series = panel["type"] == "timeseries"
    for target in panel["targets"]:
        form = {name: target[name] for name in ("editorType", "queryType", "format")}
        assert form == {"editorType": "sql"} | ({"queryType": "timeseries", "format": 0} if series else {"queryType": "table", "format": 1})
        if series:
            (time, kind), *others = [(column["name"], column["type"]) for column in asked(told, f"DESCRIBE ({expanded(target['rawSql'])})")]
            assert (time, kind) == ("time", "DateTime")
            assert all(re.fullmatch(r"String|U?Int\d+|Float64|Nullable\(Decimal\(38, 12\)\)", kind) for _, kind in others)
            assert any(kind != "String" for _, kind in others)


def test_variables_and_provisioning(told: Collector) -> None:
    """Choices come from the data; the data source that panels name is the one that is provided."""
    for _, sql in VARIABLES:
        assert asked(told, sql)
    source = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/clickhouse.yaml").read_text())["datasources"][0]
    used = {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]}
    assert used == {source["uid"]}
    assert {panel["datasource"]["type"] for panel in DASHBOARD["panels"]} == {source["type"]}
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    assert grafana["environment"]["GF_PLUGINS_PREINSTALL"] == source["type"]
