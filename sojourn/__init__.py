"""Sojourn: a session-aware OpenTelemetry Collector. Component authors import from here."""

from sojourn.component import Batch, Component, Exporter, Extension, Processor, Raw, Receiver
from sojourn.errors import ConfigError, Rejected, SojournError, Unavailable

__all__ = ["Batch", "Component", "ConfigError", "Exporter", "Extension", "Processor", "Raw", "Receiver", "Rejected", "SojournError", "Unavailable"]
