-- What people query (docs/reference): one row per thing, deduplicated, all collectors together, no FINAL needed.
-- Previews are looked up in a dictionary, because that costs nothing where they are not asked for; a join would cost every query.
CREATE DICTIONARY IF NOT EXISTS $database.session_previews
(
    Tenant String, Project String, SessionId String, TraceId String, Input String, Output String
)
PRIMARY KEY Tenant, Project, SessionId, TraceId
SOURCE(CLICKHOUSE($credentials QUERY 'SELECT Tenant, Project, SessionId, TraceId, Input, Output FROM $database.session_trace_rows FINAL WHERE {condition}'))
LAYOUT(COMPLEX_KEY_DIRECT());

-- Sessions whose turns are the prompts that their log records tell: turns, but no trace that is one. A row of a trace that says `Turn` does
-- not know this of its session, and is not written again for it.
CREATE DICTIONARY IF NOT EXISTS $database.session_prompts
(
    Tenant String, Project String, SessionId String, Turns UInt64
)
PRIMARY KEY Tenant, Project, SessionId
SOURCE(CLICKHOUSE($credentials QUERY 'SELECT Tenant, Project, SessionId, Turns FROM $database.session_rows FINAL WHERE empty(FirstTrace) AND Turns > 0 AND {condition}'))
LAYOUT(COMPLEX_KEY_DIRECT());

CREATE OR REPLACE VIEW $database.sessions AS
SELECT
    r.Tenant AS Tenant, r.Project AS Project, r.SessionId AS SessionId,
$part(session_figures),
    arraySort(CAST(r.Alerts, 'Array(String)')) AS Alerts
FROM $database.session_rows AS r FINAL;

-- All versions of the rows of sessions, for who names the sessions it wants and takes their newest versions itself: for a few sessions that
-- costs half of what FINAL does (sojourn/web/finding.py).
CREATE OR REPLACE VIEW $database.session_versions AS
SELECT
    r.Tenant AS Tenant, r.Project AS Project, r.SessionId AS SessionId,
$part(session_figures),
    arraySort(CAST(r.Alerts, 'Array(String)')) AS Alerts,
    r.FirstTrace AS FirstTrace, r.LastTrace AS LastTrace, r.FirstPrompt AS FirstPrompt, r.LastAnswer AS LastAnswer,
    r.Search AS Search, r.CostPico AS CostPico, nullIf(r.CostPico, toInt64(-1)) AS KnownPico, r.Version AS Version, r.Deleted AS Deleted
FROM $database.session_rows AS r;

-- A session's only segment is the session: it has no row among the segments.
CREATE OR REPLACE VIEW $database.session_segments AS
SELECT
    r.Tenant AS Tenant, r.Project AS Project, r.SessionId AS SessionId, r.Segment AS Segment,
$part(session_figures)
FROM
(
    SELECT $names(session_segment_rows) FROM $database.session_segment_rows FINAL
    UNION ALL
    SELECT $names(session_segment_rows) FROM (SELECT *, toUInt32(0) AS Segment FROM $database.session_rows FINAL WHERE Segments = 1)
) AS r;

-- Only segments behind the first are joined: hardly any session has them.
CREATE OR REPLACE VIEW $database.session_traces AS
SELECT
    r.Tenant AS Tenant, r.Project AS Project, r.SessionId AS SessionId, cut.Segment AS Segment, r.TraceId AS TraceId, r.Name AS Name,
    r.UserId AS UserId, r.Start AS Start, r.End AS End,
    toUInt64(greatest(toUnixTimestamp64Nano(r.End) - toUnixTimestamp64Nano(r.Start), 0)) AS WallNs,
    if(r.Turn = 0, 0, toUInt8(NOT dictHas('$database.session_prompts', (toString(r.Tenant), toString(r.Project), r.SessionId)))) AS Turn,
    r.Status AS Status,
    r.Spans AS Spans, r.Errors AS Errors, r.LlmCalls AS LlmCalls, r.EmbeddingCalls AS EmbeddingCalls, r.ToolCalls AS ToolCalls,
    r.InputTokens AS InputTokens, r.OutputTokens AS OutputTokens, r.CacheReadTokens AS CacheReadTokens,
    r.CacheWriteTokens AS CacheWriteTokens, r.ReasoningTokens AS ReasoningTokens, r.InputTokens + r.OutputTokens AS TotalTokens,
    CAST(if(r.CostPico < 0, NULL, toDecimal128(r.CostPico, 12) / 1000000000000), 'Nullable(Decimal(38, 12))') AS Cost,
    CAST(transform(r.CostSources, [1, 2, 3], ['reported', 'computed', 'mixed'], ''), 'String') AS CostSource,
    arraySort(CAST(r.Services, 'Array(String)')) AS Services,
    arraySort(CAST(r.Models, 'Array(String)')) AS Models,
    arraySort(CAST(r.Tools, 'Array(String)')) AS Tools,
    arrayFilter((name, bit) -> bitAnd(r.Flags, bit) != 0, $flag_names, $flag_bits) AS Flags,
    arraySort(CAST(r.OtherIds, 'Array(String)')) AS OtherIds,
    CAST(mapSort((k, v) -> k, CAST((r.`Measures.Name`, r.`Measures.Value`), 'Map(String, Int64)')), 'Map(String, Int64)') AS Measures,
    r.Input AS Input, r.Output AS Output
