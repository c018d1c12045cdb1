"""Stands in for the native digest where the core is not built with it yet."""

import hashlib

from sojourn.processors import keeping

try:
    keeping._digest("")
except (ImportError, AttributeError):
    keeping._digest = lambda name: int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
