"""The one switch for what is proved about log records before the product does it: these tests go on by themselves."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

LOGS_IN_SESSIONS = find_spec("sojourn.sessions.telling") is not None
needs_logs = pytest.mark.skipif(not LOGS_IN_SESSIONS, reason="sessions do not read log records yet: no sojourn/sessions/telling.py")
