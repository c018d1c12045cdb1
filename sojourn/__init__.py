"""Sojourn: a session-aware OpenTelemetry Collector. Component authors import from here."""

from sojourn.component import Batch, Component, Exporter, Extension, Host, Processor, Raw, Receiver, Service
from sojourn.config.types import Duration, Endpoint, Secret, Size, Url
from sojourn.errors import ConfigError, Rejected, SojournError, Unavailable

__all__ = [
    "Batch",
    "Component",
    "ConfigError",
    "Duration",
    "Endpoint",
    "Exporter",
    "Extension",
    "Host",
    "Processor",
    "Raw",
    "Receiver",
    "Rejected",
    "Secret",
    "Service",
    "Size",
    "SojournError",
    "Unavailable",
    "Url",
]
