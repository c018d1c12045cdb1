-- Which sessions stand in a list, in its order: of those named by `keys`, or of all. A line that ends in `-- if NAME` stands only where NAME is
-- asked for.
SELECT toString(Project) AS Project, SessionId, {sort:Identifier} AS Value
FROM (SELECT *, InputTokens + OutputTokens AS TotalTokens, nullIf(CostPico, toInt64(-1)) AS KnownPico FROM session_rows FINAL)
WHERE Tenant = {tenant:String}
    AND (Project, SessionId) IN {keys:Array(Tuple(String, String))} -- if keys
    -- include session_page
ORDER BY {sort:Identifier} DESC NULLS LAST, Project, SessionId -- if descending
ORDER BY {sort:Identifier} ASC NULLS LAST, Project, SessionId -- if ascending
LIMIT {limit:UInt32}
