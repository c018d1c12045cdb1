-- Sessions that are named by `keys`, as they are now, whole, of them those that are asked for, in the order of the list; without what
-- was asked first and answered last (session_texts.sql): looking each up in the dictionary of previews costs most of this. A line that ends in
-- `-- if NAME` stands only where NAME is asked for.
SELECT * EXCEPT (FirstInput, LastOutput, Search, CostPico, KnownPico, Version, Deleted), {sort:Identifier} AS Value
FROM
(
    SELECT *
    FROM session_versions
    WHERE Tenant = {tenant:String} AND (Project, SessionId) IN {keys:Array(Tuple(String, String))}
    ORDER BY Version DESC
    LIMIT 1 BY Project, SessionId
)
WHERE Deleted = 0
    -- include session_page
ORDER BY {sort:Identifier} DESC NULLS LAST, Project, SessionId -- if descending
ORDER BY {sort:Identifier} ASC NULLS LAST, Project, SessionId -- if ascending
LIMIT {limit:UInt32}
