"""Log records for the tests of the native core, and what a plain reader makes of them."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from sojourn.schema import FLAGS
from tests.native.decoding import Decoder, any_value, facts, put
from tests.native.wire import AT


def record(resource: dict[str, Any] | None = None, scope: str = "", **fields: Any) -> ExportLogsServiceRequest:
    """A request with one record; `attributes` is a dictionary, `body` a Python value."""
    message = ExportLogsServiceRequest()
    logs = message.resource_logs.add()
    put(logs.resource.attributes, resource or {})
    scope_logs = logs.scope_logs.add()
    scope_logs.scope.name = scope
    add_record(scope_logs, **fields)
    return message


def add_record(scope: Any, attributes: dict[str, Any] | None = None, body: Any = None, **fields: Any) -> Any:
    found = scope.log_records.add(**({"time_unix_nano": AT - 1_000_000_000} | fields))
    put(found.attributes, attributes or {})
    if body is not None:
        found.body.CopyFrom(any_value(body))
    return found


def event(name: str, attributes: dict[str, Any] | None = None, **fields: Any) -> ExportLogsServiceRequest:
    """A record whose event is named by its attribute."""
    return record(attributes={"event.name": name} | (attributes or {}), **fields)


def decode_logs(*requests: ExportLogsServiceRequest, at: int = AT, **plan: Any) -> pa.RecordBatch:
    """One group with all of the requests."""
    decoder = Decoder(**plan)
    for request in requests:
        decoder.push(request, at=at)
    columns = decoder.logs()
    assert columns is not None
    return columns


def row(*requests: ExportLogsServiceRequest, **plan: Any) -> dict[str, Any]:
    found: dict[str, Any] = decode_logs(*requests, **plan).to_pylist()[-1]
    return found


def flags(request: ExportLogsServiceRequest) -> set[str]:
    """Names of the flags of the record, `record` itself left out."""
    value = int(facts(decode_logs(request))["flags"][0])
    found = {name for name, bit in FLAGS.items() if value & bit}
    assert "record" in found
    return found - {"record"}
