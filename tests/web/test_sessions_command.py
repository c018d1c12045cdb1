"""`sojourn sessions`: the same data in the terminal, and clear words where there is none."""

from __future__ import annotations

import io
import json
import socket
import threading
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from rich.text import Text

from sojourn.cli import main
from sojourn.commands import showing
from sojourn.web import wording
from tests.web.conftest import NOW, SECOND, Store, at, trace_row


@pytest.fixture
def endpoint(web: httpx.Client) -> str:
    return str(web.base_url)


def test_json_is_the_apis(store: Store, web: httpx.Client, endpoint: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """To the byte, with the same filters, for the list and for one session, whatever its id."""
    store.sessions({"session_id": "a/b?.json", "Project": "p", "CostPico": 12345}, {"session_id": "z", "Metadata": {"k": "v=1"}})
    assert main(["sessions", "list", "--json", "--endpoint", endpoint, "--sort=-cost", "--limit", "1"]) == 0
    assert capfdbinary.readouterr().out == web.get("/sessions.json?sort=-cost&limit=1").content + b"\n"
    assert main(["sessions", "list", "--json", "--endpoint", endpoint, "--meta", "k=v=1"]) == 0
    assert [row["session_id"] for row in json.loads(capfdbinary.readouterr().out)["sessions"]] == ["z"]
    assert main(["sessions", "show", "a/b?.json", "--project", "p", "--json", "--endpoint", endpoint]) == 0
    assert capfdbinary.readouterr().out == web.get("/sessions/a%2Fb%3F%2Ejson.json?project=p").content + b"\n"


def test_tables(store: Store, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What matters of each session stands in one line; what would steer the terminal does not reach it."""
    hostile = "\x1b]0;owned\x07[red]\u202e<b>"
    store.sessions({"session_id": "s-1", "Name": hostile, "UserId": "ann", "InputTokens": 1234, "CostPico": 4 * 10**9, "end": 75})
    assert main(["sessions", "list", "--endpoint", endpoint]) == 0
    listed = capsys.readouterr().out
    for text in ("s-1", "ann", "active", "1,234", "$0.0040", "1 m 15 s", "[red]", "<b>"):
        assert text in listed
    assert main(["sessions", "show", "s-1", "--endpoint", endpoint]) == 0
    shown = capsys.readouterr().out
    assert "ann" in shown
    for text in (listed, shown):
        assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_what_ended_a_session_is_said_in_words(store: Store, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And one of a thing is not several."""
    store.sessions({"session_id": "s", "State": "ended", "EndReason": "explicit", "Segments": 1, "Turns": 1, "Traces": 2, "Spans": 1200})
    assert main(["sessions", "show", "s", "--endpoint", endpoint]) == 0
    shown = capsys.readouterr().out
    for text in ("ended: ended by the application or by hand", " in 1 segment ", "1 turn, 2 traces, 1,200 spans, 0 errors"):
        assert text in shown


def test_log_records_are_counted(store: Store, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In words, and in JSON of one session and of the list."""
    store.sessions({"session_id": "s", "LogRecords": 1234, "LogErrors": 2})
    assert main(["sessions", "show", "s", "--endpoint", endpoint]) == 0
    assert "1,234 log records, 2 log errors" in capsys.readouterr().out
    assert main(["sessions", "show", "s", "--json", "--endpoint", endpoint]) == 0
    one = json.loads(capsys.readouterr().out)["session"]
    assert main(["sessions", "list", "--json", "--endpoint", endpoint]) == 0
    for row in (one, *json.loads(capsys.readouterr().out)["sessions"]):
        assert (row["log_records"], row["log_errors"]) == (1234, 2)


def test_nothing_there(endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list is an answer; a session that is not there is a failure; a wrong filter is a mistake of whoever asks."""
    assert main(["sessions", "list", "--endpoint", endpoint]) == 0
    assert "no sessions" in capsys.readouterr().out
    assert main(["sessions", "show", "nobody", "--endpoint", endpoint]) == 1
    assert "there is no session of this id" in capsys.readouterr().err
    assert main(["sessions", "list", "--limit", "5000", "--endpoint", endpoint]) == 2
    assert "limit" in capsys.readouterr().err
    assert main(["sessions", "list", "--meta", "k", "--endpoint", endpoint]) == 2


def test_the_session_is_in_a_project(store: Store, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever forgot the project is told which one."""
    store.sessions({"session_id": "s", "Project": "shop"})
    assert main(["sessions", "show", "s", "--endpoint", endpoint]) == 1
    assert "--project shop" in capsys.readouterr().err


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """One message that says what to do, and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert main(["sessions", "list", "--endpoint", f"http://127.0.0.1:{port}"]) == 1
    said = capsys.readouterr().err
    assert "nothing answers" in said
    assert "sojourn run" in said
    assert main(["sessions", "list", "--endpoint", "127.0.0.1:4321"]) == 2


def test_the_timeline_folds_silences(store: Store, endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each trace has a bar where it ran, and a long silence takes no room."""
    store.sessions({"session_id": "s", "start": 0, "end": 90_000})
    store.insert(
        "session_trace_rows", *(trace_row(letter * 32, start=start, end=start + 10) for letter, start in (("a", 0), ("b", 89_990)))
    )
    assert main(["sessions", "show", "s", "--endpoint", endpoint]) == 0
    bars = [line for line in capsys.readouterr().out.splitlines() if "█" in line]
    assert [line.split()[0][0] for line in bars] == ["a", "b"]
    assert all(line.count("█") > 3 for line in bars)
    assert any("┊" in line for line in bars)
    assert bars[0].index("█") < bars[1].index("█")
    rows = [{"start": _time(start), "end": _time(end), "status": "ok"} for start, end in ((0, 0), (0, 100), (1e6, 1e6 + 1), (50, 60))]
    for width in (1, 2, 16, 61):
        assert {len(line.plain) for line in showing.timeline(rows, width)} == {width}


def _time(second: float) -> str:
    return wording.stamp(NOW + round(second * SECOND))


def test_export(store: Store, endpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every session that fits, in parts or not; with its traces where they are wanted; a file is there only when it is whole."""
    store.sessions(*({"session_id": f"s{n:04}", "end": n, "State": "ended" if n < 1200 else "active"} for n in range(1500)))
    store.insert("session_trace_rows", trace_row("a" * 32, "s1499"))
    file = tmp_path / "all.jsonl"
    assert main(["sessions", "export", "--state", "ended", "--output", str(file), "--endpoint", endpoint]) == 0
    assert sorted(json.loads(line)["session_id"] for line in file.read_text().splitlines()) == [f"s{n:04}" for n in range(1200)]
    assert "1200 sessions" in capsys.readouterr().err
    assert main(["sessions", "export", "--search", "s1499", "--traces", "--output", str(file), "--endpoint", endpoint]) == 0
    (whole,) = map(json.loads, file.read_text().splitlines())
    assert (whole["session"]["session_id"], [trace["trace_id"] for trace in whole["traces"]]) == ("s1499", ["a" * 32])
    assert main(["sessions", "export", "--output", str(tmp_path / "no" / "file"), "--endpoint", endpoint]) == 1
    assert main(["sessions", "export", "--state", "dead", "--output", str(tmp_path / "x"), "--endpoint", endpoint]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]


class Terminal(io.StringIO):
    """Written to by a command in a thread; tells when a text has come."""

    def __init__(self) -> None:
        super().__init__()
        self.news = threading.Condition()

    def write(self, text: str) -> int:
        with self.news:
            self.news.notify_all()
            return super().write(text)

    def wait_for(self, text: str) -> None:
        with self.news:
            assert self.news.wait_for(lambda: text in self.getvalue(), 60), self.getvalue()


@pytest.mark.parametrize("options", [["tail", "--all"], ["tail", "--all", "--json"], ["list", "--watch"], ["show", "s-1", "--watch"]])
def test_what_follows_tells_news(store: Store, endpoint: str, monkeypatch: pytest.MonkeyPatch, options: list[str]) -> None:
    """What is there first, then what changes, until the collector leaves."""
    store.sessions({"session_id": "s-1", "Name": "first name", "LastSeen": at(1)[:-6]})
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    thread = threading.Thread(target=main, args=(["sessions", *options, "--endpoint", endpoint],), daemon=True)
    thread.start()
    terminal.wait_for("first name")
    store.sessions({"session_id": "s-1", "Name": "second name", "LastSeen": at(2)[:-6], "Revision": 2, "Version": 2})
    terminal.wait_for("second name")


@pytest.mark.parametrize(
    ("said", "options", "told"),
    [("n\n", [], "nothing was deleted"), ("", [], "nothing was"), ("y\n", [], "nothing answers"), ("", ["--yes"], "nothing answers")],
)
def test_who_sits_before_a_terminal_is_asked_before_a_session_goes(
    said: str, options: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nobody listens, so that a deletion shows as one that cannot be had."""
    terminal = io.StringIO(said)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert main(["sessions", "delete", "s\x1b[2J", "--endpoint", "http://127.0.0.1:1", *options]) == 1
    errors = capsys.readouterr().err
    assert told in errors
    assert "\x1b" not in errors


@pytest.mark.parametrize("room", [60, 80, 100, 130, 160])
def test_a_narrow_terminal_shows_less_but_whole(room: int) -> None:
    """Ids can be copied and figures read at any width: columns go before they are cut."""
    cells = ["shop", "chat-0123456789", "A rather long name of a session", "ann@example.com", "active", "2026-01-01 09:30:00", "1 m 12 s"]
    row: list[str | Text] = [*cells, "12", "12", "120,345", "$0.0042", "0"]
    columns = ["Project", "=Id", "Name", "User", "+State", "+Start", *showing._NUMBERS]
    out = io.StringIO()
    Console(file=out, width=room).print(showing.table(columns, [row], room, showing._SPARE))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= room
    assert "chat-0123456789" in out.getvalue()
    assert "$0.0042" in out.getvalue()
    assert ("2026-01-01 09:30:00" in out.getvalue()) == (room == 160)
