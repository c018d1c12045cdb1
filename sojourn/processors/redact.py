"""`redact`: masks what nobody may know, before anything else sees it.

The work is done in the native core, on requests as they come: so columns, digests and whatever is forwarded come from what is masked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from sojourn.component import Batch, Processor
from sojourn.config.types import Secret

NOTHING = Secret("")


class Redact(Processor):
    """Masks values of attributes by their keys, and patterns in any text. Stands first in its pipeline."""

    keys: tuple[str, ...] = ()
    """Keys of attributes whose values are masked as a whole, in spans, events, links, log records, metric points, resources and scopes, and
    inside of maps; `*` stands for anything, such as `*.password` or `http.request.header.*`. Case does not matter."""
    patterns: tuple[str, ...] = ()
    """Regular expressions: what fits is masked in all values of attributes, names of spans and events, status messages and bodies of log
    records, such as `sk-[A-Za-z0-9]{20,}`. Without look-around and back-references, so that no text takes long."""
    action: Literal["replace", "hash"] = "replace"
    """`replace` writes `replacement`; `hash` writes `<masked:...>` with 16 digits that are the same for equal values, by `hash_key`."""
    replacement: str = Field(default="<masked>", min_length=1, max_length=256)
    """What stands in place of what is masked."""
    hash_key: Secret = NOTHING
    """What nobody may know who shall not guess the values behind digests, such as `${env:REDACT_KEY}`. Needed for `hash`."""

    @field_validator("keys")
    @classmethod
    def _some_letters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(key.strip("*") for key in value):
            raise PydanticCustomError("keys", "has a key that is empty, or fits everything")
        return value

    @model_validator(mode="after")
    def _fits(self) -> Redact:
        from sojourn import _native

        if not self.keys and not self.patterns:
            raise PydanticCustomError("redact", "masks nothing: give keys, patterns or both")
        if self.action == "hash" and not self.hash_key.reveal():
            raise PydanticCustomError("redact", "hash needs hash_key: else anybody can try out what is behind a digest")
        try:
            _native.redact(self.plan(["traces"]), "traces", b"")
        except ValueError as error:
            raise PydanticCustomError("redact", "{error}", {"error": str(error)}) from None
        return self

    def plan(self, signals: Iterable[str]) -> str:
        """What a lane is told: JSON."""
        hash_key = self.hash_key.reveal() if self.action == "hash" else ""
        told = {"keys": self.keys, "patterns": self.patterns, "replacement": self.replacement, "hash_key": hash_key}
        return json.dumps({"signals": list(signals), **told})

    def process(self, batch: Batch) -> Iterable[Batch]:
        return (batch,)
