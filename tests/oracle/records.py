"""OTLP log records → what one record says about itself, before anything is known of its session.

Decided here, where the specification is silent:

- The name of an event is `event.name`, else EventName. Claude Code writes `event.name` without its prefix (`api_request`, with
  `claude_code.api_request` as the body): below a scope `com.anthropic.claude_code…` a name without a dot gets `claude_code.` in front.
- The time of a record is its own, else the observed one, else its arrival; clamped as those of spans are.
- A record is an error by its severity (ERROR and above, 17 to 24), by an attribute `error.type`, `exception.type` or `exception.message`,
  and if it is an agent's `api_error`, which carries none of these. `success=false` alone is none.
- Attributes are read by the keys of spans. Only a user comes from a record of any kind (no name, tags or metadata); there an account goes
  before `user.id`, which Claude Code fills with a device, and an `installation.id` is nobody.
- A call is told by an event with usage: an agent's own, which is a call of a chat model whatever else it says, or one whose name begins
  with `gen_ai.`, unless its operation is none of a model (`invoke_agent`, `execute_tool` …). Without usage a record tells no call: what
  was refused is counted on spans only, and as an error record.
- The text of a prompt is its attribute `prompt`, else `user_prompt`; the output of a call may stand in `response_text` (Gemini CLI).
- A record named `session.start` or `session.end` is only a mark. It, and any record of our own scope `sojourn`, is stored and bound but
  counted nowhere: no activity, no log record, no user; else the end that we tell would be heard as news of the session.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.oracle import describing, figures, identity, keys, reading, telling, values
from tests.oracle.facts import Fact, Mark

OWN_CALLS = ("gemini_cli.api_response", "claude_code.api_request", "codex.sse_event")
TOOL_CALLS = ("gemini_cli.tool_call", "claude_code.tool_result", "codex.tool_result")
PROMPTS = ("gemini_cli.user_prompt", "claude_code.user_prompt", "codex.user_prompt")
REFUSALS = ("gemini_cli.api_error", "claude_code.api_error")
MARKS = ("session.start", "session.end")
CLAUDE_CODE = "com.anthropic.claude_code"


@dataclass
class Record(Fact):
    """One log record. As a Fact it is a call without length: its id is its digest, and `session` is its own id or the resource's."""

    bound: tuple[str, str, str] | None = None
    """2.5: the session it belongs to, once that is known: tenant, project, session id."""
    names: str = ""
    """The span it names."""
    is_call: bool = False
    prompt: str | None = None
    """The text of a user's prompt; None if it is no prompt."""

    @property
    def is_own_call(self) -> bool:
        """A call in the words of a command-line agent, rather than those of the conventions."""
        return self.is_call and self.event in OWN_CALLS

    @property
    def is_tool_call(self) -> bool:
        return self.event in TOOL_CALLS

    @property
    def counts(self) -> bool:
        return self.event not in MARKS and self.scope != reading.OWN_SCOPE


def read_logs(request: Any, arrival: int, digest: Callable[[bytes], int], tenant: str = "") -> list[Record]:
    """All records of an ExportLogsServiceRequest that arrived at `arrival` (ns since 1970)."""
    records = []
    for resource_logs in request.resource_logs:
        resource = values.attributes_of(resource_logs.resource)
        for scope_logs in resource_logs.scope_logs:
            for log in scope_logs.log_records:
                content = b"".join(part.SerializeToString() for part in (resource_logs.resource, scope_logs.scope, log))
                records.append(_read(log, scope_logs.scope.name, resource, arrival, digest(content), tenant))
    return records


def _read(log: Any, scope: str, resource: dict[str, Any], arrival: int, digest: int, tenant: str) -> Record:
    attributes = values.attributes_of(log)
    sent = log.time_unix_nano or log.observed_time_unix_nano
    time = reading.clamped(sent, arrival) if sent else arrival
    record = Record(
        tenant=tenant,
        trace_id=log.trace_id.hex() if any(log.trace_id) else "",
        span_id=f"{digest:016x}",
        parent_id="",
        name="",
        scope=scope,
        service=values.plain_text(resource.get("service.name")),
        project=values.plain_text(resource.get("service.namespace")),
        arrival=arrival,
        start=time,
        end=time,
        sent_end=sent,
        digest=digest,
        event=_event(log, attributes, scope),
        flags=set() if time == sent or not sent else {"bad_time"},
        names=log.span_id.hex() if any(log.trace_id) and any(log.span_id) else "",
    )
    identity.read_identity(record, attributes, resource)
    _read_meaning(record, attributes)
    record.error = _is_error(log, attributes, record.event)
    if record.event == figures.EVALUATION:
        figures.read_scores(record, {}, [attributes])
    return record


def _event(log: Any, attributes: dict[str, Any], scope: str) -> str:
    name = values.plain_text(attributes.get("event.name")).strip() or log.event_name.strip()
    return f"claude_code.{name}" if name and "." not in name and scope.startswith(CLAUDE_CODE) else name


def _is_error(log: Any, attributes: dict[str, Any], event: str) -> bool:
    said = any(key in attributes for key in ("error.type", "exception.type", "exception.message"))
    return log.severity_number >= 17 or said or event in REFUSALS


def _read_meaning(record: Record, attributes: dict[str, Any]) -> None:
    telling.read_call(record, attributes, "")
    record.user = values.first_text(attributes, keys.LOG_USER)
    record.input_text = describing.content(attributes, keys.USER_INPUT)[:500]
    record.output_text = describing.content(attributes, [*keys.OUTPUT, "response_text"])[:500]
    record.kind, record.is_call = _call(record, attributes)
    if record.is_tool_call:
        record.tool = values.first_text(attributes, keys.TOOL)
    if record.event in PROMPTS:
        record.prompt = describing.content(attributes, ["prompt", "user_prompt"])[:500]
    if record.event in MARKS and record.scope != reading.OWN_SCOPE:
        record.marks = [Mark(record.event, record.start, reading.previous_id(attributes))]


def _call(record: Record, attributes: dict[str, Any]) -> tuple[str, bool]:
    """(kind of the call, whether it is one)."""
    if record.event in OWN_CALLS:
        completed = record.event != "codex.sse_event" or attributes.get("event.kind") == "response.completed"
        return "llm", record.has_usage and completed
    operation = telling.kind(attributes, record, "")
    model = "llm" if operation == "span" else operation
    return model, record.has_usage and record.event.startswith("gen_ai.") and model in ("llm", "embedding", "rerank")
