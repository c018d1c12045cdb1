"""The native core and `schema.py` say the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sojourn import schema
from tests.native.decoding import decode, request

ROOT = Path(__file__).parents[2]


def test_the_committed_rust_schema_is_the_generated_one() -> None:
    """`native/src/schema.rs` is what `python native/generate_schema.py` writes."""
    spec = importlib.util.spec_from_file_location("generate_schema", ROOT / "native" / "generate_schema.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text() == module.generate()


def test_decoded_columns_are_those_of_the_schema() -> None:
    """Decoding gives the columns of otel_traces in order, all but Collector, and the three that are never stored."""
    stored = [column.name for column in schema.OTEL_TRACES.columns if column.name != "Collector"]
    columns = decode(request())
    assert columns.schema.names == [*stored, "_fact", "_facets", "_total_tokens"]
