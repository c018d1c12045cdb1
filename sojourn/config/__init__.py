"""From YAML to a checked description."""
