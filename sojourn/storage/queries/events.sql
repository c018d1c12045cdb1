-- Events in the life of sessions, newest first. A line that ends in `-- if NAME` stands only where NAME is asked for.
SELECT *
FROM session_events
WHERE Tenant = {tenant:String}
  AND SessionId = {session:String} -- if session
  AND Project = {project:String} -- if project
  AND Event = {event:String} -- if event
  AND Time >= fromUnixTimestamp64Nano({since:Int64}) -- if since
  AND Reason = {reason:String} -- if reason
  AND (Time, Project, SessionId, Segment, Revision, Event, Reason) < (fromUnixTimestamp64Nano({after_time:Int64}), {after_project:String}, {after_id:String}, {after_segment:UInt32}, {after_revision:UInt64}, {after_event:String}, {after_reason:String}) -- if after
ORDER BY Time DESC, Project DESC, SessionId DESC, Segment DESC, Revision DESC, Event DESC, Reason DESC
LIMIT {limit:UInt32}
