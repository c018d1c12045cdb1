-- Which sessions are asked for: conditions on session_rows, for statements that say `-- include session_filters`. `holds` keeps whatever
-- `meta` does, and a little more, for a third of the time.
    AND position(Search, lowerUTF8({search:String})) > 0 -- if search
    AND SessionId IN {sessions:Array(String)} -- if sessions
    AND Project = {project:String} -- if project
    AND UserId = {user:String} -- if user
    AND State = {state:String} -- if state
    AND Status = {status:String} -- if status
    AND has(Services, {service:String}) -- if service
    AND has(Models, {model:String}) -- if model
    AND has(Tags, {tag:String}) -- if tag
    AND arrayAll((k, v) -> mapContains(Metadata, k) AND Metadata[k] = v, {meta_keys:Array(String)}, {meta_values:Array(String)}) -- if meta
    AND hasAll(mapValues(Metadata), {meta_values:Array(String)}) -- if holds
    AND CostPico >= {min_cost:Int64} -- if min_cost
    AND InputTokens + OutputTokens >= {min_tokens:UInt64} -- if min_tokens
    AND WallNs >= {min_wall:UInt64} -- if min_wall
