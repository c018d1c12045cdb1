"""The driver inside Grafana's ClickHouse data source reads the embedded database over HTTP. It is built here, where there is a Go."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sojourn.config.types import Endpoint
from sojourn.storage.database import Database
from sojourn.web.clickhouse_http import ClickhouseHttp
from tests.web.conftest import Service, Store

SOURCE = Path(__file__).parent / "clickhouse_go"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = shutil.which("go")
    if go is None:
        pytest.skip("go is missing: the driver is written in Go: https://go.dev/dl")
    built = tmp_path_factory.mktemp("go") / "ask"
    done = subprocess.run([go, "build", "-o", built, "."], cwd=SOURCE, capture_output=True, text=True, timeout=600)
    if done.returncode and ("dial tcp" in done.stderr or "no such host" in done.stderr or "connection refused" in done.stderr):
        pytest.skip(f"the driver cannot be fetched: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stderr
    return built


def test_what_grafanas_driver_asks(program: Path, store: Store, database: Database) -> None:
    """Ping, a row of many types, parameters, very many rows compressed, no rows, and an error that is one."""
    store.sessions(
        {"session_id": "s", "CostPico": 4_200_000_000, "Models": ["b", "a"], "Metadata": {"plan": "gold"}, "Turns": 7}, {"session_id": "t"}
    )
    with ClickhouseHttp(endpoint=Endpoint("127.0.0.1", 0)).open(Service(database)) as listening:
        done = subprocess.run([program, listening.endpoints["clickhouse_http"]], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["id"], told["state"], told["start"], told["turns"], told["cost"]) == ("s", "active", "2025-12-31T23:00:00Z", 7, "0.0042")
    assert (told["models"], told["metadata"]) == (["a", "b"], {"plan": "gold"})
    assert (told["sum"], told["count"]) == (sum(range(100_000)), 0)
    assert "nothing" in told["error"]
