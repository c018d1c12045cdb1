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
    -- include session_page
    AND (Project, SessionId) IN {keys:Array(Tuple(String, String))} -- if keys
    ORDER BY {sort:Identifier} DESC NULLS LAST, Project, SessionId -- if descending
    ORDER BY {sort:Identifier} ASC NULLS LAST, Project, SessionId -- if ascending
    LIMIT {limit:UInt32}
)
ORDER BY {shown:Identifier} DESC NULLS LAST, Project, SessionId -- if descending
ORDER BY {shown:Identifier} ASC NULLS LAST, Project, SessionId -- if ascending
LIMIT {limit:UInt32}
