-- The metric series of one session, which are those whose points name it, or what its counters of tokens and money come to, by type.
-- A point counts once, however often it was sent. A counter comes to the sum of its deltas, a cumulative one to every rise since its start;
-- a fall is a start that nobody told. A line that ends in `-- if NAME` stands only where NAME is asked for.
SELECT
    Name, Unit, any(Kind) AS Kind, any(Temporality) AS Temporality, any(Monotonic) AS Monotonic, any(Service) AS Service, any(Scope) AS Scope, -- if series
    any(Attributes) AS Attributes, any(Resource) AS Resource, if(any(Counts), sum(Rise), NULL) AS Total, count() AS PointCount, -- if series
    toString(Series) AS Id, arraySort(groupArrayIf((Time, Digest, Value, Number), Place <= {points:UInt32})) AS Points -- if series
    Name, Unit, Kind, Type, sum(Rise) AS Value -- if totals
FROM
(
    SELECT
        *,
        Monotonic AND Temporality != '' AS Counts,
        coalesce(nullIf(Attributes['type'], ''), nullIf(Attributes['gen_ai.token.type'], ''), Attributes['token_type']) AS Type,
        row_number() OVER (PARTITION BY Series ORDER BY Time DESC, Digest DESC) AS Place,
        lagInFrame(Value) OVER (PARTITION BY Series, Start ORDER BY Time, Digest ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS Before,
        if(Temporality = 'cumulative' AND Value >= Before, Value - Before, Value) AS Step,
        if(isFinite(Step), Step, 0) AS Rise
    FROM
    (
        SELECT
            Kind, MetricName AS Name, MetricUnit AS Unit, ServiceName AS Service, ScopeName AS Scope,
            mapSort(m.Attributes) AS Attributes, mapSort(ResourceAttributes) AS Resource,
            transform(AggregationTemporality, [1, 2], ['delta', 'cumulative'], '') AS Temporality, IsMonotonic AS Monotonic,
            StartTimeUnix AS Start, TimeUnix AS Time, Value, Number, Digest,
            sipHash64(Kind, Name, Unit, Temporality, Monotonic, Scope, ScopeVersion, Attributes, Resource) AS Series
        FROM
        (
            SELECT 'gauge' AS Kind, 0 AS AggregationTemporality, false AS IsMonotonic, Value AS Value, toUInt64(1) AS Number,
                MetricName, MetricUnit, ServiceName, ScopeName, ScopeVersion, Attributes, ResourceAttributes, StartTimeUnix, TimeUnix, Flags, Tenant, Project, SessionId, Digest
            FROM otel_metrics_gauge
            UNION ALL
            SELECT 'sum', AggregationTemporality, IsMonotonic, Value, 1,
                MetricName, MetricUnit, ServiceName, ScopeName, ScopeVersion, Attributes, ResourceAttributes, StartTimeUnix, TimeUnix, Flags, Tenant, Project, SessionId, Digest
            FROM otel_metrics_sum
            UNION ALL
            SELECT 'histogram', AggregationTemporality, true, Sum, Count,
                MetricName, MetricUnit, ServiceName, ScopeName, ScopeVersion, Attributes, ResourceAttributes, StartTimeUnix, TimeUnix, Flags, Tenant, Project, SessionId, Digest
            FROM otel_metrics_histogram
            UNION ALL
            SELECT 'exponential_histogram', AggregationTemporality, true, Sum, Count,
                MetricName, MetricUnit, ServiceName, ScopeName, ScopeVersion, Attributes, ResourceAttributes, StartTimeUnix, TimeUnix, Flags, Tenant, Project, SessionId, Digest
            FROM otel_metrics_exponential_histogram
            UNION ALL
            SELECT 'summary', 2, true, Sum, Count,
                MetricName, MetricUnit, ServiceName, ScopeName, ScopeVersion, Attributes, ResourceAttributes, StartTimeUnix, TimeUnix, Flags, Tenant, Project, SessionId, Digest
            FROM otel_metrics_summary
        ) AS m
        WHERE Tenant = {tenant:String} AND Project = {project:String} AND SessionId = {session:String} AND NOT bitTest(Flags, 0)
        ORDER BY Time
        LIMIT 1 BY Kind, Digest
    )
)
WHERE Counts AND match(Name, {counters:String}) AND NOT match(Name, {no_counters:String}) -- if totals
GROUP BY Name, Unit, Series -- if series
GROUP BY Name, Unit, Kind, Type -- if totals
HAVING (Name, Series) > ({after_name:String}, {after_series:UInt64}) -- if after
ORDER BY Name, Series -- if series
ORDER BY Name, Unit, Kind, Type -- if totals
LIMIT {limit:UInt32}
