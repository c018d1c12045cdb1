-- What bench/looking.py looks at: sessions {first} to {first} + {count}, one every three seconds backwards from now. All have ended: a collector
-- that finds others at its start folds them again from what is stored of them, which is less than their rows say.
INSERT INTO session_rows
    (Project, SessionId, Name, NameSource, UserId, State, Segments, Start, End, WallNs, ActiveNs, Traces, Turns, Spans, Errors, LlmCalls,
     InputTokens, OutputTokens, CostPico, CostSources, Services, Models, Tags, Status, Metadata, Search, Revision, LastSeen, Version, Collector, FirstTrace, LastTrace)
SELECT
    ['shop', 'support', ''][number % 3 + 1], concat('session-', toString(cityHash64(number))) AS id,
    concat('About ', ['parcels', 'jackets', 'boots', 'refunds', 'tents'][number % 5 + 1], ' ', toString(number)) AS name, 'explicit',
    concat('user-', toString(number % 50000)) AS user,
    'ended', 1,
    fromUnixTimestamp64Nano({now:Int64}) - toIntervalSecond(number * 3) - toIntervalNanosecond(cityHash64(number, 5) % 1000000000) AS start, start + toIntervalSecond(seconds) AS end,
    (least(number * 3, cityHash64(number, 1) % 4000) AS seconds) * 1000000000, seconds * 500000000, 3, 3, 30, number % 17 = 0, 5, cityHash64(number, 2) % 100000, cityHash64(number, 3) % 10000,
    toInt64(cityHash64(number, 4) % 5000000000000), 2, [['chat', 'search', 'agent'][number % 3 + 1]],
    [['gpt-5', 'claude-sonnet-4-5'][number % 2 + 1]], ['web'], if(number % 17 = 0, 'error', 'ok'),
    map('plan', ['gold', 'silver'][number % 2 + 1], 'order', toString(number)),
    concat(id, '\n', lower(name), '\n', user, '\nplan=', ['gold', 'silver'][number % 2 + 1], '\norder=', toString(number)), 1, end, toUnixTimestamp64Micro(end), 'bench',
    lower(hex(sipHash128(number, 1))), lower(hex(sipHash128(number, 2)))
FROM numbers({first:UInt64}, {count:UInt64});

-- The first and the last trace of each, with what was asked and answered.
INSERT INTO session_trace_rows (Project, SessionId, TraceId, Name, Start, End, Turn, Status, Spans, CostPico, Input, Output, Version, Collector)
SELECT
    ['shop', 'support', ''][number % 3 + 1], concat('session-', toString(cityHash64(number))), lower(hex(sipHash128(number, arrayJoin([1, 2]) AS place))), 'turn',
    if(place = 1, begun, begun + toIntervalSecond(greatest(seconds, 2) - 2)) AS start, start + toIntervalSecond(least(seconds, 2)) AS end, 1, 'ok', 10, 1000000,
    concat('Where is order ', toString(number), '? It should have been here on Friday.'), concat('Parcel ', toString(number), ' arrives tomorrow.'), toUnixTimestamp64Micro(end), 'bench'
FROM
(
    SELECT
        number, least(number * 3, cityHash64(number, 1) % 4000) AS seconds,
        fromUnixTimestamp64Nano({now:Int64}) - toIntervalSecond(number * 3) - toIntervalNanosecond(cityHash64(number, 5) % 1000000000) AS begun
    FROM numbers({first:UInt64}, {count:UInt64})
);

-- One session of 1000 traces, each of ten spans.
INSERT INTO session_rows (SessionId, Name, State, Segments, Start, End, WallNs, Traces, Turns, Spans, CostPico, Status, Search, FirstTrace, LastTrace, Version)
SELECT
    'large', 'large', 'active', 1, fromUnixTimestamp64Nano({now:Int64}) - toIntervalSecond(59940), fromUnixTimestamp64Nano({now:Int64}) + toIntervalSecond(20) AS end, 59960000000000,
    1000, 1000, 10000, 1000000, 'ok', 'large', leftPad(lower(hex(999)), 32, '0'), leftPad(lower(hex(0)), 32, '0'), toUnixTimestamp64Micro(end);

INSERT INTO session_trace_rows
    (SessionId, TraceId, Name, Start, End, Turn, Status, Spans, InputTokens, OutputTokens, CostPico, Input, Output, Version)
SELECT
    'large', leftPad(lower(hex(number)), 32, '0'), 'turn', fromUnixTimestamp64Nano({now:Int64}) - toIntervalSecond(number * 60) AS start, start + toIntervalSecond(20), 1, 'ok',
    10, 900, 90, 1000000000, repeat('asked ', 60), repeat('answered ', 50), toUnixTimestamp64Micro(start)
FROM numbers(1000);

INSERT INTO otel_traces
    (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, Kind, Model, Duration, StatusCode, InputTokens, OutputTokens, CostPico, Version)
SELECT
    fromUnixTimestamp64Nano({now:Int64}) - toIntervalSecond(intDiv(number, 10) * 60), leftPad(lower(hex(intDiv(number, 10))), 32, '0'), leftPad(lower(hex(number + 1)), 16, '0'),
    if(number % 10 = 0, '', leftPad(lower(hex(number - number % 10 + 1)), 16, '0')), 'chat', if(number % 10 = 0, 'span', 'llm'), 'gpt-5',
    1000000000, 'Unset', 100, 10, 1000, 1
FROM numbers(10000);
