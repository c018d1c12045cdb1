-- The first of all versions of sessions, in the order of the list: which sessions may stand there (sojourn/web/finding.py). Sorted by the
-- value alone, names are read of the rows that are found, and not of all: a third of the time.
SELECT toString(Project) AS Project, SessionId, {sort:Identifier} AS Value
FROM (SELECT *, InputTokens + OutputTokens AS TotalTokens, nullIf(CostPico, toInt64(-1)) AS KnownPico FROM session_rows)
WHERE Tenant = {tenant:String}
    -- include session_page
ORDER BY {sort:Identifier} DESC NULLS LAST, Project, SessionId -- if descending
ORDER BY {sort:Identifier} ASC NULLS LAST, Project, SessionId -- if ascending
ORDER BY {sort:Identifier} DESC NULLS LAST -- if value_descending
ORDER BY {sort:Identifier} ASC NULLS LAST -- if value_ascending
LIMIT {limit:UInt32}
