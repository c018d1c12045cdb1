"""The domain: pure functions over packed rows; no I/O, no clock, no configuration."""
