"""Sessions for traces that name none: each trace its own, or by who and where, cut by silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from sojourn.schema import FLAGS
from sojourn.sessions.packed import U64, Keys, Rows, hashes, trace_ids


def name_missing(main: U64, tops: Rows, keys: Keys, rule: Mapping[str, Any], texts: Any) -> None:
    """Fill in, in place, the session hashes of the traces that have none; `rule` is what the `session` processor says.

    `tops` are the top-most spans of the traces, `keys` their ids.
    """
    lost = np.flatnonzero((main == 0) & ((tops["flags"] & FLAGS["record"]) == 0))
    if not len(lost):
        return
    top = tops[lost]
    heads = [text or "\0" for text in pa.array(texts.lookup(np.ascontiguousarray(top["project"]))).to_pylist()]
    if rule["missing_id"] == "trace":
        names = trace_ids(*keys[lost, :2].T).to_pylist()
    else:
        parts = [pa.array(texts.lookup(np.ascontiguousarray(top[field]))).to_pylist() for field in rule["gap_attributes"]]
        names = ["|".join(text or "" for text in each) if any(each) else "" for each in zip(*parts, strict=True)]
    whole = [f"{head}\0{name}" if name else "" for head, name in zip(heads, names, strict=True)]
    main[lost] = hashes(texts, pa.array(whole, pa.string()))
