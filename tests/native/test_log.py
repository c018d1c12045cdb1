"""The write-ahead log behind a lane: what was answered comes back after a crash, in the same groups, with the same rows."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pytest

from sojourn import _native
from sojourn.collector.write_ahead import move_old_logs
from sojourn.config.types import Secret
from sojourn.processors.redact import Redact
from sojourn.sessions.lifting import lift_plan
from tests.native.test_server import post
from tests.native.wire import METHODS, PROTOBUF, raw_lane, records, serving, spans

SIZE = 1 << 20


def opened(folder: Path, **settings: Any) -> tuple[_native.Log, _native.Lane]:
    log = _native.Log(str(folder), SIZE)
    return log, raw_lane(log=log, flush_rows=1 << 30, **settings)


def push(lane: _native.Lane, number: int, padding: int = 0) -> None:
    lane.push("traces", spans(1, f"span {number}", padding), PROTOBUF, 1000 + number, durable=True)


def push_many(lane: _native.Lane, count: int) -> None:
    for number in range(count):
        push(lane, number, 2000)


def numbers(group: _native.Delivery) -> list[bytes]:
    return [body for _, body in group.raw()]


def crashed(folder: Path) -> Path:
    """The directory as a process leaves it that is killed now."""
    copy = folder.with_name(f"{folder.name} copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    return copy


def test_what_was_answered_comes_back_in_the_same_groups(tmp_path: Path) -> None:
    """Groups that were cut are the same, with the same tokens; what was not cut yet is the next group."""
    log, lane = opened(tmp_path / "log")
    with closing(log):
        told = []
        for first in (0, 10):
            for number in range(first, first + 7):
                push(lane, number)
            lane.flush()
            group = lane.next(10)
            assert group is not None
            told.append((group.token(10), numbers(group), group.oldest))
        push(lane, 20)
        copy = crashed(tmp_path / "log")
    log, lane = opened(copy, flush_interval=0.001)
    with closing(log):
        assert log.report() == {"requests": 15, "bytes": log.report()["bytes"], "damaged": 0, "unfinished": 0}
        assert lane.stats()["behind"] == 1
        for token, bodies, oldest in told:
            group = lane.next(10)
            assert group is not None
            assert (group.token(10), numbers(group), group.oldest) == (token, bodies, oldest)
            group.commit()
        last = lane.next(10)
        assert last is not None
        assert numbers(last) == [spans(1, "span 20")]
        last.commit()
        assert lane.next(0) is None
        assert (lane.stats()["behind"], log.stats()["sojourn_log_requests"]) == (0, 0)


def test_rows_are_the_same_after_a_crash(tmp_path: Path) -> None:
    """Requests are decoded again with the moment when they arrived."""
    tables = []
    for folder in (tmp_path / "log", tmp_path / "log copy"):
        log = _native.Log(str(folder), SIZE)
        with closing(log):
            settings: dict[str, Any] = {"flush_interval": 60.0, "flush_rows": 1 << 30, "flush_bytes": 1 << 26, "queue_bytes": 1 << 28}
            lane = _native.Lane(texts=_native.Texts(1 << 20), lift=lift_plan(), log=log, **settings)
            if not tables:
                lane.push("traces", spans(3), PROTOBUF, 5_000_000_000, durable=True)
                lane.push("logs", records(2), PROTOBUF, 6_000_000_000, durable=True)
            lane.flush()
            lane.close()
            group = lane.next(10)
            assert group is not None
            batches = [pa.record_batch(batch) for batch in (group.traces(), group.logs()) if batch is not None]
            tables.append([batch.drop_columns([name for name in batch.schema.names if name.startswith("_")]) for batch in batches])
            crashed(folder)
    assert tables[0] == tables[1]
    assert tables[0][0].num_rows == 3


def test_what_memory_has_no_room_for_is_read_back_in_order(tmp_path: Path) -> None:
    """Senders are answered from the log while the queue is full; nothing is lost or doubled, and the lane goes on as before."""
    log, lane = opened(tmp_path / "log", queue_bytes=20_000, flush_bytes=8_000, flush_interval=0.001)
    with closing(log):
        sent = [spans(1, f"span {number}", 1000) for number in range(200)]
        for body in sent[:150]:
            lane.push("traces", body, PROTOBUF, 1, durable=True)
        assert lane.stats()["behind"] == 1
        assert lane.stats()["queued_bytes"] < 20_000
        got: list[bytes] = []
        tokens = set()
        while len(got) < 150:
            group = lane.next(10)
            assert group is not None
            got += numbers(group)
            tokens.add(group.token(10))
            group.commit()
        for body in sent[150:]:
            lane.push("traces", body, PROTOBUF, 1, durable=True)
        lane.close()
        while (group := lane.next(10)) is not None:
            got += numbers(group)
            tokens.add(group.token(10))
            group.commit()
        assert got == sent
        assert len(tokens) > 10
        assert log.stats()["sojourn_log_requests"] == 0


def test_a_full_log_says_later_and_takes_again_when_something_is_stored(tmp_path: Path) -> None:
    """Space is bounded."""
    log, lane = opened(tmp_path / "log", queue_bytes=20_000, flush_bytes=8_000)
    with closing(log):
        with pytest.raises(BlockingIOError, match="write-ahead log is full"):
            push_many(lane, 2000)
        assert sum(file.stat().st_size for file in (tmp_path / "log").iterdir()) <= SIZE
        for _ in range(60):
            group = lane.next(10)
            assert group is not None
            group.commit()
        push(lane, 1, 2000)


def test_what_could_not_be_stored_stays(tmp_path: Path) -> None:
    """A group that was told 'later', and all behind it, are there at the next start; one that can never be stored is not."""
    log, lane = opened(tmp_path / "log", flush_interval=0.001)
    with closing(log):
        for number, end in enumerate(("never", "commit", "later", "commit")):
            push(lane, number)
            group = lane.next(10)
            assert group is not None
            if end == "commit":
                group.commit()
            else:
                group.refuse("no", None if end == "never" else 1.0)
    log, lane = opened(tmp_path / "log", flush_interval=0.001)
    with closing(log):
        assert log.report()["requests"] == 2


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_senders_are_answered_when_their_requests_are_safe(tmp_path: Path, transport: str) -> None:
    """Not earlier: what a log on a broken disk cannot take is 'later', and taken again when the disk is well."""
    folder = tmp_path / "log"
    log, lane = opened(folder)
    in_the_way = folder / "0000000000000001.log"
    with closing(log), serving({"traces": [lane]}, acknowledge="durable") as native, ThreadPoolExecutor(1) as pool:

        def send(body: bytes) -> str:
            if transport == "http":
                answer = post(native, body)
                return "ok" if answer.status_code == 200 else f"{answer.status_code} {answer.headers['retry-after']}"
            with grpc.insecure_channel(native.grpc or "") as channel:
                try:
                    channel.unary_unary(METHODS["traces"])(body, timeout=30)
                except grpc.RpcError as error:
                    return str(error.code().name)
                return "ok"

        assert send(spans(1)) == "ok"
        in_the_way.mkdir()
        later = "503 2" if transport == "http" else "UNAVAILABLE"
        assert pool.submit(send, spans(1, padding=SIZE // 6)).result(30) == later
        assert log.failing()
        assert send(spans(1)) == later
        in_the_way.rmdir()
        answer = later
        while answer == later:
            answer = send(spans(1))
        assert answer == "ok"
        assert log.failing() is None


def test_a_later_format_and_a_directory_that_is_none_are_refused(tmp_path: Path) -> None:
    """A later version's log is not for us to read; a file is no directory."""
    log, lane = opened(tmp_path / "log")
    push(lane, 1)
    log.close()
    file = next((tmp_path / "log").iterdir())
    data = bytearray(file.read_bytes())
    data[8] = 7
    file.write_bytes(data)
    with pytest.raises(ValueError, match="is in format 7, and this version of Sojourn knows 1"):
        _native.Log(str(tmp_path / "log"), SIZE)
    with pytest.raises(OSError, match=str(file)):
        _native.Log(str(file), SIZE)


