-- From which version on the rows stand that may be the newest of a session, or of a trace, in this time: any older one has been replaced or
-- lies elsewhere. And how many there are from it on, of how many: what is newer may lie in other times, and is read with them.
WITH
    (SELECT minOrNull(Version) FROM session_rows WHERE Tenant = {tenant:String} AND End >= fromUnixTimestamp64Nano({since:Int64}) AND Start < fromUnixTimestamp64Nano({until:Int64})) AS oldest_session,
    (SELECT minOrNull(Version) FROM session_trace_rows WHERE Tenant = {tenant:String} AND Start >= fromUnixTimestamp64Nano({since:Int64}) AND Start < fromUnixTimestamp64Nano({until:Int64})) AS oldest_trace
SELECT
    oldest_session AS OldestSession, (SELECT count() FROM session_rows WHERE Version >= oldest_session) AS Sessions, (SELECT count() FROM session_rows) AS AllSessions,
    oldest_trace AS OldestTrace, (SELECT count() FROM session_trace_rows WHERE Version >= oldest_trace) AS Traces, (SELECT count() FROM session_trace_rows) AS AllTraces
