"""What the documents say is true: their examples run, their commands exist, their links lead somewhere, the reference is current."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pytest

from sojourn.cli import main
from sojourn.collector.registry import Installed
from sojourn.component import Batch
from tests.documents import ROOT, Block, blocks, documents, links

PAGES = documents()


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def write_files(page: Path, folder: Path) -> list[Path]:
    """The files that a page tells its reader to write."""
    written = []
    for block in blocks(page):
        if block.note.startswith("file: "):
            written.append(folder / block.note.removeprefix("file: "))
            written[-1].write_text(block.text, encoding="utf-8")
    return written


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [target for target in links(page) if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_configuration_is_valid(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [path for path in write_files(page, tmp_path) if path.suffix == ".yaml"]
    for number, block in enumerate(block for block in blocks(page) if block.note == "check: validate"):
        files.append(tmp_path / f"checked-{number}.yaml")
        files[-1].write_text(block.text, encoding="utf-8")
    for file in files:
        assert main(["validate", "--config", str(file)]) == 0


def commands(block: Block) -> list[list[str]]:
    """The command lines of a block, without the comments behind them."""
    lines = [line.removeprefix("$ ").strip() for line in block.text.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if re.match(r"(sojourn|make) ", line)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_exists(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for block in blocks(page):
        for program, *words in commands(block) if block.language in ("", "sh", "console") else []:
            first = next((word for word in words if not word.startswith("-")), None)
            if program == "make":
                assert first in targets
            elif first and first.isalpha():
                with pytest.raises(SystemExit) as told:
                    main([first, "--help"])
                assert told.value.code == 0, f"sojourn {first}: {capsys.readouterr().err}"


def test_the_reference_is_what_the_program_says() -> None:
    """If this fails: make docs."""
    place = ROOT / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", place)
    assert spec
    assert spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for file, text in generate.pages().items():
        assert (generate.REFERENCE / file).read_text(encoding="utf-8") == text, f"docs/reference/{file} is not current: make docs"


def test_the_first_processor_drops_what_it_says(tmp_path: Path) -> None:
    write_files(ROOT / "docs" / "writing-a-processor.md", tmp_path)
    tidy = Installed().find("processors", "./tidy.py:Tidy", tmp_path)(name="GET /healthz")
    names = pa.array(["GET /healthz", "chat", "GET /healthz"]).dictionary_encode()
    records = pa.record_batch({"SpanName": names, "_fact": pa.array([1, 2, 3])})
    (kept,) = tidy.process(Batch("otel_traces", records))
    assert kept.records.column("_fact").to_pylist() == [2]
    other = Batch("session_rows", records)
    assert list(tidy.process(other)) == [other]


def test_the_tour_names_six_files_that_exist() -> None:
    found = re.findall(r"^\d\. \*\*`([^`]+)`", (ROOT / "docs" / "tour.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) == 6
    assert [path for path in found if not (ROOT / path).exists()] == []
