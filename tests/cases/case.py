"""`case.yaml` → what is sent, step by step: the words of README.md become spans, log records and points of the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sojourn.config.problems import Place
from sojourn.config.tree import parse
from sojourn.config.types import parse_duration
from sojourn.testing import Span, at, request, span
from tests.signals import telling
from tests.signals.telling import Log, Point, Told

FOLDER = Path(__file__).parent
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/case.yaml"))
EXPECTED = "\nexpected:\n"

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One situation, as it is written down."""

    name: str
    about: str
    sent: list[Row]
    expected: Row
    """By label of a look, and `in the end`: section → name → columns."""
    clock: str = "12:00"
    configuration: Mapping[str, Any] = field(default_factory=dict)
    only_in_this_order: str = ""
    """Why the order matters; '' if it must not."""
    viewable: bool = False

    @property
    def keeps_still(self) -> bool:
        """Whether it may share a collector with others: nothing but telemetry happens."""
        return not self.configuration and self.clock == "12:00" and not any(word in line for line in self.sent for word in ACTIONS)

    @property
    def telemetry(self) -> list[Row]:
        return [line for line in self.sent if is_telemetry(line)]

    @property
    def ending(self) -> list[Row]:
        """What happens after everything was sent."""
        last = max(number for number, line in enumerate(self.sent) if is_telemetry(line))
        return self.sent[last + 1 :]

    @property
    def settings(self) -> list[str]:
        return [f"{key}={str(value).replace('{here}', str(FOLDER / self.name))}" for key, value in self.configuration.items()]


ACTIONS = ("clock", "restart", "rename", "end", "delete")
"""What a line may be that is no telemetry; `look` is one more, which changes nothing."""
WORDS = {
    "span": "span trace id below from to lasts times every",
    "log": "log at names trace severity times every",
    "metric": "metric at value",
}
SHARED = "session user tenant project service scope says resource tokens model does tool asks answers cost error events"


def read(name: str) -> Case:
    """The case in this folder."""
    path = FOLDER / name / "case.yaml"
    text = path.read_text(encoding="utf-8")
    told = parse(text, Place(str(path))).plain()
    expected = told["expected"]
    return Case(
        name=name,
        about=told["about"],
        sent=told["sent"],
        expected={"in the end": expected} if "sessions" in expected else expected,
        clock=told.get("clock", "12:00"),
        configuration=told.get("configuration", {}),
        only_in_this_order=told.get("only in this order", ""),
        viewable=told.get("viewable", False),
    )


def stretched(text: str) -> str:
    """`x * 300` is three hundred letters."""
    return re.sub(r"(\S) \* (\d+)", lambda found: found[1] * int(found[2]), text)


def is_telemetry(line: Row) -> bool:
    return any(word in line for word in ("span", "log", "metric", "together"))


