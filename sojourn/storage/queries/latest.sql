-- A number that grows with whatever changes in the list of sessions, or in one session. A line that ends in `-- if NAME` stands only where NAME is asked for.
SELECT max(Version) AS Latest
FROM session_rows
WHERE Tenant = {tenant:String}
  AND Project = {project:String} AND SessionId = {session:String} -- if session
