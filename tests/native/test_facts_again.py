"""Stored rows are packed again into what decoding gave, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sojourn import _native, schema
from sojourn.storage.arrow import arrow_schema
from tests.native.decoding import FACT, Decoder, decode, facts, request
from tests.native.test_decode_properties import requests
from tests.recordings import tape


def again(columns: pa.RecordBatch, texts: _native.Texts) -> pa.RecordBatch:
    """From the columns that are read back, and no others."""
    return pa.record_batch(_native.facts(columns.select(folded(columns)), texts))


def folded(columns: pa.RecordBatch) -> list[str]:
    return [name for name in columns.schema.names if name in schema.FOLDED]


def same(columns: pa.RecordBatch, texts: _native.Texts) -> None:
    packed = again(columns, texts)
    assert packed.column("_fact").equals(columns.column("_fact"))
    assert packed.column("_facets").equals(columns.column("_facets"))


@given(requests())
@settings(max_examples=60, deadline=None)
def test_packing_again_gives_what_decoding_gave(message: ExportTraceServiceRequest) -> None:
    """For any spans, as long as traces are numbered in order of appearance."""
    decoder = Decoder()
    decoder.push(message)
    columns = decoder.columns()
    if columns is not None:
        same(columns, decoder.texts)


@pytest.mark.parametrize("name", tape.NAMES)
def test_recordings_are_packed_again(name: str) -> None:
    """All lifted columns of real telemetry."""
    decoder = Decoder()
    for each in tape.traces(name):
        decoder.push(each.body, each.content_type)
    columns = decoder.columns()
    assert columns is not None
    same(columns, decoder.texts)


def test_columns_may_have_the_types_of_a_database() -> None:
    """Plain or large texts instead of dictionaries, other widths, slices."""
    decoder = Decoder()
    for number in range(4):
        decoder.push(
            request(
                {"service.namespace": "p"},
                attributes={"session.id": f"s{number}", "metadata": '{"a": 1}'},
                trace_id=bytes([number + 1]) * 16,
            )
        )
    columns = decoder.columns()
    assert columns is not None
    plain = {name: _plain(columns.column(name)) for name in folded(columns)}
    packed = again_plain(pa.record_batch(plain).slice(1), decoder.texts)
    expected = facts(columns)[1:].copy()
    expected["trace"] -= 1
    assert np.array_equal(packed, expected)


def again_plain(records: pa.RecordBatch, texts: _native.Texts) -> Any:
    found = pa.record_batch(_native.facts(records, texts))
    return np.frombuffer(found.column("_fact").buffers()[1], FACT, len(found))


def _plain(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        return array.cast(pa.large_utf8())
    if pa.types.is_list(array.type) and pa.types.is_dictionary(array.type.value_type):
        return array.cast(pa.large_list(pa.utf8()))
    return array


@pytest.mark.parametrize("table", [schema.OTEL_TRACES, schema.OTEL_LOGS], ids=lambda table: table.name)
def test_a_missing_column_is_named(table: schema.Table) -> None:
    """So that the reader of the message knows what to select; none that is read back is read in vain."""
    texts, whole = _native.Texts(1 << 20), pa.RecordBatch.from_pylist([], arrow_schema(table))
    for name in folded(whole):
        told = "Duration" if name == "LogTrace" else name  # rows without it are spans
        with pytest.raises(ValueError, match=f"column {told} is missing"):
            _native.facts(whole.drop_columns([name]), texts)


def test_a_column_of_a_wrong_type_is_named() -> None:
    texts = _native.Texts(1 << 20)
    columns = decode(request())
    wrong = columns.set_column(columns.schema.get_field_index("Version"), "Version", pa.array([1]))
    with pytest.raises(ValueError, match="Version"):
        _native.facts(wrong, texts)


def test_dictionaries_without_words_hold_nothing() -> None:
    """Columns in which nothing is said, as pyarrow makes them of nulls."""
    nothing = pa.DictionaryArray.from_arrays(pa.array([None, None], pa.int32()), pa.array([], pa.string()))
    texts = _native.Texts(1 << 20)
    assert texts.intern(nothing) == bytes(16)
    decoder = Decoder()
    decoder.push(request())
    columns = decoder.columns()
    assert columns is not None
    at = columns.schema.get_field_index("Tool")
    silent = columns.set_column(at, "Tool", nothing.slice(0, len(columns)))
    assert again(silent, decoder.texts).num_rows == len(columns)
