"""Where a configuration comes from: sources, merging, references, and the types of what references give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sojourn.config.expand import Expansion
from sojourn.config.load import built_in, load
from sojourn.config.problems import ConfigErrors, Place
from sojourn.config.tree import Node, parse


def tree(text: str) -> Any:
    return parse(text, Place("test", 1)).plain()


def expanded(text: str, **environment: str) -> Node:
    expansion = Expansion(environment)
    node = expansion.tree(parse(text, Place("test", 1)))
    assert not expansion.problems
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("12:30", "12:30"),
        ("1e3", 1000.0),
        ("0123", 83),
        ("089", 89),
        ("0x1F", 31),
        ("0o17", 15),
        ("-7", -7),
        ("1.5", 1.5),
        (".inf", float("inf")),
        ("2024-01-01", "2024-01-01"),
        ("~", None),
        ("", None),
        ("'7'", "7"),
        ("!!str 7", "7"),
        ("127.0.0.1:4317", "127.0.0.1:4317"),
    ],
)
def test_scalars_are_read_as_the_go_collector_reads_them(text: str, value: object) -> None:
    """A pasted configuration means here what it means there."""
    assert tree(f"a: {text}") == {"a": value}


def test_merge_keys_bring_in_anchors() -> None:
    """`<<` brings in what is not written."""
    assert tree("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}") == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "{a: " * 3000 + "1" + "}" * 3000,
        "a: &a [" + "x," * 1000 + "]\nb: &b [" + "*a," * 1000 + "]\nc: [" + "*b," * 1000 + "]",
        "a: &a [*a]",
        "? [1]\n: 2",
        "a: !!python/object:os.system x",
        "a: \0",
        "a: !!int x",
    ],
)
def test_bad_yaml_is_an_error_and_bounded(text: str) -> None:
    """Nothing that stands in a file crashes or fills the memory."""
    with pytest.raises(ConfigErrors):
        tree(text)


@pytest.mark.parametrize(
    ("text", "value", "kept"),
    [
        ("${env:N}", 83, "0123"),
        ("${N}", 83, "0123"),
        ("x${env:N}y", "x0123y", None),
        ("${env:MISSING:-fallback}", "fallback", "fallback"),
        ("${MISSING:-7}", 7, "7"),
        ("${env:MISSING:-}", None, ""),
        ("${env:MISSING}", None, ""),
        ("${env:LIST}", ["a", 1], "[a, 1]"),
        ("${yaml:[1, 2]}", [1, 2], "[1, 2]"),
        ("${env:${env:INDIRECT}}", 83, "0123"),
        ("${env:CHAIN}", 83, "0123"),
        ("${env:MISSING:-${env:N}}", 83, "0123"),
        ("$$", "$", None),
        ("$${env:N}", "${env:N}", None),
        ("a$$b$c", "a$b$c", None),
        ("${env:ODD}", "@not: : yaml", "@not: : yaml"),
        ("${env:ESCAPED}", "a$b", "a$b"),
    ],
)
def test_reference_gives_value_and_text(text: str, value: object, kept: str | None) -> None:
    """A value that is one reference means what its text means as YAML and keeps the text for keys that want text."""
    environment = {"N": "0123", "LIST": "[a, 1]", "INDIRECT": "N", "CHAIN": "${env:N}", "ODD": "@not: : yaml", "ESCAPED": "a$$b"}
    node = expanded(f"a: '{text}'", **environment).child("a")
    assert node is not None
    assert (node.plain(), node.text) == (value, kept)


def test_references_that_multiply_are_bounded() -> None:
    """References to references that double every time end with an error, not with the memory."""
    environment = {f"N{i}": f"x${{env:N{i + 1}}}${{env:N{i + 1}}}" for i in range(90)}
    for text in ("${env:N0}", "a ${env:N0}"):
        expansion = Expansion(environment)
        expansion.tree(parse(f"a: '{text}'", Place("test", 1)))
        assert "break the circle" in str(expansion.problems[0])


def test_unset_variable_is_empty_and_told() -> None:
    """An unset variable is no error, as in the Collector, but nobody has to search for it."""
    document = load(["yaml:{exporters: {debug: {path: '${env:NOWHERE}'}}}"], environment={})
    assert document.tree.plain()["exporters"] == {"debug": {"path": None}}
    assert "NOWHERE is not set" in document.warnings[0]


def test_file_reference_begins_beside_the_file(tmp_path: Path) -> None:
    """A relative path begins at the file that names it."""
    (tmp_path / "part.yaml").write_text("endpoint: ${env:E}\n")
    (tmp_path / "main.yaml").write_text("exporters:\n  debug: ${file:part.yaml}\n")
    document = load([str(tmp_path / "main.yaml")], environment={"E": "here"})
    assert document.tree.plain() == {"exporters": {"debug": {"endpoint": "here"}}}
    debug = document.tree.child("exporters").child("debug")  # type: ignore[union-attr]
    assert str(debug.place) == f"{tmp_path}/main.yaml:2 (${{file:part.yaml}})"  # type: ignore[union-attr]


def test_later_sources_win(tmp_path: Path) -> None:
    """Maps are merged deeply, lists and scalars are replaced, null wipes, and --set wins over all."""
    (tmp_path / "a.yaml").write_text("a: {x: 1, y: [1, 2], z: {p: 1}}\nb: 1\n")
    sources = [str(tmp_path / "a.yaml"), "env:MORE", "yaml:a::z::q: 2"]
    document = load(sources, ["a.x=7", "c::d.e=[1]", "f=x: y: z", "b="], environment={"MORE": "a: {y: [3], w: 1}\nb: 2"})
    assert document.tree.plain() == {
        "a": {"x": 7, "y": [3], "z": {"p": 1, "q": 2}, "w": 1},
        "b": None,
        "c": {"d.e": [1]},
        "f": "x: y: z",
    }


def test_values_know_their_source() -> None:
    """A value from --set or a variable says so."""
    document = load(["env:MORE"], ["a.x=7"], environment={"MORE": "a:\n  y: 2"})
    a = document.tree.child("a")
    assert a is not None
    assert {key: str(node.place) for key, node in a.children()} == {"x": "--set a.x", "y": "env:MORE:2"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere.yaml", "cannot read the file: No such file"),
        ("env:NOWHERE", "NOWHERE is not set"),
        ("flie:x.yaml", "did you mean file:?"),
        ("https://example.org/x.yaml", "use a path, file:, env: or yaml:"),
        ("yaml:", "is empty"),
    ],
)
def test_wrong_source_is_told(source: str, message: str) -> None:
    """A source that cannot be read is named."""
    with pytest.raises(ConfigErrors, match=r"--config|env:") as wrong:
        load([source], environment={})
    assert message in str(wrong.value)


@pytest.mark.parametrize("setting", ["a.b", "=1", ".a=1", "a..b=1"])
def test_wrong_setting_is_told(setting: str) -> None:
    """--set without a key or a value is refused with an example."""
    with pytest.raises(ConfigErrors, match="is not key=value"):
        load([], [setting], environment={})


def test_every_wrong_source_is_told_at_once() -> None:
    """Two wrong sources and a wrong setting are three messages."""
    with pytest.raises(ConfigErrors) as wrong:
        load(["a.yaml", "b.yaml"], ["c"], environment={})
    assert len(wrong.value.problems) == 3


def test_set_alone_changes_the_built_in_configuration() -> None:
    """Without --config there is something to set keys of; with it the built-in configuration plays no part."""
    assert load([], ["service.flush_rows=5"], environment={}).tree.plain()["service"]["data_dir"] == "./sojourn-data"
    assert load(["yaml:a: 1"], ["b=2"], environment={}).tree.plain() == {"a": 1, "b": 2}
    assert set(built_in().plain()) == {"receivers", "processors", "exporters", "extensions", "service"}
