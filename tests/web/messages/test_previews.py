"""What stands in a turn: the words of people and models, also where the sender wrote JSON and the preview ends within it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sojourn.web.messages import words

ASKED = [
    {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
    {"role": "user", "parts": [{"type": "text", "content": 'Is "it" über?'}]},
]


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
        (json.dumps(ASKED[:1]), "user", json.dumps(ASKED[:1])),
    ],
)
def test_words_of_a_preview(preview: str, role: str, shown: str) -> None:
    assert words(preview, role) == shown


def test_a_preview_that_ends_in_the_middle() -> None:
    """At every place: from the first words on, more and more of them; before, the text as it is. No escape is torn."""
    whole = json.dumps(ASKED)
    begun = whole.index("Is ") + 1
    for end in range(len(whole) + 1):
        shown = words(whole[:end], "user")
        if end < begun:
            assert shown == whole[:end]
        else:
            assert 'Is "it" über?'.startswith(shown.removesuffix("…"))


@given(some.text(max_size=500) | some.text('[]{}",:\\u0a ', max_size=500).map(lambda text: '[{"role": "user", "content": ' + text))
def test_anything_is_shown(preview: str) -> None:
    assert isinstance(words(preview, "user"), str)
