"""What was said to a model and by it, whole: the messages that spans and log records carry, whoever wrote them.

`shapes` reads one message, or a list of them, from what providers and frameworks make of it; `telling` finds them in attributes, events
and records; `previews` makes one readable. What they find has one form: `{"role", "name", "parts": [{"type", "text", "name", "id"}]}`,
all texts; the types are text, thinking, tool_call, tool_result, media and data (what nobody knows, as JSON).
"""

from sojourn.web.messages.previews import saying
from sojourn.web.messages.shapes import Message, cut
from sojourn.web.messages.telling import CONTENT, EVENTS, Told, already_told, of_record, of_span

__all__ = ["CONTENT", "EVENTS", "Message", "Told", "already_told", "cut", "of_record", "of_span", "saying"]
