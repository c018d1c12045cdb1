"""The engine: from a description to running pipelines. It knows no concrete component."""
