-- The list of sessions: first which they are, from few columns, then those whole. A line that ends in `-- if NAME` stands only where NAME is
-- asked for.
SELECT *
FROM sessions
WHERE Tenant = {tenant:String} AND (Project, SessionId) IN
(
    SELECT Project, SessionId
    FROM
    (
        SELECT *, InputTokens + OutputTokens AS TotalTokens, nullIf(CostPico, toInt64(-1)) AS KnownPico
        FROM session_rows FINAL
    )
    WHERE Tenant = {tenant:String}
    -- include session_filters
    AND End >= fromUnixTimestamp64Nano({since:Int64}) -- if since
    AND Start <= fromUnixTimestamp64Nano({until:Int64}) -- if until
    AND ({sort:Identifier} < CAST({after:String}, {after_type:String}) OR {sort:Identifier} IS NULL OR ({sort:Identifier} = CAST({after:String}, {after_type:String}) AND (Project, SessionId) > ({after_project:String}, {after_id:String}))) -- if after_descending
    AND ({sort:Identifier} > CAST({after:String}, {after_type:String}) OR {sort:Identifier} IS NULL OR ({sort:Identifier} = CAST({after:String}, {after_type:String}) AND (Project, SessionId) > ({after_project:String}, {after_id:String}))) -- if after_ascending
    AND {sort:Identifier} IS NULL AND (Project, SessionId) > ({after_project:String}, {after_id:String}) -- if after_unknown
    ORDER BY {sort:Identifier} DESC NULLS LAST, Project, SessionId -- if descending
    ORDER BY {sort:Identifier} ASC NULLS LAST, Project, SessionId -- if ascending
    LIMIT {limit:UInt32}
)
ORDER BY {shown:Identifier} DESC NULLS LAST, Project, SessionId -- if descending
ORDER BY {shown:Identifier} ASC NULLS LAST, Project, SessionId -- if ascending
LIMIT {limit:UInt32}
