"""One file per mistake: everything that is wrong is said at once, each with its line, its path and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.config.load import load
from sojourn.config.model import read
from sojourn.config.problems import ConfigErrors

from .samples import Samples

HERE = Path(__file__).parents[1] / "wrong_configs"
ENVIRONMENT = {"COUNT": "plenty", "CIRCLE": "${env:CIRCLE}"}


@pytest.mark.parametrize("path", sorted(HERE.glob("*.yaml")), ids=lambda path: path.stem)
def test_mistake_is_told(path: Path) -> None:
    """The message stands beside the file."""
    with pytest.raises(ConfigErrors) as wrong:
        read(load([str(path)], environment=ENVIRONMENT), Samples())
    said = str(wrong.value).replace(f"{HERE}/{path.name}", path.name).replace(str(HERE), "HERE") + "\n"
    assert said == path.with_suffix(".expected").read_text()
    assert "hunter2" not in said
