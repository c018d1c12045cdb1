"""The ClickHouse HTTP protocol, read-only, over the embedded database."""
