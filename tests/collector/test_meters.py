"""What is counted reads as Prometheus reads it."""

from __future__ import annotations

from sojourn.collector.meters import Meters, labelled


def test_labels_are_escaped_and_added() -> None:
    """A label never breaks the line it stands on."""
    assert labelled("a", {}) == "a"
    assert labelled('a{b="c"}', {"d": 'e"\n\\'}) == 'a{b="c",d="e\\"\\n\\\\"}'


def test_text_has_types_and_values() -> None:
    """Counters, gauges and histograms say what they are."""
    meters = Meters()
    meters.add("x_total", 2, kind="a")
    meters.add("x_total", kind="a")
    meters.took("y_seconds", 0.05)
    meters.ask(lambda: {"z": 1.5}, lane="l")
    lines = meters.text().splitlines()
    assert "# TYPE x_total counter" in lines
    assert 'x_total{kind="a"} 3' in lines
    assert "# TYPE y_seconds histogram" in lines
    assert 'y_seconds_bucket{le="0.02"} 0' in lines
    assert 'y_seconds_bucket{le="0.1"} 1' in lines
    assert 'y_seconds_bucket{le="+Inf"} 1' in lines
    assert "y_seconds_count 1" in lines
    assert "# TYPE z gauge" in lines
    assert 'z{lane="l"} 1.5' in lines
    assert any(line.startswith("otelcol_process_memory_rss ") for line in lines)
