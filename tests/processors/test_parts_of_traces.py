"""Which session has which part of a trace, when what its spans said of it is not so any more."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sojourn import _native
from tests.laws import comparing, log_worlds
from tests.laws.log_worlds import Anything, Logged
from tests.laws.playing import decode_and_play, wanted
from tests.laws.worlds import MINUTE, NOW, SECOND, Sent, put

SHOP = (("service.name", "shop"),)
BEGIN = NOW - 10 * MINUTE


def span(number: int, seconds: int = 1, **said: Any) -> Sent:
    """A span of the one trace; the copy that lasts longer counts."""
    end = BEGIN + seconds * SECOND
    told = Span(trace_id=(1).to_bytes(16), span_id=number.to_bytes(8), name="work", start_time_unix_nano=BEGIN, end_time_unix_nano=end)
    return Sent(SHOP, "a", _with(told, said))


def record(at: int, session: str, **said: Any) -> Logged:
    """A log record of that trace that names a session itself."""
    told = LogRecord(trace_id=(1).to_bytes(16), time_unix_nano=BEGIN + at * SECOND)
    return Logged(SHOP, "a", _with(told, {"session.id": session} | said))


def _with(message: Any, said: dict[str, Any]) -> bytes:
    for key, value in said.items():
        put(message, key, value)
    return bytes(message.SerializeToString())


def named(session: str) -> dict[str, Any]:
    return {"session.id": session}


def right(*groups: list[Anything]) -> None:
    """What came in these groups is told as if it had come at once."""
    bodies = [[(*each, "application/x-protobuf") for each in log_worlds.requests(group)] for group in groups]
    want = wanted([each for group in groups for each in group], 0, _native.digest)
    assert comparing.differences(decode_and_play(bodies).all(), want) == {}


def test_a_record_that_comes_with_the_copy_that_leaves_its_session_stays_in_it() -> None:
    """The spans were in the session, and are no more: its part of the trace is the record's now, not gone."""
    right([span(1, **named("s")), span(2)], [span(1, seconds=2), record(3, "s")])
    right([span(1, **named("s")), span(2)], [span(1, seconds=2, **named("t")), record(3, "s")])


def test_what_a_span_said_to_continue_is_continued_no_more_when_another_copy_of_it_counts() -> None:
    begins = Span.Event(name="session.start", time_unix_nano=BEGIN)
    put(begins, "session.previous_id", "before")
    starting = span(1, **named("s")).changed(lambda told: told.events.append(begins))
    earlier: list[Anything] = [Logged(SHOP, "a", _with(LogRecord(time_unix_nano=BEGIN - MINUTE), named("before")))]
    right(earlier, [starting], [span(1, seconds=2, **named("s"))])
    right(earlier, [starting], [span(1, seconds=2)])
    leaving = span(2, seconds=2, **named("t")).changed(lambda told: setattr(told, "start_time_unix_nano", BEGIN - SECOND))
    right(earlier, [starting, span(2)], [leaving])