FROM (SELECT * FROM $database.session_trace_rows FINAL WHERE Spans > 0) AS r
ASOF LEFT JOIN (SELECT Tenant, Project, SessionId, Segment, Start FROM $database.session_segment_rows FINAL WHERE Segment > 0) AS cut
    ON r.Tenant = cut.Tenant AND r.Project = cut.Project AND r.SessionId = cut.SessionId AND r.Start >= cut.Start;

CREATE OR REPLACE VIEW $database.session_events AS
SELECT Tenant, Time, Project, SessionId, Segment, Revision, Event, Reason, Attributes
FROM $database.session_event_rows FINAL;

-- A copy of a span with another start may lie in another hour, where no merge meets it: the greatest Version is chosen here, behind the
-- join, and by the session too (a trace is in one): so a condition on any of Tenant, TraceId, SpanId, Project and SessionId reaches the
-- tables. LEFT JOIN and not ANY: only that becomes an inner join, with a filter built at run time, when a session is asked for
-- (1M spans: 70 ms of CPU instead of 5 s).
CREATE OR REPLACE VIEW $database.spans AS
SELECT
    r.Timestamp AS Timestamp,
    r.TraceId AS TraceId,
    r.SpanId AS SpanId,
    r.ParentSpanId AS ParentSpanId,
    r.TraceState AS TraceState,
    r.SpanName AS SpanName,
    r.SpanKind AS SpanKind,
    r.ServiceName AS ServiceName,
    r.ResourceAttributes AS ResourceAttributes,
    r.ScopeName AS ScopeName,
    r.ScopeVersion AS ScopeVersion,
    r.SpanAttributes AS SpanAttributes,
    r.Duration AS Duration,
    r.StatusCode AS StatusCode,
    r.StatusMessage AS StatusMessage,
    r.`Events.Timestamp` AS `Events.Timestamp`,
    r.`Events.Name` AS `Events.Name`,
    r.`Events.Attributes` AS `Events.Attributes`,
    r.`Links.TraceId` AS `Links.TraceId`,
    r.`Links.SpanId` AS `Links.SpanId`,
    r.`Links.TraceState` AS `Links.TraceState`,
    r.`Links.Attributes` AS `Links.Attributes`,
    r.Tenant AS Tenant,
    if(bound.SessionId != '', bound.Project, r.Project) AS Project,
    bound.SessionId AS SessionId,
    bound.Segment AS Segment,
    r.IdClass AS IdClass,
    r.Collector AS Collector,
    r.Kind AS Kind,
    r.Model AS Model,
    r.Provider AS Provider,
    r.Tool AS Tool,
    r.UserId AS UserId,
    r.ResponseId AS ResponseId,
    r.InputTokens AS InputTokens,
    r.OutputTokens AS OutputTokens,
    r.CacheReadTokens AS CacheReadTokens,
    r.CacheWriteTokens AS CacheWriteTokens,
    r.ReasoningTokens AS ReasoningTokens,
    CAST(if(r.CostPico < 0, NULL, toDecimal128(r.CostPico, 12) / 1000000000000), 'Nullable(Decimal(38, 12))') AS Cost,
    CAST(transform(r.CostSource, [1, 2], ['reported', 'computed'], ''), 'String') AS CostSource,
    nullIf(r.TimeToFirstTokenNs, 0) AS TimeToFirstTokenNs,
    r.Input AS Input,
    r.Output AS Output,
    r.`Facets.What` AS `Facets.What`,
    r.`Facets.Key` AS `Facets.Key`,
    r.`Facets.Value` AS `Facets.Value`,
    arrayFilter((name, bit) -> bitAnd(r.Flags, bit) != 0, $flag_names, $flag_bits) AS Flags,
    r.Arrival AS Arrival,
    r.Version AS Version
FROM $database.otel_traces AS r
LEFT JOIN $database.session_traces AS bound ON r.Tenant = bound.Tenant AND r.TraceId = bound.TraceId
ORDER BY r.Version DESC
LIMIT 1 BY r.Tenant, r.TraceId, r.SpanId, bound.Project, bound.SessionId;
