"""Every case comes out as it is written down: as told, and, where order must not matter, backwards, twice, and all in one request."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sojourn.testing import Collector, run
from tests.cases import case, showing
from tests.cases.case import Case, Row, Words

AS_TOLD = "as told"


def _twice(lines: list[Row]) -> list[Row]:
    return random.Random(5).sample(lines * 2, len(lines) * 2)


WAYS: dict[str, Callable[[list[Row]], list[Row]]] = {
    AS_TOLD: lambda lines: lines,
    "backwards": lambda lines: lines[::-1],
    "twice, shuffled": _twice,
}
"""What is sent in another way goes to another project, so that all ways share one collector."""


class Shared:
    """One collector for all cases in which nothing but telemetry happens, started when the first of them comes."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._collector: Collector | None = None

    def collector(self) -> Collector:
        if self._collector is None:
            self._collector = self._stack.enter_context(run(now="12:00"))
        return self._collector

    def close(self) -> None:
        self._stack.close()
        self._collector = None


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    shared = Shared()
    yield shared
    shared.close()


class Play:
    """One case in one collector, which may be stopped and started on the way."""

    def __init__(self, told: Case, shared: Shared) -> None:
        self._case, self._stack = told, ExitStack()
        self._settings = [*told.settings, f"exporters.clickhouse.database=case_{uuid.uuid4().hex[:12]}"]
        if told.keeps_still:
            self.collector = shared.collector()
        else:
            shared.close()  # an embedded database is open once in a process
            self.collector = self._start(told.clock)

    def _start(self, now: str | int) -> Collector:
        return self._stack.enter_context(run(settings=self._settings, now=now))

    def __enter__(self) -> Play:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def through(self, words: Words, lines: list[Row]) -> dict[str, Row]:
        """What is shown at each look and in the end."""
        seen: dict[str, Row] = {}
        for line in [*lines, {"look": "in the end"}]:
            if "look" in line:
                seen[line["look"]] = self._look(words, line)
            elif case.is_telemetry(line):
                for signal, body in words.requests(line):
                    self.collector.send(body, signal=signal, tenant=words.tenant(line))
            else:
                self._do(words, line)
        return seen

    def _look(self, words: Words, line: Row) -> Row:
        sections = self._case.expected.get(line["look"], {})
        return showing.shown(self.collector, words, sections, line)

    def _do(self, words: Words, line: Row) -> None:
        self.collector.settle()
        if "clock" in line:
            if line["clock"].startswith("+"):
                self.collector.advance(line["clock"][1:])
            else:
                self.collector.set(line["clock"])
                self.collector.settle()
        elif "restart" in line:
            now = self.collector.clock.now()
            self._stack.close()
            self.collector = self._start(now)
        else:
            action = next(word for word in ("rename", "end", "delete") if word in line)
            showing.change(self.collector, words, action, line)


# Those that share a collector first: it is started once then.
@pytest.mark.parametrize("name", sorted(case.NAMES, key=lambda name: not case.read(name).keeps_still))
def test_case(name: str, shared: Shared, request: pytest.FixtureRequest) -> None:
    told = case.read(name)
    with Play(told, shared) as play:
        words = Words(told, f"{name}, {AS_TOLD}")
        seen = play.through(words, told.sent)
        if request.config.getoption("--regenerate"):
            _write_down(told, seen)
            return
        wrong = showing.differences(seen, told.expected)
        wrong += showing.unviewable(play.collector, words) if told.viewable else []
        for way in () if told.only_in_this_order else list(WAYS)[1:]:
            lines = WAYS[way]([line for line in told.sent if case.is_telemetry(line)])
            last = play.through(Words(told, f"{name}, {way}"), lines)["in the end"]
            wrong += [f"{way}: {line}" for line in showing.differences({way: last}, {way: told.expected["in the end"]})]
        assert not wrong, "\n    ".join([f"{name}: {told.about.strip()}", *wrong, f"see {case.FOLDER.name}/{name}/case.yaml"])


def _write_down(told: Case, seen: dict[str, Any]) -> None:
    path = case.FOLDER / told.name / "case.yaml"
    kept = path.read_text(encoding="utf-8").partition(case.EXPECTED)[0]
    path.write_text(f"{kept}\n{showing.as_yaml(told.expected, seen)}", encoding="utf-8")
