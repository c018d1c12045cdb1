"""The page of what was said in one trace, call by call; the page of a session shows its parts in place."""

from __future__ import annotations

from typing import Any, Final

from sojourn.web.answers import Answer, Pairs
from sojourn.web.messages import Message, cut
from sojourn.web.pages.frame import again, render, trace_address
from sojourn.web.reading import Row

_LONGEST: Final = 20_000
_LONGEST_ALONE: Final = 400_000


def messages(answer: Answer, pairs: Pairs) -> str:
    """`answer` is what `answers.said` gives."""
    given = dict(pairs)
    identity = answer["trace"]["trace_id"]
    alone = "span" in given
    return render(
        "messages.html",
        row=answer["trace"],
        calls=[shown(call, _LONGEST_ALONE if alone else _LONGEST) for call in answer["calls"]],
        alone=alone,
        following=trace_address(identity, "/messages") + again(pairs, after=answer["next"]) if answer["next"] else None,
        later="after" in given,
        twin=trace_address(identity, "/messages.json", **given),
    )


def shown(call: Row, longest: int = _LONGEST) -> dict[str, Any]:
    """A call with its messages as the template wants them: what went in is `before` (told by an earlier call) and `new`."""
    into, out = (_cut(call[side], longest) for side in ("input", "output"))
    return call | {"before": into[: call["earlier"]], "new": into[call["earlier"] :], "out": out}


def _cut(said: list[Message], longest: int) -> list[Message]:
    return [cut(message, longest) for message in said]
