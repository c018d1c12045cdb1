"""The demo's stories: the same every time, and told as real senders tell theirs."""

from __future__ import annotations

import itertools
import threading
from random import Random

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sojourn.demo import player, stories, wire

KINDS = [kind for kind, _ in stories.KINDS]


def test_the_same_seed_tells_the_same_stories() -> None:
    """To the byte, so that what somebody saw can be seen again."""
    once, again, other = (
        [wire.request(packet, 0) for story in itertools.islice(stories.stories(seed), 20) for packet in story] for seed in (1, 1, 2)
    )
    assert once == again
    assert once != other


def test_all_kinds_are_told() -> None:
    """Chats, agents, workflows, batches and work without a session; errors, late roots, repeats, several projects, users and models."""
    told = [packet for story in itertools.islice(stories.stories(7), 60) for packet in story]
    spans = [span for packet in told for span in packet.spans]
    assert {packet.service.project for packet in told} == {"", "shop", "support", "finance"}
    assert len({span.attributes.get("gen_ai.response.model") for span in spans}) >= 5
    assert len({span.attributes.get("user.id") for span in spans}) >= 5
    assert any(span.error for span in spans)
    assert len({(span.trace, span.span) for span in spans}) < len(spans)
    roots = [span for span in spans if not span.parent]
    assert any({"session.id", "gen_ai.conversation.id"} & root.attributes.keys() for root in roots)
    assert any(not ({"session.id", "gen_ai.conversation.id"} & span.attributes.keys()) for span in spans if span.parent)


@pytest.mark.parametrize("tell", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("seed", range(20))
def test_spans_fit_together(tell: object, seed: int) -> None:
    """Parents exist in the same trace and hold their children, nothing is sent before it has ended, and the root comes last."""
    packets = tell(Random(seed))  # type: ignore[operator]
    spans = {(span.trace, span.span): span for packet in packets for span in packet.spans}
    for packet in packets:
        assert packet.due >= max(span.end for span in packet.spans)
    for span in spans.values():
        assert span.end >= span.start
        if span.parent:
            parent = spans[span.trace, span.parent]
            assert parent.start <= span.start
            assert span.end <= parent.end
    for trace in {span.trace for span in spans.values()}:
        first_sent = {span.span: packet.due for packet in reversed(packets) for span in packet.spans if span.trace == trace}
        root = next(span for span in spans.values() if span.trace == trace and not span.parent)
        assert first_sent[root.span] == max(first_sent.values())


def test_a_packet_on_the_wire() -> None:
    """What is sent is a request of the protocol with the resource, the times and the typed values of the story."""
    packet = next(stories.stories(3))[0]
    message = ExportTraceServiceRequest.FromString(wire.request(packet, 10**18))
    spans = message.resource_spans[0].scope_spans[0].spans
    assert [span.span_id for span in spans] == [span.span for span in packet.spans]
    assert spans[0].start_time_unix_nano == 10**18 + round(packet.spans[0].start * 1e9)
    assert {pair.key for pair in message.resource_spans[0].resource.attributes} >= {"service.name"}


def test_the_agenda_begins_at_once_and_never_ends() -> None:
    """What is over is sent first; then so many stories are under way as were asked for, in the order of time."""
    entries = list(itertools.islice(player.agenda(stories.stories(5), past=3, at_once=4), 400))
    past = [entry for entry in entries if entry[1] < 0]
    assert all(due == 0 for due, _, _ in past)
    assert all(beginning + packet.due < 0 for _, beginning, packet in past)
    live = [due for due, beginning, _ in entries if beginning >= 0]
    assert live == sorted(live)
    assert live[0] < 10
    assert live[-1] > 20


def test_playing_stops_when_told() -> None:
    """The player sends what is due and leaves as soon as it is stopped, even in the middle of a wait; a refusal does not end it."""
    stop, sent = threading.Event(), []

    def send(body: bytes) -> None:
        sent.append(body)
        if len(sent) == 3:
            raise ConnectionError("answered 503")
        if len(sent) == 5:
            stop.set()

    player.play(player.agenda(stories.stories(1), past=5, at_once=1), send, lambda: 10**18, stop)
    assert len(sent) == 5