class Words:
    """Lines of one case → requests, all of its projects and traces below `place`, so that many cases share a database."""

    def __init__(self, case: Case, place: str) -> None:
        self.place = place
        singles = [each for line in case.sent for each in line.get("together", [line])]
        self._spans = [line for line in singles if "span" in line]
        self._check_ids(case.name)

    def _check_ids(self, name: str) -> None:
        seen: dict[tuple[str, str], Row] = {}
        for line in self._spans:
            key = (line["trace"], self._id(line))
            assert "id" in line or seen.setdefault(key, line) == line, f"{name}: {key[1]} stands twice in trace {key[0]}: give it an id"

    def tenant(self, line: Row) -> str:
        """Whose request a line is: '' without authentication."""
        return str(line.get("together", [line])[0].get("tenant", ""))

    def requests(self, line: Row) -> list[tuple[str, bytes]]:
        """(signal, request) of a line: its spans go together."""
        told = [each for part in line.get("together", [line]) for each in self._told(part)]
        spans = [each for each in told if isinstance(each, Span)]
        others = telling.requests(each for each in told if not isinstance(each, Span))
        return [*([("traces", request(*spans).SerializeToString())] if spans else []), *others]

    def trace_id(self, trace: str) -> str:
        return span("x", trace=f"{self.place} {trace}").trace_id

    def traces(self) -> dict[str, str]:
        """Trace id → the word of the case for it."""
        return {self.trace_id(trace): trace for line in self._spans for trace, _ in self._repeated(line)}

    def _told(self, line: Row) -> list[Told]:
        kind = next(kind for kind in WORDS if kind in line)
        unknown = line.keys() - {*WORDS[kind].split(), *SHARED.split()}
        assert not unknown, f"{sorted(unknown)} are no words of a {kind}: see README.md"
        return list({"span": self._span_lines, "log": self._log_lines, "metric": self._point}[kind](line))

    def _repeated(self, line: Row) -> Iterator[tuple[str, int]]:
        """(trace, how much later) of each repetition."""
        every = round(parse_duration(line.get("every", "0s")) * 1e9)
        for number in range(line.get("times", 1)):
            yield f"{line.get('trace', '')} {number + 1}" if number else line.get("trace", ""), number * every

    def _span_lines(self, line: Row) -> Iterator[Span]:
        start = at(line["from"])
        end = at(line["to"]) if "to" in line else start + round(parse_duration(line.get("lasts", "1s")) * 1e9)
        for trace, later in self._repeated(line):
            yield span(
                line["span"],
                trace=f"{self.place} {trace}",
                id=self._id(line),
                parent=self._above(line),
                start=start + later,
                end=end + later,
                error=line.get("error"),
                events=[(name, at(time), said) for name, time, said in line.get("events", [])],
                **self._shared(line),
            )

    def _id(self, line: Row) -> str:
        return str(line.get("id", line["span"]))

    def _above(self, line: Row) -> str | None:
        """The id of the span that it stands below; of one that is never sent too."""
        if "below" not in line:
            return None
        ids = [self._id(other) for other in self._spans if other["trace"] == line["trace"]]
        names = {other["span"]: self._id(other) for other in self._spans if other["trace"] == line["trace"]}
        return line["below"] if line["below"] in ids else names.get(line["below"], line["below"])

    def _log_lines(self, line: Row) -> Iterator[Log]:
        shared = self._shared(line)
        names = next((told for told in self._spans if self._id(told) == line.get("names")), None)
        for _, later in self._repeated(line):
            yield Log(
                line["log"],
                at(line["at"]) + later,
                shared["attributes"],
                names=next(self._span_lines(names)) if names else None,
                service=shared["service"],
                scope=shared["scope"],
                resource=shared["resource"],
                severity={"": 0, "info": 9, "warning": 13, "error": 17}[line.get("severity", "")],
                trace=self.trace_id(line["trace"]) if "trace" in line else "",
            )

    def _point(self, line: Row) -> Iterator[Point]:
        told = self._shared(line)
        point = Point(line["metric"], at(line["at"]), line["value"], told["attributes"], told["service"], told["scope"])
        yield replace(point, resource=told["resource"])

    def _shared(self, line: Row) -> Row:
        project = f"{self.place}/{line['project']}" if "project" in line else self.place
        return {
            "attributes": dict(_attributes(line)) | dict(line.get("says", {})),
            "service": line.get("service", "shop"),
            "scope": line.get("scope", "test"),
            "resource": {"service.namespace": project, **line.get("resource", {})},
        }


def _attributes(line: Row) -> Iterator[tuple[str, Any]]:
    """The short words for attributes that nearly every producer sends."""
    if "session" in line:
        yield "session.id", stretched(line["session"])
    if "tool" in line:
        yield from (("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", line["tool"]))
    elif "does" in line or "tokens" in line:
        yield "gen_ai.operation.name", line.get("does", "chat")
    if "tokens" in line:
        yield from zip(("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"), line["tokens"], strict=True)
    plain = {
        "user": "user.id",
        "model": "gen_ai.request.model",
        "asks": "input.value",
        "answers": "output.value",
        "cost": "gen_ai.usage.cost",
    }
    yield from ((key, line[word]) for word, key in plain.items() if word in line)
