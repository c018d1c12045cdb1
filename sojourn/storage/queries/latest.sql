-- A number that grows with whatever changes in the list of sessions, also with what is deleted from it, or in one session. A line that ends in
-- `-- if NAME` stands only where NAME is asked for.
SELECT max(Version) AS Latest -- if session
SELECT greatest(max(Version), (SELECT max(Version) FROM session_marks WHERE Tenant = {tenant:String} AND Mark = 'delete')) AS Latest -- if list
FROM session_rows
WHERE Tenant = {tenant:String}
  AND Project = {project:String} AND SessionId = {session:String} -- if session
