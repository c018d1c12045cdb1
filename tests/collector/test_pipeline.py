"""A group is committed when all is stored, refused when it never can be, tried again when it cannot be now; never lost in silence."""

from __future__ import annotations

import logging

import pyarrow as pa
import pytest

from sojourn import Batch, Rejected, Unavailable
from sojourn.collector import persistence
from sojourn.schema import SESSION_EVENT_ROWS, SESSION_ROWS, SESSION_SEGMENT_ROWS, SESSION_TRACE_ROWS

from .fakes import Bench, Group, Queue, Spy, rows


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persistence, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(persistence, "LONGEST_WAIT", 0.002)


def test_group_passes_the_processors_in_order_and_is_committed() -> None:
    """process of each in order, export, committed of each, then the senders are answered."""
    story: list[object] = []
    first, second, sink = Spy(story), Spy(story), Spy(story)
    with Bench({"a": first, "b": second}, {"sink": sink}) as bench:
        group = bench.send(Group("x", "y"))
        assert story == [("process", "otel_traces", 2), ("process", "otel_traces", 2), ("otel_traces", 2), "committed", "committed"]
        assert group.outcome == ["committed"]


def test_who_takes_some_tables_only_gets_them_before_others_store_what_is_derived() -> None:
    """And gets nothing else."""
    story: list[object] = []
    events, received = SESSION_EVENT_ROWS.name, "otel_traces"
    step = Spy(story, does=lambda batch: [batch, Batch(SESSION_ROWS.name, batch.records), Batch(events, batch.records)])
    with Bench({"a": step}, {"database": Spy(story), "webhook": Spy(story)}, only={"webhook": frozenset({events})}) as bench:
        assert bench.send(Group("x")).outcome == ["committed"]
    told = [entry for entry in story if isinstance(entry, tuple) and entry[0] != "process"]
    assert told[:2] == [(received, 1), (events, 1)]
    assert sorted(told[2:]) == [(events, 1), (SESSION_ROWS.name, 1)]


def test_tables_are_stored_in_their_order() -> None:
    """Spans first: a reader never sees a session before its spans."""
    tables = [SESSION_EVENT_ROWS.name, SESSION_ROWS.name, "otel_traces", SESSION_SEGMENT_ROWS.name, SESSION_TRACE_ROWS.name]
    sink = Spy()
    with Bench({"a": Spy(does=lambda batch: [Batch(table, batch.records) for table in tables])}, {"sink": sink}) as bench:
        bench.send(Group("x"))
    stored = [table for table, _ in sink.told]
    assert stored[0] == "otel_traces"  # what is derived follows, side by side
    assert sorted(stored[1:]) == sorted(set(tables) - {"otel_traces"})


class ClosedMeanwhile(Queue):
    """Gives nothing; and before the lane can look, a group comes and the lane is closed."""

    bench: Bench | None = None

    def next(self, timeout: float) -> Group | None:
        bench, self.bench = self.bench, None
        if bench is None:
            return super().next(timeout)
        self.last = self.put(Group("late"))
        bench.lane.close()
        return None


def test_what_came_just_before_the_end_is_stored() -> None:
    """A lane that is closed looks once more: an empty queue of before says nothing."""
    queue, sink = ClosedMeanwhile(), Spy()
    bench = Bench({}, {"sink": sink}, queue=queue)
    queue.bench = bench
    with bench:
        assert bench.lane.join(10.0)
    assert sink.told == [("otel_traces", 1)]
    assert queue.last.outcome == ["committed"]


THREE = pa.record_batch({"TraceId": ["a", "b", "c"]})


class PutsOff(Spy):
    """Tells what it has when it hears that nothing follows."""

    def ending(self) -> None:
        self.due.append(Batch("otel_traces", THREE))


def test_what_a_processor_put_off_is_told_before_the_end() -> None:
    sink = Spy()
    with Bench({"a": PutsOff()}, {"sink": sink}) as bench:
        assert bench.send(Group("x")).outcome == ["committed"]
        assert sink.told == [("otel_traces", 1)]
    assert sink.told[1:] == [("otel_traces", 3)]


def test_what_a_processor_drops_goes_nowhere() -> None:
    """Nothing and an empty batch are both nothing; the group is dealt with all the same."""
    behind, sink = Spy(), Spy()
    with Bench({"a": Spy(does=lambda batch: [Batch(batch.table, batch.records.slice(0, 0))]), "b": behind}, {"sink": sink}) as bench:
        assert bench.send(Group("x")).outcome == ["committed"]
    assert sink.told == []
    assert ("process", "otel_traces", 0) not in behind.told


def test_unavailable_exporter_gets_the_same_batch_again() -> None:
    """The rest of the group is not sent twice, the processors are not asked twice, and nothing is told twice."""
    step, sink, other = Spy(), Spy(failures=[Unavailable("down", 0.0)] * 3), Spy()
    with Bench({"a": step}, {"other": other, "sink": sink}) as bench:
        group = bench.send(Group("x"))
        assert group.outcome == ["committed"]
        assert (step.told, other.told, sink.told) == (
            [("process", "otel_traces", 1), "committed"],
            [("otel_traces", 1)],
            [("otel_traces", 1)],
        )
        assert bench.health.report()[1]["state"] == "running"
        assert bench.meters.samples()['sojourn_lane_retries_total{component="exporters::sink"}'] == 3


