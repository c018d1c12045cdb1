"""Writes native/src/schema.rs from sojourn/schema.py: `python native/generate_schema.py`.

A test compares the committed file with what this makes, so that the two definitions cannot drift apart.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sojourn import schema  # noqa: E402  the repository need not be installed

TARGET = ROOT / "native" / "src" / "schema.rs"
RUST = {"u1": "u8", "<u4": "u32", "<u8": "u64", "<i8": "i64"}


def generate() -> str:
    """The whole file, as rustfmt leaves it."""
    return "\n".join(
        [*_head(), *_columns(), *_flags(), *_facets(), *_kinds(), *_packed("Fact", schema.FACT), *_packed("Facet", schema.FACET)]
    )


def _head() -> Iterator[str]:
    yield "//! Names, bits and packed rows of `sojourn/schema.py`. Written by `python native/generate_schema.py`; do not edit."
    yield ""


def _columns() -> Iterator[str]:
    for table in schema.RECEIVED:
        names = [column.name for column in table.columns if column.name != "Collector"]
        yield f"/// The columns of `{table.name}` in order, all but `Collector`."
        yield f"pub const {table.name.upper()}: [&str; {len(names)}] = ["
        yield from (f'    "{name}",' for name in names)
        yield "];"
        yield ""


def _flags() -> Iterator[str]:
    yield "/// Bits of `Fact::flags`."
    yield "pub mod flags {"
    yield from (f"    pub const {name.upper()}: u32 = 1 << {bit.bit_length() - 1};" for name, bit in schema.FLAGS.items())
    yield "}"
    yield ""


def _facets() -> Iterator[str]:
    yield "/// What a facet says: `Facet::what`."
    yield "pub mod facets {"
    yield from (f"    pub const {name.upper()}: u32 = {code};" for name, code in schema.FACETS.items())
    yield "}"
    yield ""
    yield "/// Facets whose value is a number, not the hash of a text."
    yield f"pub const NUMBERS: [u32; {len(schema.NUMBERS)}] = [{', '.join(map(str, schema.NUMBERS))}];"
    yield ""


def _kinds() -> Iterator[str]:
    yield "/// Kinds of spans: the index is the code in `Fact::kind`."
    yield f"pub const KINDS: [&str; {len(schema.KINDS)}] = ["
    yield from (f'    "{kind}",' for kind in schema.KINDS)
    yield "];"
    yield ""
    yield "/// `Fact::kind` of a span that tells none."
    yield "pub const NO_KIND: u8 = 255;"
    yield ""


def _packed(name: str, fields: tuple[tuple[str, str], ...]) -> Iterator[str]:
    size = sum(int(dtype[-1]) for _, dtype in fields)
    yield f"/// One packed row: `schema.{name.upper()}`."
    yield "#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]"
    yield f"pub struct {name} {{"
    yield from (f"    pub {field}: {RUST[dtype]}," for field, dtype in fields)
    yield "}"
    yield ""
    yield f"impl {name} {{"
    yield f"    pub const SIZE: usize = {size};"
    yield ""
    yield "    /// The row as it travels: packed, little-endian."
    yield "    pub fn pack(&self) -> [u8; Self::SIZE] {"
    yield "        let mut row = [0; Self::SIZE];"
    at = 0
    for field, dtype in fields:
        width = int(dtype[-1])
        yield f"        row[{at}..{at + width}].copy_from_slice(&self.{field}.to_le_bytes());"
        at += width
    yield "        row"
    yield "    }"
    yield "}"
    yield ""


if __name__ == "__main__":
    TARGET.write_text(generate())
