"""The one switch for what is proved about log records before the product does it: these tests go on by themselves."""

from __future__ import annotations

import pytest

from sojourn.schema import SESSION_ROWS

LOGS_IN_SESSIONS = any(column.name == "LogErrors" for column in SESSION_ROWS.columns)
needs_logs = pytest.mark.skipif(not LOGS_IN_SESSIONS, reason="sessions do not read log records yet: session_rows has no column LogErrors")
