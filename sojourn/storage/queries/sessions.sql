-- The list of sessions. A line that ends in `-- if NAME` stands only where NAME is asked for.
SELECT *
FROM sessions
WHERE Tenant = {tenant:String}
  AND (position(lowerUTF8(SessionId), lowerUTF8({search:String})) > 0 OR position(lowerUTF8(Name), lowerUTF8({search:String})) > 0 OR position(lowerUTF8(UserId), lowerUTF8({search:String})) > 0 OR arrayExists(v -> position(lowerUTF8(v), lowerUTF8({search:String})) > 0, mapValues(Metadata))) -- if search
  AND Project = {project:String} -- if project
  AND UserId = {user:String} -- if user
  AND State = {state:String} -- if state
  AND Status = {status:String} -- if status
  AND has(Services, {service:String}) -- if service
  AND has(Models, {model:String}) -- if model
  AND has(Tags, {tag:String}) -- if tag
  AND arrayAll((k, v) -> mapContains(Metadata, k) AND Metadata[k] = v, {meta_keys:Array(String)}, {meta_values:Array(String)}) -- if meta
  AND End >= fromUnixTimestamp64Nano({since:Int64}) -- if since
  AND Start <= fromUnixTimestamp64Nano({until:Int64}) -- if until
  AND Cost >= toDecimal128({min_cost:String}, 12) -- if min_cost
  AND TotalTokens >= {min_tokens:UInt64} -- if min_tokens
  AND WallNs >= {min_wall:UInt64} -- if min_wall
  AND ({sort:Identifier} < CAST({after:String}, {after_type:String}) OR {sort:Identifier} IS NULL OR ({sort:Identifier} = CAST({after:String}, {after_type:String}) AND (Project, SessionId) > ({after_project:String}, {after_id:String}))) -- if after_descending
  AND ({sort:Identifier} > CAST({after:String}, {after_type:String}) OR {sort:Identifier} IS NULL OR ({sort:Identifier} = CAST({after:String}, {after_type:String}) AND (Project, SessionId) > ({after_project:String}, {after_id:String}))) -- if after_ascending
  AND {sort:Identifier} IS NULL AND (Project, SessionId) > ({after_project:String}, {after_id:String}) -- if after_unknown
ORDER BY {sort:Identifier} DESC NULLS LAST, Project, SessionId -- if descending
ORDER BY {sort:Identifier} ASC NULLS LAST, Project, SessionId -- if ascending
LIMIT {limit:UInt32}
