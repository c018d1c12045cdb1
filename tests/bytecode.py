"""Processes that tests start find their modules compiled, also where Python was told to leave nothing beside them: compiling all of ours
takes a second of CPU, and there are hundreds of such processes."""

from __future__ import annotations

import os
from pathlib import Path


def keep() -> None:
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).resolve().parent.parent / ".pytest_cache" / "bytecode"))
