"""What stands in a turn: the words of people and models, also where the sender wrote JSON and the preview ends within it."""

from __future__ import annotations

import json

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as some

from sojourn.web.messages import saying
from tests.web.conftest import Store, trace_row

ASKED = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "user", "parts": [{"type": "text", "content": 'Is "it" über?'}]},
]
LONG = json.dumps([{"role": "system", "content": "Be brief. " * 60}, *ASKED[1:]])[:499]


@pytest.mark.parametrize(
    ("preview", "role", "shown"),
    [
        ("plain", "user", "plain"),
        ('{"order": 81}', "user", '{"order": 81}'),
        ("[1, 2]", "user", "[1, 2]"),
        (json.dumps(ASKED), "user", 'Is "it" über?'),
        ('[{"role": "assistant", "content": "yes"}, {"role": "user", "content": "why"}]', "assistant", "yes"),
        ('{"choices": [{"message": {"role": "assistant", "content": "yes"}}]}', "assistant", "yes"),
        (
            '[{"role": "assistant", "parts": [{"type": "tool_call", "name": "weather", "arguments": {"at": "sea"}}]}]',
            "assistant",
            'weather({"at": "sea"})',
        ),
    ],
)
def test_words_of_a_preview(preview: str, role: str, shown: str) -> None:
    assert saying(preview, role) == (role, shown)


@pytest.mark.parametrize(
    ("preview", "role", "speaker", "shown"),
    [
        (json.dumps(ASKED[:1]), "user", "system", "Be brief."),
        (LONG, "user", "system", "Be brief. " * 46 + "Be brie…"),
        ('{"system": "Be brief.", "messages": [{"role": "user", "con', "user", "system", "Be brief."),
        ('[{"role": "user", "content": "Hi"}, {"role": "user", "content": ""}]', "assistant", "user", "Hi"),
        ('[{"role": "assistant", "parts": [{"type": "reasoning", "content": "Well, th', "assistant", "thinking", "Well, th…"),
        ('[{"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "result": "late"}]}]', "assistant", "tool", "late"),
    ],
)
def test_words_of_somebody_else(preview: str, role: str, speaker: str, shown: str) -> None:
    """Where long instructions, or thoughts, are all that fits, they are told as words, and whose they are."""
    assert saying(preview, role) == (speaker, shown)


def test_a_preview_that_ends_in_the_middle() -> None:
    """At every place: from the first words on, more and more of them; before, the text as it is. No escape is torn."""
    whole = json.dumps(ASKED)
    begun = {"system": whole.index("Be ") + 1, "user": whole.index("Is ") + 1}
    for end in range(len(whole) + 1):
        speaker, shown = saying(whole[:end], "user")
        if end < begun["system"]:
            assert (speaker, shown) == ("user", whole[:end])
        else:
            assert speaker == ("system" if end < begun["user"] else "user")
            assert ("Be brief." if speaker == "system" else 'Is "it" über?').startswith(shown.removesuffix("…"))


@given(some.text(max_size=500) | some.text('[]{}",:\\u0a ', max_size=500).map(lambda text: '[{"role": "user", "content": ' + text))
def test_anything_is_shown(preview: str) -> None:
    assert all(isinstance(one, str) for one in saying(preview, "user"))


def test_a_turn_of_which_only_the_instructions_fit(store: Store, web: httpx.Client) -> None:
    """They stand on the page as words, under their own name, beside the way to the rest."""
    store.sessions({"session_id": "s"})
    store.insert("session_trace_rows", trace_row("a" * 32, Input=LONG, Output="Yes."))
    html = web.get("/sessions/s").text
    assert '<span class="who">System</span><div dir="auto">Be brief. Be brief.' in html
    assert f'<a href="/traces/{"a" * 32}/messages">all of it</a>' in html
    assert '<span class="who">Output</span><div dir="auto">Yes.' in html
    assert "[{" not in html
