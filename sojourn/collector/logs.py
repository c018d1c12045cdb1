"""One format for everything the collector says, on stderr."""

from __future__ import annotations

import logging
import time
from typing import Final

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES: Final = {logging.DEBUG: "DEBUG", logging.INFO: "INFO ", logging.WARNING: "WARN ", logging.ERROR: "ERROR", logging.CRITICAL: "ERROR"}


class _Format(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = f"{moment}.{int(record.msecs):03d}Z {_NAMES.get(record.levelno, 'INFO ')} {record.getMessage()}"
        return text if record.exc_info is None else f"{text}\n{self.formatException(record.exc_info)}"


def to_stderr(level: str) -> None:
    """Our own messages from `level` on, those of libraries from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Format())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.WARNING, _LEVELS[level]))
    logging.getLogger("sojourn").setLevel(_LEVELS[level])