def test_outage_is_told_once_and_shows_in_health(caplog: pytest.LogCaptureFixture) -> None:
    """An hour without a database is one warning and one word when it is over."""
    seen: list[object] = []
    sink = Spy(failures=[Unavailable("down", 0.0)] * 4)
    bench = Bench({}, {"sink": sink})
    original = bench.persistence.tell

    def tell(component: str, error: Exception) -> None:
        original(component, error)
        seen.append(bench.health.report())

    bench.persistence.tell = tell  # type: ignore[method-assign]
    with caplog.at_level(logging.INFO, "sojourn"), bench:
        bench.send(Group("x"))
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    healthy, told = seen[0]  # type: ignore[misc]
    assert healthy  # a restart would not help
    assert (told["state"], told["components"]["exporters::sink"]["status"]) == ("degraded", "trying again")


def test_unavailable_processor_starts_the_group_anew() -> None:
    """State is discarded, then the whole chain runs again."""
    first, second = Spy(), Spy(failures=[Unavailable("later", 0.0)])
    with Bench({"a": first, "b": second}, {"sink": Spy()}) as bench:
        assert bench.send(Group("x")).outcome == ["committed"]
    assert first.told[:4] == [("process", "otel_traces", 1), "discard", ("process", "otel_traces", 1), "committed"]


def test_rejected_group_is_refused_for_good_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """Senders hear 'never', the loss is an ERROR and a count, and the next group passes."""
    step, sink = Spy(), Spy(failures=[Rejected("no such column")] * 3)  # the group, and each row alone
    with Bench({"a": step}, {"sink": sink}) as bench:
        refused = bench.send(Group("x", "y"))
        assert refused.outcome == [("refused", "exporters::sink: no such column", None)]
        assert step.told[-1] == "discard"
        assert bench.send(Group("z")).outcome == ["committed"]
        assert bench.meters.samples()['sojourn_lane_given_up_rows_total{lane="traces"}'] == 2
        assert bench.meters.samples()['otelcol_exporter_send_failed_spans_total{exporter="sink"}'] == 4
    assert "2 rows are not stored: exporters::sink: no such column" in caplog.text


def test_other_exporters_get_what_one_rejects() -> None:
    """One exporter's refusal does not keep the data from the others."""
    sink, other = Spy(failures=[Rejected("no")]), Spy()
    with Bench({}, {"sink": sink, "other": other}) as bench:
        assert bench.send(Group("x")).outcome[0][0] == "refused"
    assert (sink.told, other.told) == ([], [("otel_traces", 1)])


def test_surprise_is_tried_again_a_few_times_then_given_up(caplog: pytest.LogCaptureFixture) -> None:
    """A defect in a component is named, and the senders may come again."""
    step = Spy(failures=[KeyError("x")] * persistence.MAX_SURPRISES)
    with Bench({"a": step}, {"sink": Spy()}) as bench:
        group = bench.send(Group("x"))
        assert group.outcome[0][0] == "refused"
        assert group.outcome[0][2] is not None
        assert step.told.count(("process", "otel_traces", 1)) == persistence.MAX_SURPRISES
        assert bench.send(Group("y")).outcome == ["committed"]
        assert bench.health.report()[1]["state"] == "running"
    assert "processors::a: failed unexpectedly" in caplog.text


def test_surprise_once_is_survived() -> None:
    """What went wrong once by chance does not lose the group."""
    with Bench({"a": Spy(failures=[KeyError("x")])}, {"sink": Spy(failures=[OSError("y")])}) as bench:
        assert bench.send(Group("x")).outcome == ["committed"]


def test_stopping_gives_up_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that stays away does not keep the collector from stopping, and the loss is told."""
    sink = Spy(failures=[Unavailable("down", 0.0)] * 1_000_000)
    bench = Bench({}, {"sink": sink})
    with bench:
        group = bench.queue.put(Group("x"))
        bench.persistence.stop(0.05)
    assert group.outcome[0][0] == "refused"
    assert bench.lane.lost == 1


def test_closing_brings_to_its_end_what_is_left() -> None:
    """Groups that wait when the lane is closed are stored."""
    bench = Bench({}, {"sink": Spy()})
    groups = [bench.queue.put(Group("x")) for _ in range(5)]
    with bench:
        pass
    assert [group.outcome for group in groups] == [["committed"]] * 5


def test_what_is_due_is_stored_and_committed() -> None:
    """A tick's rows pass the processors behind it; committed follows as for a group."""
    first, second, sink = Spy(due=[Batch("session_rows", rows("s"))]), Spy(), Spy()
    with Bench({"a": first, "b": second}, {"sink": sink}):
        pass  # leaving ticks once more
    assert first.told == ["committed"]
    assert second.told == [("process", "session_rows", 1), "committed"]
    assert sink.told == [("session_rows", 1)]


def test_requests_are_sent_on_as_they_came() -> None:
    """A lane that only forwards hands over the bytes, by signal."""
    sink = Spy()
    with Bench({}, {"sink": sink}, raw=True) as bench:
        assert bench.send(Group(raw=(("traces", b"1"), ("logs", b"2"), ("traces", b"3")))).outcome == ["committed"]
    assert sink.told == [(b"1", b"3"), (b"2",)]
