"""Tenants inside the keys of traces: two tenants' traces are two, whatever their ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sojourn.sessions.packed import U64, Keys, Rows, hashes


class Tenants:
    """The tenants of a lane, by hash; '' is 0. They are as many as credentials name, so none is ever forgotten."""

    def __init__(self) -> None:
        self._names = {0: ""}

    def codes(self, names: pa.Array, texts: Any) -> U64:
        """A number for each name."""
        codes = hashes(texts, names)
        if codes.any():
            self._names.update(zip(codes.tolist(), names.to_pylist(), strict=True))
        return codes

    def name(self, code: int) -> str:
        return self._names[code]

    def keys_of(self, traces: Sequence[tuple[str, str]], texts: Any) -> Keys:
        """Keys of traces, told by tenant and trace id."""
        tenants = self.codes(pa.array([tenant for tenant, _ in traces], pa.string()), texts)
        ids = np.frombuffer(bytes.fromhex("".join(trace for _, trace in traces)), ">u8")
        return with_tenants(ids.reshape(-1, 2), tenants)

    def of_traces(self, told: pa.DictionaryArray, facts: Rows, count: int, texts: Any) -> U64:
        """The tenant of each of `count` traces, by a column of their rows."""
        out = np.zeros(count, np.uint64)
        codes = self.codes(told.dictionary, texts)
        if codes.any():
            out[facts["trace"]] = codes.take(np.asarray(told.indices))
        return out


def with_tenants(ids: Keys, tenants: U64 | int) -> Keys:
    """Trace ids, as two numbers each, with their tenants."""
    out = np.empty((len(ids), 3), ">u8")
    out[:, :2], out[:, 2] = ids, tenants
    return out
