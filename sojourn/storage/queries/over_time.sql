-- What came in over time, in buckets from {since} on: sessions by their starts, everything else by the starts of traces. With a group, a
-- session or trace counts in each of its values. Turns are traces that are marked so, or all traces of a session that has no marked ones.
-- The newest rows are those that FINAL finds among all, or the newest from the oldest version on that counts (over_time_oldest.sql), which
-- costs a fraction of it where the time asked for is the last. Sessions are read once: what each adds stands in an array beside it.
-- A line that ends in `-- if NAME` stands only where NAME is asked for.
SELECT
    Bucket,
    Value AS `Group`, -- if group
    countIf(Told.Trace = 0) AS Sessions, sum(Told.Trace) AS Traces, sum(Told.Failed) AS Errors, sum(Told.Input) AS InputTokens, sum(Told.Output) AS OutputTokens,
    InputTokens + OutputTokens AS TotalTokens,
    CAST(if(countIf(Told.Pico >= 0) = 0, NULL, toDecimal128(sumIf(Told.Pico, Told.Pico >= 0), 12) / 1000000000000), 'Nullable(Decimal(38, 12))') AS Cost,
    length(arraySort(groupArrayIf(Told.Wall, Told.Trace = 1 AND NOT ByPrompts AND (Told.Turn > 0 OR AllTurns))) AS Walls) AS Turns,
    Walls[toUInt32(ceil(Turns * 0.5))] AS TurnP50Ns, Walls[toUInt32(ceil(Turns * 0.95))] AS TurnP95Ns, Walls[toUInt32(ceil(Turns * 0.99))] AS TurnP99Ns
FROM
(
    SELECT
        intDiv(toUnixTimestamp64Nano(Told.Start) - {since:Int64}, {bucket:Int64}) AS Bucket, Told, ByPrompts, AllTurns,
        s.Project AS Value -- if group_project
        s.UserId AS Value -- if group_user
        arrayJoin(if(empty(Told.`Values`), [''], Told.`Values`)) AS Value -- if group_service
        arrayJoin(if(empty(Told.`Values`), [''], Told.`Values`)) AS Value -- if group_model
        '' AS Value -- if all
    FROM
    (
        SELECT
            toString(Project) AS Project, SessionId, UserId, Turns > 0 AND FirstTrace = '' AS ByPrompts, Turns = Traces AS AllTurns,
            CAST(Services, 'Array(String)') AS Named, -- if group_service
            CAST(Models, 'Array(String)') AS Named, -- if group_model
            Start
        FROM session_rows FINAL -- if final_sessions
        FROM (SELECT * FROM session_rows WHERE Tenant = {tenant:String} AND Version >= {oldest_session:UInt64} ORDER BY Version DESC LIMIT 1 BY Project, SessionId) -- if newest_sessions
        WHERE Tenant = {tenant:String} AND Deleted = 0
          AND End >= fromUnixTimestamp64Nano({since:Int64}) AND Start < fromUnixTimestamp64Nano({until:Int64})
    -- include session_filters
    ) AS s
    LEFT JOIN
    (
        SELECT
            toString(Project) AS Project, SessionId,
            groupArray((
                Start, 1, Errors, InputTokens, OutputTokens, CostPico,
                greatest(toUnixTimestamp64Nano(End) - toUnixTimestamp64Nano(Start), 0), Turn,
                CAST(Services, 'Array(String)') -- if group_service
                CAST(Models, 'Array(String)') -- if group_model
                '' -- if plain
            )) AS Begun
        FROM session_trace_rows FINAL -- if final_traces
        FROM (SELECT * FROM session_trace_rows WHERE Tenant = {tenant:String} AND Version >= {oldest_trace:UInt64} ORDER BY Version DESC LIMIT 1 BY Project, SessionId, TraceId) -- if newest_traces
        WHERE Tenant = {tenant:String} AND Deleted = 0 AND Spans > 0
          AND Start >= fromUnixTimestamp64Nano({since:Int64}) AND Start < fromUnixTimestamp64Nano({until:Int64})
        GROUP BY Project, SessionId
    ) AS t
    ON s.Project = t.Project AND s.SessionId = t.SessionId
    ARRAY JOIN
        CAST(
            arrayConcat([(
                s.Start, 0, 0, 0, 0, -1, 0, 0,
                s.Named -- if group_service
                s.Named -- if group_model
                '' -- if plain
            )], t.Begun),
            'Array(Tuple(Start DateTime64(9), Trace UInt8, Failed UInt64, Input UInt64, Output UInt64, Pico Int64, Wall UInt64, Turn UInt8, `Values` Array(String)))' -- if group_service
            'Array(Tuple(Start DateTime64(9), Trace UInt8, Failed UInt64, Input UInt64, Output UInt64, Pico Int64, Wall UInt64, Turn UInt8, `Values` Array(String)))' -- if group_model
            'Array(Tuple(Start DateTime64(9), Trace UInt8, Failed UInt64, Input UInt64, Output UInt64, Pico Int64, Wall UInt64, Turn UInt8, `Values` String))' -- if plain
        ) AS Told
    WHERE Told.Start >= fromUnixTimestamp64Nano({since:Int64}) AND Told.Start < fromUnixTimestamp64Nano({until:Int64})
)
GROUP BY Bucket -- if all
GROUP BY Bucket, Value -- if group
ORDER BY Bucket -- if all
ORDER BY Bucket, Value -- if group
LIMIT 100000
