-- The log records of one session by time, each once, however often it was sent: its own (they name it), else those of its traces, else those
-- whose resource names it (docs/decisions/0012). Keys are found first, by what is indexed; only then whole records are read.
-- A line that ends in `-- if NAME` stands only where NAME is asked for.
SELECT
    Timestamp AS Time, toString(Digest) AS Digest, SeverityText, SeverityNumber, Event, Body, TraceId, SpanId, ServiceName AS Service,
    LogAttributes AS Attributes, ResourceAttributes AS Resource, ScopeName AS Scope, Kind, Model, Tool, Input, Output,
    if(bitTest(Flags, 3), InputTokens, NULL) AS InputTokens, if(bitTest(Flags, 3), OutputTokens, NULL) AS OutputTokens,
    if(bitTest(Flags, 3), CacheReadTokens, NULL) AS CacheReadTokens, if(bitTest(Flags, 3), CacheWriteTokens, NULL) AS CacheWriteTokens,
    if(bitTest(Flags, 3), ReasoningTokens, NULL) AS ReasoningTokens,
    CAST(if(CostPico < 0, NULL, toDecimal128(CostPico, 12) / 1000000000000), 'Nullable(Decimal(38, 12))') AS Cost,
    CAST(bitTest(Flags, 0), 'Bool') AS Error
FROM otel_logs
WHERE Tenant = {tenant:String} AND (toStartOfHour(Timestamp), Timestamp, otel_logs.Digest) IN
(
    SELECT toStartOfHour(min(Timestamp) AS First), First, Digest
    FROM
    (
        SELECT Timestamp, Digest
        FROM otel_logs
        WHERE Tenant = {tenant:String} AND Project = {project:String} AND SessionId = {session:String} AND IdClass < 2
        UNION ALL
        SELECT Timestamp, Digest
        FROM otel_logs
        WHERE Tenant = {tenant:String} AND TraceId != '' AND (SessionId = '' OR IdClass >= 2) AND TraceId IN
        (
            SELECT TraceId
            FROM session_trace_rows FINAL
            WHERE Tenant = {tenant:String} AND Project = {project:String} AND SessionId = {session:String} AND Spans > 0
        )
        UNION ALL
        SELECT Timestamp, Digest
        FROM otel_logs
        WHERE Tenant = {tenant:String} AND Project = {project:String} AND SessionId = {session:String} AND IdClass = 2 AND TraceId NOT IN
        (
            SELECT TraceId
            FROM session_trace_rows FINAL
            WHERE Tenant = {tenant:String} AND Spans > 0 AND TraceId IN
            (
                SELECT TraceId
                FROM otel_logs
                WHERE Tenant = {tenant:String} AND Project = {project:String} AND SessionId = {session:String} AND IdClass = 2 AND TraceId != ''
            )
        )
    )
    GROUP BY Digest
    HAVING (First, Digest) > (fromUnixTimestamp64Nano({after_start:Int64}), {after_digest:UInt64}) -- if after
    ORDER BY First, Digest
    LIMIT {limit:UInt32}
)
ORDER BY Timestamp, otel_logs.Digest
LIMIT 1 BY otel_logs.Digest
