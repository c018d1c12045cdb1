"""The list of sessions: what may be asked for, and that paging shows each session exactly once."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sojourn.web import finding, parameters
from tests.web.conftest import Store, fresh_database, page, stored, trace_row

HOSTILE = (
    "<script>alert(1)</script>",
    "'; DROP TABLE session_rows; --",
    "a\\'b\t\n\x01",
    "\u202egnp.exe",
    "%2e%2e%2f{x:String}",
    "n" * 300,
    "{{7*7}}",
)


def ids(web: httpx.Client, **parameters: object) -> list[str]:
    answer = web.get("/sessions.json", params={key.replace("meta_", "meta."): str(value) for key, value in parameters.items()})
    assert answer.status_code == 200, answer.text
    return [session["session_id"] for session in answer.json()["sessions"]]


FOUR: tuple[dict[str, object], ...] = (
    {"session_id": "s-1", "start": 0, "end": 60, "Name": "Refund", "UserId": "ann", "Services": ["chat"], "Models": ["gpt-5"]},
    {
        "session_id": "s-2",
        "start": 100,
        "end": 130,
        "State": "idle",
        "Tags": ["vip"],
        "Metadata": {"plan": "Gold"},
        "CostPico": 2 * 10**12,
    },
    {"session_id": "s-3", "start": 200, "end": 290, "State": "ended", "Status": "error", "Project": "shop", "InputTokens": 900},
    {"session_id": "s-4", "start": 250, "end": 300, "Metadata": {"plan": "gold", "empty": ""}, "CostPico": 5 * 10**9, "InputTokens": 5},
)


@pytest.fixture(scope="module")
def shop(chdb_path: Path) -> Iterator[httpx.Client]:
    """Four sessions that differ in everything."""
    with stored(chdb_path, *FOUR) as web:
        yield web


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["s-4", "s-3", "s-2", "s-1"]),
        ({"search": "REFUND"}, ["s-1"]),
        ({"search": "ann"}, ["s-1"]),
        ({"search": "gold"}, ["s-4", "s-2"]),
        ({"search": "s-"}, ["s-4", "s-3", "s-2", "s-1"]),
        ({"search": "%"}, []),
        ({"session_id": "s-2"}, ["s-2"]),
        ({"session_id": "s-"}, []),
        ({"project": "shop"}, ["s-3"]),
        ({"user": "ann"}, ["s-1"]),
        ({"user": "an"}, []),
        ({"state": "idle"}, ["s-2"]),
        ({"status": "error"}, ["s-3"]),
        ({"service": "chat"}, ["s-1"]),
        ({"model": "gpt-5"}, ["s-1"]),
        ({"tag": "vip"}, ["s-2"]),
        ({"meta_plan": "gold"}, ["s-4"]),
        ({"meta_empty": ""}, ["s-4"]),
        ({"meta_plan": "gold", "meta_other": ""}, []),
        ({"since": "2025-12-31T23:02:30Z"}, ["s-4", "s-3"]),
        ({"until": "2025-12-31T23:01:50.5Z"}, ["s-2", "s-1"]),
        ({"since": "2025-12-31T23:02:00+00:00", "until": "2025-12-31T23:02:00Z"}, ["s-2"]),
        ({"since": "1h"}, ["s-4", "s-3", "s-2", "s-1"]),
        ({"since": "56m30s"}, ["s-4", "s-3"]),
        ({"min_cost": "0.005"}, ["s-4", "s-2"]),
        ({"min_cost": "0.005000000001"}, ["s-2"]),
        ({"min_tokens": "5"}, ["s-4", "s-3"]),
        ({"min_wall": "1m"}, ["s-3", "s-1"]),
        ({"sort": "start"}, ["s-1", "s-2", "s-3", "s-4"]),
        ({"sort": "-wall_ns"}, ["s-3", "s-1", "s-4", "s-2"]),
        ({"sort": "cost"}, ["s-4", "s-2", "s-1", "s-3"]),
        ({"sort": "-cost"}, ["s-2", "s-4", "s-1", "s-3"]),
        ({"sort": "-total_tokens", "limit": 1}, ["s-3"]),
    ],
)
def test_filters_and_order(shop: httpx.Client, parameters: dict[str, object], expected: list[str]) -> None:
    """Every filter keeps what it says, sessions are chosen by overlap with the time asked for, and unknown costs stand last."""
    assert ids(shop, **parameters) == expected


def test_several_ids(shop: httpx.Client) -> None:
    """Of whatever project; other conditions hold beside them, and it is said how many are too many."""
    three = [("session_id", name) for name in ("s-1", "s-3", "s-3", "nobody", "s-4")]
    asked = [("sort", "start"), *three]
    assert [row["session_id"] for row in shop.get("/sessions.json", params=asked).json()["sessions"]] == ["s-1", "s-3", "s-4"]
    first = shop.get("/sessions.json", params=[*asked, ("limit", "2")]).json()
    rest = shop.get("/sessions.json", params=[*asked, ("after", first["next"])]).json()
    assert [row["session_id"] for part in (first, rest) for row in part["sessions"]] == ["s-1", "s-3", "s-4"]
    assert [row["session_id"] for row in shop.get("/sessions.json", params=[*asked, ("project", "shop")]).json()["sessions"]] == ["s-3"]
    refused = shop.get("/sessions.json", params=[("session_id", f"s{number}") for number in range(101)])
    assert (refused.status_code, refused.json()["error"]) == (400, "session_id: more than 100 are named: ask for the others apart")
    page = shop.get("/sessions", params=three).text
    assert page.count("<tr data-key") == 3
    assert page.count("Remove the filter session: s-3") == 1


@pytest.fixture(scope="module")
def tied(chdb_path: Path) -> Iterator[httpx.Client]:
    """Seven sessions with equal times, some equal costs and some unknown ones."""
    costs = (-1, -1, 7, 7, 10**15 + 1, 10**15 + 2, 0)
    rows = ({"session_id": f"s{i % 5}", "Project": f"p{i // 5}", "CostPico": costs[i], "InputTokens": i % 2} for i in range(7))
    with stored(chdb_path, *rows) as web:
        yield web


@pytest.mark.parametrize("sort", ["-end", "start", "cost", "-cost", "-total_tokens", "wall_ns", "-last_seen", "-turn_p95_ns"])
@pytest.mark.parametrize("limit", [1, 3])
def test_paging_shows_each_session_once(tied: httpx.Client, sort: str, limit: int) -> None:
    """Ties are broken by project and id, whatever the sort, and the pages together are the whole list."""
    whole = tied.get("/sessions.json", params={"sort": sort}).json()["sessions"]
    seen, after = [], None
    for _ in range(10):
        part = tied.get("/sessions.json", params={"sort": sort, "limit": limit} | ({"after": after} if after else {})).json()
        seen += part["sessions"]
        after = part["next"]
        if after is None:
            break
    assert [(s["project"], s["session_id"]) for s in seen] == [(s["project"], s["session_id"]) for s in whole]
    assert len({(s["project"], s["session_id"]) for s in seen}) == 7


def test_a_session_in_json(store: Store, web: httpx.Client) -> None:
    """Names are those of the columns, times carry nine digits, counts are whole, money is text."""
    store.sessions(
        {"session_id": "a", "start": 0.000000001, "end": 2, "InputTokens": 2**63, "CostPico": 4_200_000_000, "Metadata": {"k": "v"}}
    )
    session = web.get("/sessions.json").json()["sessions"][0]
    assert session["start"] == "2025-12-31T23:00:00.000000001Z"
    assert session["wall_ns"] == 1_999_999_999
    assert session["input_tokens"] == 2**63
    assert session["cost"] == "0.0042"
    assert session["metadata"] == {"k": "v"}
    assert {"tenant", "project", "name_source", "llm_calls", "turn_p50_ns", "cost_source", "first_input", "revision"} <= session.keys()
    assert not {"version", "deleted", "cost_pico", "Cost"} & session.keys()


@pytest.mark.parametrize(
    "query",
    [
        "limit=1001", "limit=0", "limit=x", "limit=-1", "limit=1e2", "after=xyz", "after=W10", "sort=name", "sort=Cost", "sort=cost;",
        "sort=version", "state=dead", "status=fine", "since=yesterday", "since=2026-13-01", "until=5", "min_cost=a", "min_cost=-1",
        "min_tokens=1.5", "min_wall=60", "frobnicate=1", "meta.=x", "meta=x", "user=a&user=b", "user=%ff", "search=" + "x" * 5000,
        "after=WyItZW5kIiwiMSIsIiIsImEiXQ", "after=WyItZW5kIixudWxsLCIiLCJhIl0", "sort=cost&after=WyItZW5kIiwiMjAyNSIsIiIsImEiXQ",
    ],
)  # fmt: skip
def test_bad_questions(shop: httpx.Client, query: str) -> None:
    """What cannot be asked is refused with 400 and a sentence, as JSON or as a page."""
    answer = shop.get(f"/sessions.json?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]
    html = shop.get(f"/sessions?{query}")
    assert html.status_code == 400
    assert html.headers["content-type"].startswith("text/html")


@pytest.fixture(scope="module")
def hostile(chdb_path: Path) -> Iterator[httpx.Client]:
    """One session for each hostile text, which stands wherever a sender can write."""
    rows = (
        {"session_id": text, "Project": text, "Name": text, "UserId": text, "Tags": [text], "Metadata": {text: text}, "Models": [text]}
        for text in HOSTILE
    )
    with stored(chdb_path, *rows) as web:
        yield web


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_are_only_values(hostile: httpx.Client, text: str) -> None:
    """Any text can be searched for and filtered by, and comes back as it is."""
    for asked in ({"search": text}, {"project": text}, {"user": text}, {"tag": text}, {"model": text}, {f"meta.{text}": text}):
        found = hostile.get("/sessions.json", params=asked).json()["sessions"]
        assert [session["session_id"] for session in found] == [text]


def test_paging_behind_hostile_values(hostile: httpx.Client) -> None:
    """A cursor carries any text."""
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        part = hostile.get("/sessions.json", params={"limit": 1, "sort": "end", "after": after}).json()
        seen += [session["session_id"] for session in part["sessions"]]
        after = part["next"]
    assert sorted(seen) == sorted(HOSTILE)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_on_pages(hostile: httpx.Client, text: str) -> None:
    """Nothing that a sender wrote becomes markup."""
    many = hostile.get("/sessions", params={"search": text, f"meta.{text}": text})
    assert many.status_code == 200
    link = many.text.split('href="/sessions/')[1].split('"')[0]
    one = hostile.get(f"/sessions/{link}")
    assert one.status_code == 200
    for html in (many.text, one.text):
        assert len(re.findall(r'<script type="module" src="/static/\w+.js"></script>', html)) == html.lower().count("<script")
        assert ">49<" not in html
        assert not re.search(r"""\s(style|on\w+)=""", html)
    assert "script-src 'self'; connect-src 'self'; style-src 'self'" in many.headers["content-security-policy"]


def test_the_document_names_every_parameter() -> None:
    """docs/looking.md and the program know the same parameters."""
    text = (Path(__file__).parents[2] / "docs" / "looking.md").read_text("utf-8")
    table = text.split("| parameter | meaning |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)", row.split("|")[1])}
    assert named == set(parameters.SESSIONS)


def test_nothing_stored_yet(web: httpx.Client) -> None:
    """An empty database is an empty list, and the page says how to send."""
    assert web.get("/sessions.json").json() == {"sessions": [], "next": None}
    html = web.get("/")
    assert html.status_code == 200
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318" in html.text


@pytest.fixture(scope="module")
def rewritten(chdb_path: Path) -> Iterator[httpx.Client]:
    """Sessions that were written again and again: what stands in older versions is no more true. The merges that would tidy up are off."""
    with fresh_database(chdb_path) as database, page(database) as web:
        database.client().command("SYSTEM STOP MERGES session_rows")
        chance = random.Random(5)
        for version in range(1, 7):
            rows = (_again(chance, number, version) for number in range(90) if version == 1 or chance.random() < 0.6)
            Store(database).sessions(*rows)
        yield web


def _again(chance: random.Random, number: int, version: int) -> dict[str, object]:
    known = {
        "CostPico": chance.choice([-1, chance.randrange(10**13)]),
        "InputTokens": chance.randrange(4),
        "UserId": f"u{chance.randrange(3)}",
        "Metadata": {chance.choice(["plan", "other"]): "gold"},
    }
    gone = {"Deleted": int(chance.random() < 0.1)}
    return (
        {
            "session_id": f"s{number}",
            "Project": f"p{number % 2}",
            "end": chance.randrange(10, 1000),
            "Version": version,
            "Revision": version,
        }
        | known
        | gone
    )


@pytest.mark.parametrize("sort", ["-end", "cost", "-cost", "input_tokens", "-revision"])
@pytest.mark.parametrize("asked", [{}, {"user": "u1", "min_tokens": 1}, {"meta.plan": "gold"}])
def test_only_the_newest_versions_stand_in_the_list(
    rewritten: httpx.Client, sort: str, asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few versions are looked at, the list is that of all sessions as they are now."""
    found = []
    for steps in ((), (1,), (3, 12)):
        monkeypatch.setattr(finding, "_STEPS", steps)
        listed, after = [], ""
        for _ in range(3):
            part = rewritten.get("/sessions.json", params={"sort": sort, "limit": 5, "after": after} | asked).json()
            listed += [row["session_id"] for row in part["sessions"]]
            after = part["next"]
        found.append(listed)
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == 15


