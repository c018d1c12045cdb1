-- When the sessions of a list were busy: in which of the equal parts of its time a session had traces, and how many of them with errors.
-- Each session is named with when it began and how long it lasted, in nanoseconds.
SELECT Project, SessionId, Part, toUInt32(count()) AS Traces, toUInt32(countIf(Errors > 0)) AS Errors
FROM
(
    SELECT
        t.Project AS Project, t.SessionId AS SessionId, t.Errors AS Errors,
        toUInt8(least({parts:UInt8} - 1, greatest(0, (toUnixTimestamp64Nano(t.Start) - s.First) / s.Wall * {parts:UInt8}))) AS FirstPart,
        toUInt8(least({parts:UInt8} - 1, greatest(0, (toUnixTimestamp64Nano(t.End) - s.First) / s.Wall * {parts:UInt8}))) AS LastPart,
        arrayJoin(range(FirstPart, LastPart + 1)) AS Part
    FROM
    (
        SELECT toString(Project) AS Project, SessionId, Start, End, Errors, Deleted
        FROM session_trace_rows
        WHERE Tenant = {tenant:String} AND (Project, SessionId) IN {keys:Array(Tuple(String, String))}
        ORDER BY Version DESC
        LIMIT 1 BY Project, SessionId, TraceId
    ) AS t
    INNER JOIN
    (
        SELECT named.1.1 AS Project, named.1.2 AS SessionId, named.2 AS First, greatest(named.3, 1) AS Wall
        FROM (SELECT arrayJoin(arrayZip({keys:Array(Tuple(String, String))}, {starts:Array(Int64)}, {walls:Array(UInt64)})) AS named)
    ) AS s
    ON t.Project = s.Project AND t.SessionId = s.SessionId
    WHERE t.Deleted = 0
)
GROUP BY Project, SessionId, Part
ORDER BY Project, SessionId, Part
