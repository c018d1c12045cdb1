"""What a collector shows of a case, in the words in which a case says it: times as 09:05, durations as 5s, money as dollars."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import yaml

from sojourn.testing import DAY, Collector, at
from tests.cases.case import Row, Words

SECTIONS = {"sessions": "sessions", "segments": "session_segments", "traces": "session_traces", "events": "session_events"}
"""Section of a case → the view that it looks at."""
_IN = "WHERE Project = {place:String} OR startsWith(Project, concat({place:String}, '/'))"


def shown(collector: Collector, words: Words, sections: Iterable[str], look: Row) -> dict[str, Any]:
    """Section → name → row, as plain words."""
    found: dict[str, Any] = {}
    for section in sections:
        if section in SECTIONS:
            found[section] = _rows(collector, words, section)
        elif section == "listed":
            found[section] = _listed(collector, words, look)
        elif section == "stored":
            found[section] = _stored(collector, words)
        else:
            raise AssertionError(f"{section} is no section: write sessions, segments, traces, events, listed or stored")
    return found


def _rows(collector: Collector, words: Words, section: str) -> Any:
    nanoseconds = "" if section == "events" else ", toUnixTimestamp64Nano(Start) AS StartNs, toUnixTimestamp64Nano(End) AS EndNs"
    order = {"sessions": "SessionId", "segments": "SessionId, Segment", "traces": "Start, TraceId", "events": "Time, SessionId, Event"}
    sql = f"SELECT *{nanoseconds} FROM {SECTIONS[section]} {_IN} ORDER BY {order[section]}"
    known = words.traces()
    found: dict[str, Any] = {}
    for row in collector.query(sql, {"place": words.place}):
        row |= {name: row.pop(f"{name}Ns") for name in ("Start", "End") if f"{name}Ns" in row}
        name = _name(row, words, known)
        plain = {column: _plain(column, value, known) for column, value in row.items()}
        if section == "traces":
            found[_of(known[row["TraceId"]], row)] = plain | {"SessionId": name}
        elif section == "sessions":
            found[name] = plain
        else:
            found.setdefault(name, []).append(_event(plain) if section == "events" else plain)
    return found


def _name(row: Row, words: Words, traces: dict[str, str]) -> str:
    session = traces.get(row["SessionId"], row["SessionId"])
    short = re.sub(r"(\S)\1{49,}", lambda run: f"{run[1]} * {len(run[0])}", session)
    project = row["Project"].removeprefix(words.place).removeprefix("/")
    return _of(f"{short} in {project}" if project else short, row)


def _of(name: str, row: Row) -> str:
    return f"{name} of {row['Tenant']}" if row["Tenant"] else name


def _event(row: Row) -> str:
    return " ".join(filter(None, (row["Event"], row["Reason"])))


def _plain(column: str, value: Any, traces: dict[str, str]) -> Any:
    if column in ("Start", "End") and isinstance(value, int):
        return clock(value)
    if column.endswith("Ns"):
        return duration(value)
    if column == "Cost":
        return "unknown" if value is None else format(value.normalize(), "f")
    if isinstance(value, dict):
        return {key: _plain(column, each, traces) for key, each in value.items()}
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, (list, tuple)):
        return [traces.get(str(item), item) for item in value]
    return value


def clock(time: int) -> str:
    """`09:05`, with seconds and parts of them where there are any, and with the day if it is another one."""
    seconds, nanoseconds = divmod(time, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    fraction = f".{nanoseconds:09}".rstrip("0") if nanoseconds else ""
    text = f"{moment:%H:%M:%S}{fraction}" if moment.second or fraction else f"{moment:%H:%M}"
    return text if f"{moment:%Y-%m-%d}" == DAY else f"{moment:%Y-%m-%d}T{text}"


def duration(nanoseconds: int) -> str:
    """`1h30m`, `5s`, `0.25s`."""
    hours, rest = divmod(nanoseconds, 3600 * 10**9)
    minutes, rest = divmod(rest, 60 * 10**9)
    seconds = f"{rest / 10**9:.9f}".rstrip("0").rstrip(".")
    text = f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes) + f"{seconds}s" * bool(rest)
    return text or "0s"


def _listed(collector: Collector, words: Words, look: Row) -> list[str]:
    """Ids that the API lists for the window of a look."""
    moments = {
        name: f"{datetime.fromtimestamp(at(look[name]) // 10**9, UTC):%Y-%m-%dT%H:%M:%SZ}" for name in ("since", "until") if name in look
    }
    collector.settle()
    answer = get(collector, "/sessions.json", project=words.place, **moments)
    return sorted(row["session_id"] for row in answer["sessions"])


def _stored(collector: Collector, words: Words) -> dict[str, int]:
    """How many spans of each trace are stored, whatever session they are in."""
    known = words.traces()
    spans = "SELECT Tenant, TraceId, uniqExact(SpanId) AS n FROM otel_traces"
    sql = f"{spans} WHERE TraceId IN {{ids:Array(String)}} GROUP BY Tenant, TraceId ORDER BY Tenant, TraceId"
    return {_of(known[row["TraceId"]], row): row["n"] for row in collector.query(sql, {"ids": list(known)})}


def get(collector: Collector, path: str, **parameters: str) -> Any:
    address = f"http://{collector.endpoints['web']}{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=60) as answer:
        return json.loads(answer.read())


def change(collector: Collector, words: Words, action: str, line: Row) -> None:
    """What a person does with a session, through the API."""
    path, body = f"/sessions/{urllib.parse.quote(line[action], safe='')}", b""
    if action == "rename":
        path, body = f"{path}/name", json.dumps({"name": line["to"]}).encode()
    elif action == "end":
        path = f"{path}/end"
    address = f"http://{collector.endpoints['web']}{path}?{urllib.parse.urlencode({'project': words.place})}"
    method = "DELETE" if action == "delete" else "POST"
    asked = urllib.request.Request(address, body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=60) as answer:
        assert answer.status in (200, 204)


def unviewable(collector: Collector, words: Words) -> list[str]:
    """What the page does not show of the sessions of a case: none of a good one."""
    wrong = []
    for row in collector.query(f"SELECT Project, SessionId, Traces FROM sessions {_IN}", {"place": words.place}):
        told = get(collector, f"/sessions/{urllib.parse.quote(row['SessionId'], safe='')}.json", project=row["Project"])
        if len(told["traces"]) != row["Traces"]:
            wrong.append(f"{row['SessionId']}: {len(told['traces'])} of {row['Traces']} traces")
        for trace in told["traces"]:
            shown = get(collector, f"/traces/{trace['trace_id']}.json")
            if len(shown["spans"]) != trace["spans"]:
                wrong.append(f"trace {trace['trace_id']}: {len(shown['spans'])} of {trace['spans']} spans")
    return wrong


# --- comparing


def differences(seen: Row, expected: Row) -> list[str]:
    """One entry per difference: where, what was expected, what came out. Sessions that nobody expected are differences too."""
    wrong = []
    for label, sections in expected.items():
        for section, want in sections.items():
            got = seen[label][section]
            if section == "sessions":
                wrong += [f"{label} / sessions / {name}: is there, but was not expected" for name in got if name not in want]
            wrong += _differences(f"{label} / {section}", got, want)
    return wrong


def _differences(where: str, got: Any, want: Any) -> Iterable[str]:
    if isinstance(want, dict) and isinstance(got, dict):
        for name, value in want.items():
            yield from _differences(f"{where} / {name}", got.get(name, "nothing"), value)
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got) and any(isinstance(each, dict) for each in want):
        for number, (mine, value) in enumerate(zip(got, want, strict=True)):
            yield from _differences(f"{where} / {number}", mine, value)
    elif got != want and str(got) != str(want):
        yield f"{where}:\n        expected {want}\n        got      {got}"


# --- writing down


def as_yaml(expected: Row, got: Row) -> str:
    """The section `expected:` anew: the columns that stand there, with the values that came out."""
    told = {
        label: {section: _chosen(got[label][section], rows) for section, rows in sections.items()} for label, sections in expected.items()
    }
    return "expected:\n" + "\n".join(_lines(told["in the end"] if list(told) == ["in the end"] else told, 1)) + "\n"


def _chosen(got: Any, want: Any) -> Any:
    if isinstance(got, dict) and isinstance(want, dict):
        columns = want if any(name in got for name in want) else got
        return {name: _chosen(got[name], want.get(name)) for name in (columns if _is_row(got) else got) if name in got}
    if isinstance(got, list) and isinstance(want, list) and len(got) == len(want):
        return [_chosen(mine, value) for mine, value in zip(got, want, strict=True)]
    return got


def _is_row(got: Row) -> bool:
    return "Flags" in got


def _lines(value: Row, depth: int) -> Iterable[str]:
    """YAML that is nested down to the rows, each of which is one line where it fits."""
    for name, held in value.items():
        flow = yaml.safe_dump(held, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True).strip().removesuffix("\n...")
        key = yaml.safe_dump(str(name), width=10**6, allow_unicode=True).strip().removesuffix("\n...")
        line = f"{'  ' * depth}{key}: {flow}"
        nested = isinstance(held, dict) and any(isinstance(each, (dict, list)) and each for each in held.values())
        if isinstance(held, dict) and held and (len(line) > 140 or (depth < 2 and nested)):
            yield f"{'  ' * depth}{key}:"
            yield from _lines(held, depth + 1)
        else:
            yield line
