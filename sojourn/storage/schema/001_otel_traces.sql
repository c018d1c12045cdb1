-- Spans as they came. Copies of a span collapse: of those with one start hour by merging, of all others when they are read.
-- The columns begin with those of the contrib exporter, so that dashboards made for it work. Its order by service and its indexes on
-- attributes cost more than twice as much to insert; a trace by id and a range of time are quick with these.
CREATE TABLE IF NOT EXISTS $database.otel_traces
(
$columns(otel_traces),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_arrival Arrival TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Version)
PARTITION BY toDate(Timestamp)
ORDER BY (toStartOfHour(Timestamp), Tenant, TraceId, SpanId)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    min_bytes_for_wide_part = 67108864, enable_block_number_column = 1, enable_block_offset_column = 1;
