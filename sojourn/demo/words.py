"""What is said in the stories, as senders record it: every call of a model repeats what was said before it."""

from __future__ import annotations

import json
from typing import Final

from sojourn.demo.story import Value

Part = dict[str, object]

ASSISTANT: Final = (
    "You help the customers of an outdoor shop. Be brief and friendly; look an order up before you speak of it; never promise a date."
)
RESEARCHER: Final = "You research a topic with the tools you have, and write half a page with sources. Check every number twice."
CHECKER: Final = "You check facts. Say for each claim whether a source bears it out."
REPORTER: Final = "You write the monthly report, one part at a time, from the figures you are given."
READER: Final = "Read the invoice and answer in JSON: vendor, number, total, currency."

FINDINGS: Final = (
    "3 sources found; the newest is from this spring.",
    '{"rows": 48, "columns": ["year", "country", "value"], "mean": 17.4}',
    "The page says: costs have halved since 2019, while demand grew by a third.",
    "1284.5",
    "Noted.",
)
THOUGHTS: Final = (
    "I need a recent figure before I can compare the two.",
    "The sources disagree; let me look at the table itself.",
    "That is enough for the second paragraph. One number is still missing.",
)


def text(content: str) -> Part:
    return {"type": "text", "content": content}


class Talk:
    """One conversation with a model."""

    def __init__(self, instructions: str) -> None:
        self._instructions = instructions
        self._said: list[dict[str, object]] = []

    def hear(self, role: str, *parts: Part) -> None:
        self._said.append({"role": role, "parts": list(parts)})

    def answered(self, *parts: Part, reason: str = "stop") -> dict[str, Value]:
        """Attributes of the call in which the model answers this."""
        answer: dict[str, object] = {"role": "assistant", "parts": list(parts)}
        attributes: dict[str, Value] = {
            "gen_ai.system_instructions": _json([text(self._instructions)]),
            "gen_ai.input.messages": _json(self._said),
            "gen_ai.output.messages": _json([answer | {"finish_reason": reason}]),
        }
        self._said.append(answer)
        return attributes


def asked_alone(instructions: str, question: str, answer: str) -> dict[str, Value]:
    """Attributes of a call that stands alone."""
    talk = Talk(instructions)
    talk.hear("user", text(question))
    return talk.answered(text(answer))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
