"""`sojourn copy`: from the data directory of a collector that was stopped into a server, killed and begun again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sojourn.cli import main
from sojourn.collector.home import move_in
from tests.torture.collector import Collector
from tests.torture.server import Server
from tests.torture.world import SPANS, Senders

REQUESTS = 60


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Collector:
    """A collector that stored something in its embedded database and was stopped."""
    collector = Collector(tmp_path_factory.mktemp("stopped"))
    collector.start()
    collector.listens()
    with Senders(collector.port, most=REQUESTS, pause=0.0) as senders:
        assert senders.all_sent(60.0), collector.said()[-3000:]
    collector.settled()
    assert collector.stop() == 0
    return collector


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server")
    server.start()
    server.listens()
    yield server
    server.kill()


def command(stopped: Collector, server: Server, *more: str) -> list[str]:
    words = ["copy", "--config", str(stopped.folder / "config.yaml"), "--to", server.address("otel")]
    return [sys.executable, "-m", "sojourn.cli", *words, *more]


def copy(stopped: Collector, server: Server, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(stopped, server, *more), capture_output=True, text=True, timeout=300)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_killed_in_the_middle_and_begun_again(stopped: Collector, server: Server) -> None:
    """SIGKILL while pieces are being stored, three times: in the end every row is there once, and the comparison says so."""
    for _ in range(3):
        process = subprocess.Popen(command(stopped, server, "--rows", "20", "--json"), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert "copying" in process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = copy(stopped, server, "--rows", "20", "--json")
    assert done.returncode == 0, done.stderr
    told = lines(done.stdout)
    assert told[-1] == {"finished": True, "different": []}
    tables = {line["table"]: line for line in told if "table" in line}
    assert tables["otel_traces"] == {"table": "otel_traces", "here": REQUESTS * SPANS, "there": REQUESTS * SPANS, "differences": {}}
    assert tables["session_rows"]["there"] > 0


def test_shown_to_people(stopped: Collector, server: Server) -> None:
    """A table of both databases; rows of somebody else are a difference, with exit code 1; and into such a database no copy is begun."""
    done = copy(stopped, server)
    assert done.returncode == 0, done.stderr
    assert ["otel_traces", f"{REQUESTS * SPANS}", f"{REQUESTS * SPANS}", "equal"] in [line.split() for line in done.stdout.splitlines()]
    query = urllib.parse.urlencode({"query": "INSERT INTO otel.session_marks (SessionId, Mark) VALUES ('x', 'name')"})
    urllib.request.urlopen(f"http://127.0.0.1:{server.port}/?{query}", timeout=60).close()
    done = copy(stopped, server)
    assert done.returncode == 1, done.stderr
    assert "rows: 0 here, 1 there" in " ".join(done.stdout.split())
    for record in (stopped.folder / "data" / "db" / ".sojourn").glob("copied-*"):
        record.unlink()
    done = copy(stopped, server)
    assert done.returncode == 1
    assert "otel.otel_traces has rows already: copy into an empty database" in done.stderr


def wrong(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["copy", *words])
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("chdb:///tmp/other", "names an embedded database: write the address of a server"),
        ("redis://host", "not a protocol that is spoken here"),
        ("clickhouse://host:9000", "speaks the native protocol: use the HTTP port"),
    ],
)
def test_addresses_that_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str], to: str, message: str) -> None:
    """Exit code 2, with what to write instead."""
    code, said = wrong(capsys, "--set", f"service.data_dir={tmp_path}", "--to", to)
    assert code == 2
    assert said.startswith("sojourn copy: --to: ")
    assert message in said


def test_where_there_is_nothing_to_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No embedded database in the configuration, or none on the disk, or one that a collector is using."""
    to = ("--to", "clickhouse://127.0.0.1:1/otel")
    here = ("--set", f"service.data_dir={tmp_path / 'data'}")
    code, said = wrong(capsys, *here, *to, "--set", "exporters.clickhouse.endpoint=clickhouse://host:8123")
    assert (code, "no exporter of this configuration has an embedded database" in said) == (2, True)
    code, said = wrong(capsys, *here, *to)
    assert (code, "there is no embedded database, so there is nothing to copy" in said) == (1, True)
    assert wrong(capsys, *here, *to, "--exporter", "other")[0] == 2
    assert wrong(capsys, *here, *to, "--rows", "0")[0] == 2
    (tmp_path / "data" / "db" / "store").mkdir(parents=True)
    with move_in(tmp_path / "data", None):
        code, said = wrong(capsys, *here, *to)
    assert (code, "is in use by another sojourn" in said) == (1, True)
