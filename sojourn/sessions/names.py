"""The names of sessions: tenant, project and session id as three columns of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from sojourn import _native
from sojourn.sessions.packed import Index

Key = tuple[str, str, str]
"""Tenant, project and session id."""


def key_of(text: str) -> Key:
    """The key behind the text that a session is hashed by."""
    tenant, project, session = text.split("\0", 2)
    return tenant, project, session


NAME: Final = ["Tenant", "Project", "SessionId"]


def name_columns(*texts: Sequence[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in texts], NAME)


NOBODY: Final = name_columns([], [], [])


def pick(names: pa.RecordBatch, rows: Index) -> pa.RecordBatch:
    """The names of these rows."""
    if len(rows) == len(names) and (rows == np.arange(len(rows))).all():
        return names
    return pa.record_batch(_native.pick_names(names, np.ascontiguousarray(rows, np.int64)))


def keys_of(names: pa.RecordBatch | pa.Table, rows: Sequence[int] | None = None) -> list[Key]:
    """These names, or all, as Python has them."""
    if rows is not None:
        names = pick(names, np.array(rows, np.intp))
    return list(zip(*(names.column(name).to_pylist() for name in NAME), strict=True))
