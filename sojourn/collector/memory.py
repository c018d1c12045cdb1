"""How the process treats memory, set once when everything runs. Groups of many megabytes come and go every second; left alone, the
allocator gives their pages back each time and faults them in again, and the garbage collector walks everything that is kept.
Together that cost 0.6 µs of CPU per span (measured; see bench/README.md).
"""

from __future__ import annotations

import ctypes
import gc
import re
import sys
from contextlib import suppress
from importlib.machinery import ModuleSpec

MIB = 1024 * 1024
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of mallopt(3)
_DONTNEED = 4  # of madvise(2)
_CODE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \d+ +/")


def keep_allocator_pages() -> None:
    """Tell glibc to keep up to 32 MiB of freed memory, and to serve large blocks from it. Elsewhere: nothing. Call before threads start."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 2)
        mallopt(_MMAP_THRESHOLD, 32 * MIB)
        mallopt(_TRIM_THRESHOLD, 32 * MIB)


def give_pages_back() -> None:
    """Let go of what is free in the allocator. Groups of unlike sizes leave it in pieces: 100 MiB of 250 at 20 000 spans/s (measured).

    Costs a few milliseconds, and as much again when the pages are needed anew: not for every group.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(ctypes.c_size_t(0))


def collect_rarely() -> None:
    """What the start made stays for good; what groups make is freed by reference counts, so cycles need a look only now and then."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def drop_idle_code() -> None:
    """Let go of machine code: what only the start needed is a third of a sidecar's resident memory (54 → 40 MiB), what queries and
    merges of the embedded engine touched now and then 60 MiB.

    Code is never changed, so its pages are read again from the file, usually from the page cache, when something runs there.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        madvise = ctypes.CDLL(None).madvise
        with open("/proc/self/maps") as maps:
            spans = [(int(found[1], 16), int(found[2], 16)) for line in maps if (found := _CODE.match(line))]
        for start, end in spans:
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONTNEED)


def leave_pandas_out() -> None:
    """Keep pyarrow from importing pandas, which it does at the first list it converts, only to see whether the list is a Series.

    That costs 30 MiB and 0.4 CPU-seconds of every start (measured). pyarrow remembers that there is none; `to_pandas()` asks again.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow

    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        pyarrow.array([0])
    finally:
        sys.meta_path.remove(hidden)


class _Hidden:
    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return None
