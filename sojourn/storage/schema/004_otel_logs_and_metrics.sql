-- Log records and metric points as they came. The key ends in the digest of their content, so that whatever is sent again collapses, by
-- merging or with FINAL. The columns begin with those of the contrib exporter; dashboards made for its older table ask for TimestampTime.
CREATE TABLE IF NOT EXISTS $database.otel_logs
(
$columns(otel_logs),
    `TimestampTime` DateTime ALIAS toDateTime(Timestamp),
    `Precedence` UInt64 MATERIALIZED toUInt64(bitNot(toUnixTimestamp64Nano(Arrival)))
        COMMENT 'of equal records the one that arrived first stays: a time that was missing or clamped follows the arrival',
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_trace LogTrace TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_arrival Arrival TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Precedence)
PARTITION BY toDate(Timestamp)
ORDER BY (toStartOfHour(Timestamp), Tenant, ServiceName, TraceId, LogTrace, Digest)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    min_bytes_for_wide_part = 67108864, enable_block_number_column = 1, enable_block_offset_column = 1;

CREATE TABLE IF NOT EXISTS $database.otel_metrics_gauge
(
$columns(otel_metrics_gauge),
    INDEX idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (toStartOfHour(TimeUnix), Tenant, ServiceName, MetricName, Digest)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    min_bytes_for_wide_part = 67108864, enable_block_number_column = 1, enable_block_offset_column = 1;

CREATE TABLE IF NOT EXISTS $database.otel_metrics_sum
(
$columns(otel_metrics_sum),
    INDEX idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (toStartOfHour(TimeUnix), Tenant, ServiceName, MetricName, Digest)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    min_bytes_for_wide_part = 67108864, enable_block_number_column = 1, enable_block_offset_column = 1;

CREATE TABLE IF NOT EXISTS $database.otel_metrics_histogram
(
$columns(otel_metrics_histogram),
    INDEX idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (toStartOfHour(TimeUnix), Tenant, ServiceName, MetricName, Digest)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    min_bytes_for_wide_part = 67108864, enable_block_number_column = 1, enable_block_offset_column = 1;

CREATE TABLE IF NOT EXISTS $database.otel_metrics_exponential_histogram
(
$columns(otel_metrics_exponential_histogram),
    INDEX idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (toStartOfHour(TimeUnix), Tenant, ServiceName, MetricName, Digest)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    min_bytes_for_wide_part = 67108864, enable_block_number_column = 1, enable_block_offset_column = 1;

CREATE TABLE IF NOT EXISTS $database.otel_metrics_summary
(
$columns(otel_metrics_summary),
    INDEX idx_session_id SessionId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (toStartOfHour(TimeUnix), Tenant, ServiceName, MetricName, Digest)
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000,
    min_bytes_for_wide_part = 67108864, enable_block_number_column = 1, enable_block_offset_column = 1;
