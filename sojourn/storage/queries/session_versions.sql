-- The first of all versions of sessions, in the order of the list: which sessions may stand there (sojourn/web/finding.py).
SELECT toString(Project) AS Project, SessionId, {sort:Identifier} AS Value
FROM (SELECT *, InputTokens + OutputTokens AS TotalTokens, nullIf(CostPico, toInt64(-1)) AS KnownPico FROM session_rows)
WHERE Tenant = {tenant:String}
    -- include session_page
ORDER BY {sort:Identifier} DESC NULLS LAST, Project, SessionId -- if descending
ORDER BY {sort:Identifier} ASC NULLS LAST, Project, SessionId -- if ascending
LIMIT {limit:UInt32}
