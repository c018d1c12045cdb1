-- What came in over time, in buckets from {since} on: sessions by their starts, everything else by the starts of traces. With a group, a
-- session or trace counts in each of its values. Turns are traces that are marked so, or all traces of a session that has no marked ones.
-- A line that ends in `-- if NAME` stands only where NAME is asked for.
WITH chosen AS
(
    SELECT Project, SessionId, UserId, Services, Models, Start, CostPico, Turns > 0 AND FirstTrace = '' AS ByPrompts, Turns = Traces AS AllTurns
    FROM session_rows FINAL
    WHERE Tenant = {tenant:String}
    -- include session_filters
)
SELECT
    Bucket,
    Value AS `Group`, -- if group
    sum(Session) AS Sessions, sum(Trace) AS Traces, sum(Failed) AS Errors, sum(Input) AS InputTokens, sum(Output) AS OutputTokens,
    InputTokens + OutputTokens AS TotalTokens,
    CAST(if(countIf(Pico >= 0) = 0, NULL, toDecimal128(sumIf(Pico, Pico >= 0), 12) / 1000000000000), 'Nullable(Decimal(38, 12))') AS Cost,
    length(arraySort(groupArrayIf(Wall, Turn)) AS Walls) AS Turns,
    Walls[toUInt32(ceil(Turns * 0.5))] AS TurnP50Ns, Walls[toUInt32(ceil(Turns * 0.95))] AS TurnP95Ns, Walls[toUInt32(ceil(Turns * 0.99))] AS TurnP99Ns
FROM
(
    SELECT
        intDiv(toUnixTimestamp64Nano(s.Start) - {since:Int64}, {bucket:Int64}) AS Bucket,
        '' AS Value, -- if all
        toString(s.Project) AS Value, -- if group_project
        s.UserId AS Value, -- if group_user
        arrayJoin(if(empty(s.Services), [''], CAST(s.Services, 'Array(String)'))) AS Value, -- if group_service
        arrayJoin(if(empty(s.Models), [''], CAST(s.Models, 'Array(String)'))) AS Value, -- if group_model
        1 AS Session, 0 AS Trace, toUInt64(0) AS Failed, toUInt64(0) AS Input, toUInt64(0) AS Output, toInt64(-1) AS Pico, toUInt64(0) AS Wall, 0 AS Turn
    FROM chosen AS s
    WHERE s.Start >= fromUnixTimestamp64Nano({since:Int64}) AND s.Start < fromUnixTimestamp64Nano({until:Int64})
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp64Nano(t.Start) - {since:Int64}, {bucket:Int64}),
        '', -- if all
        toString(t.Project), -- if group_project
        s.UserId, -- if group_user
        arrayJoin(if(empty(t.Services), [''], CAST(t.Services, 'Array(String)'))), -- if group_service
        arrayJoin(if(empty(t.Models), [''], CAST(t.Models, 'Array(String)'))), -- if group_model
        0, 1, t.Errors, t.InputTokens, t.OutputTokens, t.CostPico,
        toUInt64(greatest(toUnixTimestamp64Nano(t.End) - toUnixTimestamp64Nano(t.Start), 0)), NOT s.ByPrompts AND (t.Turn > 0 OR s.AllTurns)
    FROM
    (
        SELECT Project, SessionId, Start, End, Errors, InputTokens, OutputTokens, CostPico, Services, Models, Turn
        FROM session_trace_rows FINAL
        WHERE Tenant = {tenant:String} AND Spans > 0
          AND Start >= fromUnixTimestamp64Nano({since:Int64}) AND Start < fromUnixTimestamp64Nano({until:Int64})
    ) AS t
    INNER JOIN chosen AS s ON t.Project = s.Project AND t.SessionId = s.SessionId
)
GROUP BY Bucket -- if all
GROUP BY Bucket, Value -- if group
ORDER BY Bucket -- if all
ORDER BY Bucket, Value -- if group
LIMIT 100000
