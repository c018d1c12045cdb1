-- Rows that are replaced by newer ones, never added to: the greatest Version counts, Deleted = 1 says that the thing has vanished.
-- Such a row stays as the newest of its key, so that an older one that comes late does not bring it back.
-- They are told from one another by Version alone: no deduplication window.
-- Trace rows carry previews and are looked up one by one (session_previews): small granules.
CREATE TABLE IF NOT EXISTS $database.session_trace_rows
(
$columns(session_trace_rows),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Version, Deleted)
ORDER BY (Tenant, Project, SessionId, TraceId)
SETTINGS index_granularity = 256, enable_block_number_column = 1, enable_block_offset_column = 1;

CREATE TABLE IF NOT EXISTS $database.session_segment_rows
(
$columns(session_segment_rows),
    INDEX idx_segment Segment TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Version, Deleted)
ORDER BY (Tenant, Project, SessionId, Segment)
SETTINGS index_granularity = 512, enable_block_number_column = 1, enable_block_offset_column = 1;

-- A list shows rows from all over the table: small blocks, so that reading one row does not unpack thousands (half of the time of a page;
-- 2 % of disk). What a group inserts is in blocks of a granule anyway.
CREATE TABLE IF NOT EXISTS $database.session_rows
(
$columns(session_rows),
    INDEX idx_user UserId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_metadata mapValues(Metadata) TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Version, Deleted)
ORDER BY (Tenant, Project, SessionId)
SETTINGS index_granularity = 512, min_compress_block_size = 4096, max_compress_block_size = 65536, enable_block_number_column = 1, enable_block_offset_column = 1;

-- Told at least once: the key is what makes an event the same one; one revision may bring several alerts.
CREATE TABLE IF NOT EXISTS $database.session_event_rows
(
$columns(session_event_rows),
    INDEX idx_time Time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, Project, SessionId, SegmentStart, Revision, Event, if(Event = 'session.alert', Reason, ''))
SETTINGS index_granularity = 1024, enable_block_number_column = 1, enable_block_offset_column = 1;

-- What people said of sessions. It stays when the sessions' rows go: a deleted session is to stay deleted.
CREATE TABLE IF NOT EXISTS $database.session_marks
(
$columns(session_marks)
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY (Tenant, Project, SessionId, Mark, TraceId, Time)
SETTINGS index_granularity = 1024, enable_block_number_column = 1, enable_block_offset_column = 1;