def test_the_list_tells_of_a_session_what_its_page_does(store: Store, web: httpx.Client) -> None:
    """Every value, also what was asked first and answered last: in traces, or in log records."""
    first, last = "a" * 32, "b" * 32
    store.sessions({"session_id": "s", "Project": "p", "FirstTrace": first, "LastTrace": last, "CostPico": 5, "Metadata": {"k": "v"}})
    store.sessions({"session_id": "told", "FirstPrompt": "mend it", "LastAnswer": "done"}, {"session_id": "gone", "FirstTrace": "c" * 32})
    columns = {"Project": "p", "Input": "where?", "Output": "here"}
    store.insert("session_trace_rows", trace_row(first, "s", **columns | {"Input": "old"}), trace_row(last, "s", **columns))
    store.insert("session_trace_rows", trace_row(first, "s", Version=2, **columns), trace_row("c" * 32, "gone", Deleted=1, Input="x"))
    listed = {row["session_id"]: row for row in web.get("/sessions.json").json()["sessions"]}
    for identity, row in listed.items():
        project = {"project": row["project"]} if row["project"] else {}
        assert web.get(f"/sessions/{identity}.json", params=project).json()["session"] == row
    assert [(listed[one]["first_input"], listed[one]["last_output"]) for one in ("s", "told", "gone")] == [
        ("where?", "here"),
        ("mend it", "done"),
        ("", ""),
    ]
