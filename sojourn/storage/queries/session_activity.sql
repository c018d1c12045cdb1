-- When the sessions of a list were busy: in which of the equal parts of its time a session had traces, and how many of them with errors.
SELECT Project, SessionId, Part, toUInt32(count()) AS Traces, toUInt32(countIf(Failed)) AS Errors
FROM
(
    SELECT
        t.Project AS Project, t.SessionId AS SessionId, t.Errors > 0 AS Failed,
        toUInt8(least({parts:UInt8} - 1, greatest(0, (toUnixTimestamp64Nano(t.Start) - s.First) / s.Wall * {parts:UInt8}))) AS FirstPart,
        toUInt8(least({parts:UInt8} - 1, greatest(0, (toUnixTimestamp64Nano(t.End) - s.First) / s.Wall * {parts:UInt8}))) AS LastPart,
        arrayJoin(range(FirstPart, LastPart + 1)) AS Part
    FROM
    (
        SELECT Project, SessionId, Start, End, Errors
        FROM session_trace_rows FINAL
        WHERE Tenant = {tenant:String} AND (Project, SessionId) IN {keys:Array(Tuple(String, String))}
    ) AS t
    INNER JOIN
    (
        SELECT Project, SessionId, toUnixTimestamp64Nano(Start) AS First, greatest(WallNs, 1) AS Wall
        FROM session_rows FINAL
        WHERE Tenant = {tenant:String} AND (Project, SessionId) IN {keys:Array(Tuple(String, String))}
    ) AS s
    ON t.Project = s.Project AND t.SessionId = s.SessionId
)
GROUP BY Project, SessionId, Part
ORDER BY Project, SessionId, Part
