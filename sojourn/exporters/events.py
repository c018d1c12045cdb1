"""Events of sessions as others read them: JSON, a message for Slack, an OTLP log record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from sojourn.component import Batch

Message = dict[str, Any]
EVENTS: Final = (
    *("session.start", "session.rotated", "session.reopened", "session.updated", "session.idle", "session.end"),
    "session.alert",
)
_SEVERITIES: Final = {"info": (9, "INFO"), "warning": (13, "WARN"), "critical": (21, "FATAL")}
_EMOJI: Final = {"info": ":information_source:", "warning": ":warning:", "critical": ":rotating_light:"}


def messages(batch: Batch, collector: str, receiver: str, wanted: Sequence[str]) -> Iterator[Message]:
    """The events of a batch of `session_event_rows` that this receiver is to be told: those that it wants, but of alerts that name their
    receivers only its own."""
    import pyarrow as pa

    records = batch.records
    names, reasons = (records.column(name).to_pylist() for name in ("Event", "Reason"))
    receivers = records.column("_receivers").to_pylist() if "_receivers" in records.schema.names else [[]] * len(names)
    mine = [row for row, event in enumerate(names) if (receiver in receivers[row] if receivers[row] else event in wanted)]
    if not mine:
        return
    columns = {name: records.column(name) for name in ("Tenant", "Project", "SessionId", "Segment", "Revision", "Attributes")}
    times = {name: records.column(name).cast(pa.int64()) for name in ("Time", "SegmentStart")}
    for row in mine:
        said = {name: column[row].as_py() for name, column in columns.items()}
        time, start = (times[name][row].as_py() for name in ("Time", "SegmentStart"))
        alert = reasons[row] if names[row] == "session.alert" else ""
        key = (said["Tenant"], said["Project"], said["SessionId"], str(start), str(said["Revision"]), names[row], alert)
        yield {
            "id": hashlib.sha256("\0".join(key).encode("utf-8", "surrogatepass")).hexdigest()[:32],
            "event": names[row],
            "reason": reasons[row],
            "time": time,
            "tenant": said["Tenant"],
            "project": said["Project"],
            "session_id": said["SessionId"],
            "segment": said["Segment"],
            "segment_start": start,
            "revision": said["Revision"],
            "collector": collector,
            "attributes": dict(said["Attributes"]),
        }


def as_json(message: Message, page: str) -> Message:
    """The event with its times as RFC 3339, and where to look."""
    link = {"link": link_of(message, page)} if page else {}
    return {**message, "time": rfc3339(message["time"]), "segment_start": rfc3339(message["segment_start"]), **link}


def as_slack(message: Message, page: str) -> Message:
    """A message for an incoming webhook of Slack, and of what understands the same."""
    said = message["attributes"]
    where = f" in {_escaped(message['project'])}" if message["project"] else ""
    name = f"session {_escaped(message['session_id'])}{where}"
    if page:
        name = f"<{link_of(message, page)}|{name}>"
    if message["event"] != "session.alert":
        reason = f" ({_escaped(message['reason'])})" if message["reason"] else ""
        return {"text": f"{name}: {_escaped(message['event'].removeprefix('session.'))}{reason}"}
    severity = said.get("alert.severity", "warning")
    why = f"{_escaped(said.get('alert.values', ''))} — `{_escaped(said.get('alert.condition', ''))}`"
    return {"text": f"{_EMOJI.get(severity, '')} *{_escaped(message['reason'])}* ({_escaped(severity)}): {name}\n{why}"}


def as_otlp(some: Sequence[Message], version: str) -> Message:
    """An ExportLogsServiceRequest in JSON: one log record for each event, scope `sojourn`."""
    records = [_record(message) for message in some]
    scope = {"scope": {"name": "sojourn", "version": version}, "logRecords": records}
    resource = {"service.name": "sojourn", "service.instance.id": some[0]["collector"]}
    return {"resourceLogs": [{"resource": {"attributes": _attributes(resource)}, "scopeLogs": [scope]}]}


def _record(message: Message) -> Message:
    severity = _SEVERITIES.get(message["attributes"].get("alert.severity", "info"), _SEVERITIES["info"])
    reason = f": {message['reason']}" if message["reason"] else ""
    said = {
        "event.name": message["event"],
        "session.id": message["session_id"],
        "sojourn.event.id": message["id"],
        "sojourn.tenant": message["tenant"],
        "sojourn.project": message["project"],
        "sojourn.segment": message["segment"],
        "sojourn.segment.start": rfc3339(message["segment_start"]),
        "sojourn.revision": message["revision"],
        "sojourn.reason": message["reason"],
        **message["attributes"],
    }
    return {
        "timeUnixNano": str(message["time"]),
        "observedTimeUnixNano": str(message["time"]),
        "severityNumber": severity[0],
        "severityText": severity[1],
        "eventName": message["event"],
        "body": {"stringValue": f"{message['event']}{reason}"},
        "attributes": _attributes({key: value for key, value in said.items() if value != ""}),
    }


def _attributes(said: dict[str, Any]) -> list[Message]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}} for key, value in said.items()
    ]


def link_of(message: Message, page: str) -> str:
    project = f"?project={quote(message['project'], safe='')}" if message["project"] else ""
    return f"{page.rstrip('/')}/sessions/{quote(message['session_id'], safe='')}{project}"


def rfc3339(time: int) -> str:
    seconds, left = divmod(time, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{left:09}Z"


def _escaped(text: str) -> str:
    """As Slack asks for; and nothing of it may look like our own marks."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(" " if character < " " else character for character in plain).replace("`", "'")[:300]
