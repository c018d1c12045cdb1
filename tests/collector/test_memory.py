"""What a running collector does not load."""

from __future__ import annotations

import subprocess
import sys

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
