-- Conditions of the list of sessions, and where it goes on; on session_rows with KnownPico and TotalTokens.
    -- include session_filters
    AND End >= fromUnixTimestamp64Nano({since:Int64}) -- if since
    AND Start <= fromUnixTimestamp64Nano({until:Int64}) -- if until
    AND ({sort:Identifier} < CAST({after:String}, {after_type:String}) OR {sort:Identifier} IS NULL OR ({sort:Identifier} = CAST({after:String}, {after_type:String}) AND (Project, SessionId) > ({after_project:String}, {after_id:String}))) -- if after_descending
    AND ({sort:Identifier} > CAST({after:String}, {after_type:String}) OR {sort:Identifier} IS NULL OR ({sort:Identifier} = CAST({after:String}, {after_type:String}) AND (Project, SessionId) > ({after_project:String}, {after_id:String}))) -- if after_ascending
    AND {sort:Identifier} IS NULL AND (Project, SessionId) > ({after_project:String}, {after_id:String}) -- if after_unknown
    AND ({sort:Identifier} <= CAST({after:String}, {after_type:String}) OR {sort:Identifier} IS NULL) -- if from_descending
    AND ({sort:Identifier} >= CAST({after:String}, {after_type:String}) OR {sort:Identifier} IS NULL) -- if from_ascending
