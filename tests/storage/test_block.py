"""The encoder of ClickHouse's format Native, read back by ClickHouse itself."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from sojourn._native import encode_native
from sojourn.storage.database import Database
from sojourn.storage.failures import code_of

HOSTILE = ["", "a", "'", '"', "\\", "\n\t\r\0", "\u2603 snow", "x" * 127, "y" * 128, "z" * 20_000, "\U0001f600", "-- ; DROP", "{x:String}"]
CODES = pa.dictionary(pa.uint32(), pa.string())


def read_back(database: Database, column: pa.Array, clickhouse: str, compress: bool = False) -> list[Any]:
    """The values of a column after they went into a table and out again."""
    database.command(f"CREATE DATABASE IF NOT EXISTS {database.name}", anywhere=True)
    database.command(f"CREATE OR REPLACE TABLE {database.name}.t (n UInt32, v {clickhouse}) ENGINE = MergeTree ORDER BY n")
    rows = pa.record_batch({"v": column, "n": pa.array(range(len(column)), pa.uint32())})
    block = encode_native(rows, [("n", "UInt32"), ("v", clickhouse)], compress)
    database.insert("t", ["n", "v"], block, compressed=compress, settings={})
    table = database.query_arrow(f"SELECT v FROM {database.name}.t ORDER BY n")
    assert table is not None
    return table.column("v").to_pylist()


def maps(rows: list[list[tuple[str, str]]], kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(rows, kind or pa.map_(pa.string(), pa.string()))


@pytest.mark.parametrize(
    ("clickhouse", "column"),
    [
        ("UInt8", pa.array([0, 255], pa.uint8())),
        ("UInt32", pa.array([0, 2**32 - 1], pa.uint32())),
        ("UInt64", pa.array([0, 2**64 - 1], pa.uint64())),
        ("Int64", pa.array([-(2**63), 2**63 - 1], pa.int64())),
        ("Float64", pa.array([-1.5, 1e300], pa.float64())),
        ("Bool", pa.array([True, False], pa.bool_())),
        ("UInt128", pa.array([bytes(range(16)), bytes([255] * 16)], pa.binary(16))),
        ("String", pa.array(HOSTILE)),
        ("String", pa.array(HOSTILE, pa.large_string())),
        ("String", pa.array(HOSTILE, pa.string_view())),
        ("String", pa.array(HOSTILE * 3).dictionary_encode()),
        ("LowCardinality(String)", pa.array(HOSTILE * 3)),
        ("LowCardinality(String)", pa.array(HOSTILE * 3).dictionary_encode()),
        ("LowCardinality(String)", pa.array([str(number % 300) for number in range(1000)]).dictionary_encode()),
        ("LowCardinality(String)", pa.array([str(number) for number in range(70_000)])),
        ("Array(String)", pa.array([[], HOSTILE, ["a"]])),
        ("Array(LowCardinality(String))", pa.array([[], HOSTILE, ["a", "a"]], pa.list_(CODES))),
        ("Array(LowCardinality(String))", pa.array([[], []], pa.list_(CODES))),
        ("Array(UInt64)", pa.array([[1, 2], [], [3]], pa.list_(pa.uint64()))),
        ("Array(UInt64)", pa.array([[1, 2], [], [3]], pa.large_list(pa.uint64()))),
        ("Nullable(Decimal(38, 12))", pa.array([Decimal("0.0042"), None, Decimal("-1.000000000001")], pa.decimal128(38, 12))),
        ("Nullable(String)", pa.array(["a", None, ""])),
    ],
)
def test_values_come_back(empty_database: Database, clickhouse: str, column: pa.Array) -> None:
    """Every type of the schema keeps its values, however Arrow holds them."""
    assert read_back(empty_database, column, clickhouse) == column.to_pylist()


@pytest.mark.parametrize("keys", [pa.string(), CODES])
@pytest.mark.parametrize("values", [pa.string(), CODES])
def test_maps_come_back(empty_database: Database, keys: pa.DataType, values: pa.DataType) -> None:
    """Maps keep order, repeated keys and empty rows, with plain and with dictionary texts."""
    rows = [[], [(text, text[::-1]) for text in HOSTILE], [("a", "1"), ("a", "2")], []]
    assert read_back(empty_database, maps(rows, pa.map_(keys, values)), "Map(LowCardinality(String), String)") == rows


def test_a_list_of_pairs_is_a_map(empty_database: Database) -> None:
    """A map may also come as list<struct>."""
    pairs = pa.list_(pa.struct([("k", pa.string()), ("v", pa.string())]))
    column = pa.array([[{"k": "a", "v": "1"}], []], pairs)
    assert read_back(empty_database, column, "Map(String, String)") == [[("a", "1")], []]


def test_maps_of_tuples_come_back(empty_database: Database) -> None:
    """The type of Scores."""
    value = pa.struct([("Count", pa.uint64()), ("Sum", pa.decimal128(38, 9))])
    column = pa.array([[("quality", {"Count": 2, "Sum": Decimal("1.5")})], []], pa.map_(pa.string(), value))
    told = read_back(empty_database, column, "Map(String, Tuple(Count UInt64, Sum Decimal(38, 9)))")
    assert told == [[("quality", {"Count": 2, "Sum": Decimal("1.500000000")})], []]


@pytest.mark.parametrize("rows", [[[], []], [[], [[("k", "v")], []], [[("k", "w"), ("l", "x")]]]])
def test_arrays_of_maps_come_back(empty_database: Database, rows: list[list[list[tuple[str, str]]]]) -> None:
    """All LowCardinality prefixes come before all offsets, and nothing is written for no values."""
    kind = pa.list_(pa.map_(CODES, pa.string()))
    assert read_back(empty_database, pa.array(rows, kind), "Array(Map(LowCardinality(String), String))") == rows


def test_times_come_back(empty_database: Database) -> None:
    """Nanoseconds and milliseconds are the numbers that ClickHouse keeps, from timestamps and from bare integers."""
    nanoseconds = [0, 1_767_268_800_123_456_789]
    for column in (pa.array(nanoseconds, pa.timestamp("ns", "UTC")), pa.array(nanoseconds, pa.int64())):
        read_back(empty_database, column, "DateTime64(9)")
        table = empty_database.query_arrow(f"SELECT toUnixTimestamp64Nano(v) AS v FROM {empty_database.name}.t ORDER BY n")
        assert table is not None
        assert table.column("v").to_pylist() == nanoseconds


@pytest.mark.parametrize(
    ("clickhouse", "column", "expected"),
    [
        ("String", pa.array(["a", None]), ["a", ""]),
        ("LowCardinality(String)", pa.array(["a", None]), ["a", ""]),
        ("LowCardinality(String)", pa.array(["a", None]).dictionary_encode(), ["a", ""]),
        ("UInt64", pa.array([1, None], pa.uint64()), [1, 0]),
        ("Array(String)", pa.array([["a"], None, [None]]), [["a"], [], [""]]),
        ("Bool", pa.array([True, None]), [True, False]),
        ("String", pa.nulls(2), ["", ""]),
    ],
)
def test_a_null_is_the_default(empty_database: Database, clickhouse: str, column: pa.Array, expected: list[Any]) -> None:
    """As in any insert that leaves the value out."""
    assert read_back(empty_database, column, clickhouse) == expected


def test_items_below_a_null_list_are_left_out(empty_database: Database) -> None:
    """Arrow lets a null list point at items."""
    offsets, valid = pa.array([0, 1, 3, 4], pa.int32()), pa.py_buffer(b"\x05")
    column = pa.ListArray.from_buffers(pa.list_(pa.string()), 3, [valid, offsets.buffers()[1]], children=[pa.array(list("abcd"))])
    assert column.to_pylist() == [["a"], None, ["d"]]
    assert read_back(empty_database, column, "Array(String)") == [["a"], [], ["d"]]


def test_slices_come_back(empty_database: Database) -> None:
    """A slice of every kind of column is only what is in it."""
    chance = random.Random(1)
    texts = ["".join(chance.choices("abc\u2603", k=chance.randint(0, 40))) for _ in range(100)]
    lists = [chance.choices(texts, k=chance.randint(0, 4)) for _ in range(100)]
    pairs = [[(text, text) for text in row] for row in lists]
    columns = [
        ("String", pa.array(texts)),
        ("String", pa.array(texts).dictionary_encode()),
        ("LowCardinality(String)", pa.array(texts).dictionary_encode()),
        ("UInt64", pa.array(range(100), pa.uint64())),
        ("Bool", pa.array([number % 3 == 0 for number in range(100)])),
        ("UInt128", pa.array([bytes([number] * 16) for number in range(100)], pa.binary(16))),
        ("Array(LowCardinality(String))", pa.array(lists, pa.list_(CODES))),
        ("Map(LowCardinality(String), String)", maps(pairs, pa.map_(CODES, pa.string()))),
        ("Array(Map(LowCardinality(String), String))", pa.array([[row] for row in pairs], pa.list_(pa.map_(CODES, pa.string())))),
        ("Nullable(String)", pa.array([text or None for text in texts])),
    ]
    for clickhouse, column in columns:
        part = column.slice(37, 11)
        assert read_back(empty_database, part, clickhouse) == part.to_pylist(), clickhouse


@pytest.mark.parametrize("rows", [0, 1, 5000])
def test_compressed_is_the_same(empty_database: Database, rows: int) -> None:
    """An LZ4 frame holds the same block; no rows are no block."""
    import lz4.frame

    column = pa.array([f"text {number % 700}" for number in range(rows)])
    plain = encode_native(pa.record_batch({"v": column}), [("v", "String")], False)
    assert lz4.frame.decompress(encode_native(pa.record_batch({"v": column}), [("v", "String")], True)) == plain
    assert bool(plain) == bool(rows)


@pytest.mark.parametrize(
    ("clickhouse", "column", "message"),
    [
        ("UInt64", pa.array([1], pa.int64()), "column v: Arrow Int64 does not fit ClickHouse UInt"),
        ("String", pa.array([1], pa.int64()), "column v: Arrow Int64 does not fit ClickHouse Text"),
        ("DateTime64(9)", pa.array([1], pa.timestamp("ms")), "column v: Arrow Timestamp"),
        ("JSON", pa.array(["{}"]), "column v: ClickHouse type JSON cannot be written"),
        ("Array(String)", pa.array(["a"]), "column v: Arrow Utf8 does not fit"),
    ],
)
def test_what_does_not_fit_is_told(clickhouse: str, column: pa.Array, message: str) -> None:
    """Never a silent conversion."""
    with pytest.raises(ValueError, match=message):
        encode_native(pa.record_batch({"v": column}), [("v", clickhouse)], False)


def test_a_missing_column_is_told() -> None:
    """The name is in the message."""
    with pytest.raises(ValueError, match="column w is missing"):
        encode_native(pa.record_batch({"v": pa.array([1])}), [("w", "Int64")], False)
    with pytest.raises(TypeError, match="__arrow_c_array__"):
        encode_native(1, [], False)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a record batch"):
        encode_native(pa.array([1]), [], False)


def test_what_the_database_refuses_is_told_with_its_code(database: Database) -> None:
    """A block for a table that is not there, and one that is cut off: nothing of it is stored, and the next one is."""
    database.command(f"CREATE DATABASE IF NOT EXISTS {database.name}", anywhere=True)
    database.command(f"CREATE OR REPLACE TABLE {database.name}.t (n UInt32, v String) ENGINE = MergeTree ORDER BY n")
    rows = pa.record_batch({"n": pa.array(range(3), pa.uint32()), "v": pa.array(["a", "b", "c"])})
    block = encode_native(rows, [("n", "UInt32"), ("v", "String")], False)
    for table, body in (("missing", block), ("t", block[:-2])):
        with pytest.raises(ClickHouseError) as caught:
            database.insert(table, ["n", "v"], body, compressed=False, settings={})
        assert code_of(caught.value) == (60 if table == "missing" else 33)
    database.insert("t", ["n", "v"], block, compressed=False, settings={"insert_deduplication_token": "it's"})
    assert database.rows(f"SELECT count() AS n FROM {database.name}.t") == [{"n": 3}]