def test_rows_that_are_in_no_log_go_beside(tmp_path: Path) -> None:
    """A lane may have senders of both kinds."""
    log, lane = opened(tmp_path / "log", queue_bytes=20_000, flush_bytes=8_000)
    with closing(log):
        for number in range(60):
            push(lane, number, 1000)
        group = lane.next(10)
        assert group is not None
        group.commit()
        lane.push("traces", spans(1, "other"), PROTOBUF, 1)
        lane.close()
        got = []
        while (group := lane.next(10)) is not None:
            got += numbers(group)
            group.commit()
        assert sum(b"other" in body for body in got) == 1


def test_the_log_of_a_lane_that_is_no_more_goes_to_those_that_take_its_signals(tmp_path: Path) -> None:
    """With the moment of their arrival; what nobody takes stays, and so does everything behind it."""
    data_dir = tmp_path
    log, lane = opened(data_dir / "log" / "traces")
    with closing(log):
        push(lane, 1)
        lane.push("logs", records(1), PROTOBUF, 5, durable=True)
        push(lane, 2)
    queues: dict[str, list[_native.Lane]] = {}
    new_log, new_lane = opened(data_dir / "log" / "traces+metrics")
    queues["traces"] = [new_lane]
    with closing(new_log):
        move_old_logs(data_dir, {"traces+metrics": queues}, SIZE)
        assert new_log.stats()["sojourn_log_requests"] == 1
        queues["logs"] = queues["traces"]
        move_old_logs(data_dir, {"traces+metrics": queues}, SIZE)
        assert new_log.stats()["sojourn_log_requests"] == 3
        assert not (data_dir / "log" / "traces").exists()
        queues["traces"][0].close()
        group = queues["traces"][0].next(10)
        assert group is not None
        assert (group.rows, group.oldest) == (3, 5)


def test_what_is_masked_is_not_in_the_log_either(tmp_path: Path) -> None:
    """It is masked once, before it is written: a digest that is read back is not digested again."""
    plan = Redact(patterns=("secret[0-9]+",), action="hash", hash_key=Secret("k")).plan(["traces"])
    bodies = []
    for folder in (tmp_path / "log", tmp_path / "log copy"):
        log, lane = opened(folder, redact=plan)
        with closing(log):
            if not bodies:
                lane.push("traces", spans(1, "tell secret123"), PROTOBUF, 1, durable=True)
            lane.close()
            group = lane.next(10)
            assert group is not None
            bodies.append(numbers(group))
            crashed(folder)
    assert bodies[0] == bodies[1]
    assert b"<masked:" in bodies[0][0]
    assert not any(b"secret123" in file.read_bytes() for file in (tmp_path / "log").iterdir())
