"""The page, the HTTP API and the ClickHouse protocol."""
