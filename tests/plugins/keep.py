"""An exporter as a user would write it: appends what arrives to a file, and can be told to be away."""

from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from sojourn import Exporter, Unavailable


class Keep(Exporter):
    """Appends a line for every request to a file."""

    raw: ClassVar[bool] = True
    path: Path
    """The file, such as /tmp/kept.txt."""
    away: Path | None = None
    """While this file exists, nothing can be kept."""

    @contextmanager
    def open(self, host):
        yield self

    def export(self, batch):
        if self.away and self.away.exists():
            raise Unavailable("the file is away", 0.05)
        with self.path.open("a") as file:
            file.writelines(f"{batch.signal} {len(request)}\n" for request in batch.requests)
