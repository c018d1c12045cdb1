"""What a running collector does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from sojourn.collector.memory import leave_pandas_out
leave_pandas_out()
import pyarrow
pyarrow.array(["a"])
assert "pandas" not in sys.modules
assert len(pyarrow.table({"a": [1]}).to_pandas()) == 1
import pandas
assert pyarrow.array(pandas.Series([1, 2])).to_pylist() == [1, 2]
"""


def test_pyarrow_does_not_bring_pandas_in_but_finds_it_when_a_plugin_needs_it() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=120)


SCATTERED = """
from sojourn.collector import memory
memory.keep_allocator_pages()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20
kept = [bytes([n % 255 + 1]) * 100_000 for n in range(1000)]  # written to: untouched pages are not resident
del kept[::2]
before = resident()
memory.give_pages_back()
assert before - resident() > 30, (before, resident())
assert len(kept) == 500
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc is told")
def test_memory_that_groups_left_in_pieces_is_given_back() -> None:
    subprocess.run([sys.executable, "-c", SCATTERED], check=True, timeout=120)
