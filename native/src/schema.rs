//! Names, bits and packed rows of `sojourn/schema.py`. Written by `python native/generate_schema.py`; do not edit.

/// The columns of `otel_traces` in order, all but `Collector`.
pub const OTEL_TRACES: [&str; 48] = [
    "Timestamp",
    "TraceId",
    "SpanId",
    "ParentSpanId",
    "TraceState",
    "SpanName",
    "SpanKind",
    "ServiceName",
    "ResourceAttributes",
    "ScopeName",
    "ScopeVersion",
    "SpanAttributes",
    "Duration",
    "StatusCode",
    "StatusMessage",
    "Events.Timestamp",
    "Events.Name",
    "Events.Attributes",
    "Links.TraceId",
    "Links.SpanId",
    "Links.TraceState",
    "Links.Attributes",
    "Tenant",
    "Project",
    "SessionId",
    "IdClass",
    "Kind",
    "Model",
    "Provider",
    "Tool",
    "UserId",
    "ResponseId",
    "InputTokens",
    "OutputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "ReasoningTokens",
    "CostPico",
    "CostSource",
    "TimeToFirstTokenNs",
    "Input",
    "Output",
    "Facets.What",
    "Facets.Key",
    "Facets.Value",
    "Flags",
    "Arrival",
    "Version",
];

/// The columns of `otel_logs` in order, all but `Collector`.
pub const OTEL_LOGS: [&str; 44] = [
    "Timestamp",
    "TraceId",
    "SpanId",
    "TraceFlags",
    "SeverityText",
    "SeverityNumber",
    "ServiceName",
    "Body",
    "ResourceSchemaUrl",
    "ResourceAttributes",
    "ScopeSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "LogAttributes",
    "EventName",
    "Tenant",
    "Project",
    "SessionId",
    "IdClass",
    "Event",
    "LogTrace",
    "Kind",
    "Model",
    "Provider",
    "Tool",
    "UserId",
    "ResponseId",
    "InputTokens",
    "OutputTokens",
    "CacheReadTokens",
    "CacheWriteTokens",
    "ReasoningTokens",
    "CostPico",
    "CostSource",
    "TimeToFirstTokenNs",
    "Input",
    "Output",
    "Facets.What",
    "Facets.Key",
    "Facets.Value",
    "Flags",
    "Arrival",
    "Digest",
];

/// The columns of `otel_metrics_gauge` in order, all but `Collector`.
pub const OTEL_METRICS_GAUGE: [&str; 27] = [
    "ResourceAttributes",
    "ResourceSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "ScopeDroppedAttrCount",
    "ScopeSchemaUrl",
    "ServiceName",
    "MetricName",
    "MetricDescription",
    "MetricUnit",
    "Attributes",
    "StartTimeUnix",
    "TimeUnix",
    "Value",
    "Flags",
    "Exemplars.FilteredAttributes",
    "Exemplars.TimeUnix",
    "Exemplars.Value",
    "Exemplars.SpanId",
    "Exemplars.TraceId",
    "Tenant",
    "Project",
    "SessionId",
    "IdClass",
    "Arrival",
    "Digest",
];

/// The columns of `otel_metrics_sum` in order, all but `Collector`.
pub const OTEL_METRICS_SUM: [&str; 29] = [
    "ResourceAttributes",
    "ResourceSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "ScopeDroppedAttrCount",
    "ScopeSchemaUrl",
    "ServiceName",
    "MetricName",
    "MetricDescription",
    "MetricUnit",
    "Attributes",
    "StartTimeUnix",
    "TimeUnix",
    "Value",
    "Flags",
    "Exemplars.FilteredAttributes",
    "Exemplars.TimeUnix",
    "Exemplars.Value",
    "Exemplars.SpanId",
    "Exemplars.TraceId",
    "AggregationTemporality",
    "IsMonotonic",
    "Tenant",
    "Project",
    "SessionId",
    "IdClass",
    "Arrival",
    "Digest",
];

/// The columns of `otel_metrics_histogram` in order, all but `Collector`.
pub const OTEL_METRICS_HISTOGRAM: [&str; 33] = [
    "ResourceAttributes",
    "ResourceSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "ScopeDroppedAttrCount",
    "ScopeSchemaUrl",
    "ServiceName",
    "MetricName",
    "MetricDescription",
    "MetricUnit",
    "Attributes",
    "StartTimeUnix",
    "TimeUnix",
    "Count",
    "Sum",
    "BucketCounts",
    "ExplicitBounds",
    "Exemplars.FilteredAttributes",
    "Exemplars.TimeUnix",
    "Exemplars.Value",
    "Exemplars.SpanId",
    "Exemplars.TraceId",
    "Flags",
    "Min",
    "Max",
    "AggregationTemporality",
    "Tenant",
    "Project",
    "SessionId",
    "IdClass",
    "Arrival",
    "Digest",
];

/// The columns of `otel_metrics_exponential_histogram` in order, all but `Collector`.
pub const OTEL_METRICS_EXPONENTIAL_HISTOGRAM: [&str; 37] = [
    "ResourceAttributes",
    "ResourceSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "ScopeDroppedAttrCount",
    "ScopeSchemaUrl",
    "ServiceName",
    "MetricName",
    "MetricDescription",
    "MetricUnit",
    "Attributes",
    "StartTimeUnix",
    "TimeUnix",
    "Count",
    "Sum",
    "Scale",
    "ZeroCount",
    "PositiveOffset",
    "PositiveBucketCounts",
    "NegativeOffset",
    "NegativeBucketCounts",
    "Exemplars.FilteredAttributes",
    "Exemplars.TimeUnix",
    "Exemplars.Value",
    "Exemplars.SpanId",
    "Exemplars.TraceId",
    "Flags",
    "Min",
    "Max",
    "AggregationTemporality",
    "Tenant",
    "Project",
    "SessionId",
    "IdClass",
    "Arrival",
    "Digest",
];

/// The columns of `otel_metrics_summary` in order, all but `Collector`.
pub const OTEL_METRICS_SUMMARY: [&str; 25] = [
    "ResourceAttributes",
    "ResourceSchemaUrl",
    "ScopeName",
    "ScopeVersion",
    "ScopeAttributes",
    "ScopeDroppedAttrCount",
    "ScopeSchemaUrl",
    "ServiceName",
    "MetricName",
    "MetricDescription",
    "MetricUnit",
    "Attributes",
    "StartTimeUnix",
    "TimeUnix",
    "Count",
    "Sum",
    "ValueAtQuantiles.Quantile",
    "ValueAtQuantiles.Value",
    "Flags",
    "Tenant",
    "Project",
    "SessionId",
    "IdClass",
    "Arrival",
    "Digest",
];

/// Bits of `Fact::flags`.
pub mod flags {
    pub const ERROR: u32 = 1 << 0;
    pub const ROOT: u32 = 1 << 1;
    pub const INPUT: u32 = 1 << 2;
    pub const USAGE: u32 = 1 << 3;
    pub const UNDATED: u32 = 1 << 4;
    pub const RECORD: u32 = 1 << 5;
    pub const PROMPT: u32 = 1 << 6;
    pub const SESSION_START: u32 = 1 << 7;
    pub const SESSION_END: u32 = 1 << 8;
    pub const TRACELESS: u32 = 1 << 10;
    pub const CACHE_BESIDE: u32 = 1 << 11;
    pub const ONLY_MARKS: u32 = 1 << 9;
    pub const BAD_TIME: u32 = 1 << 16;
    pub const CLOCK_SKEW: u32 = 1 << 17;
    pub const TRUNCATED_ID: u32 = 1 << 18;
    pub const TRUNCATED: u32 = 1 << 19;
    pub const LIMITED: u32 = 1 << 20;
    pub const CONFLICTING_IDS: u32 = 1 << 21;
    pub const TOLD_TWICE: u32 = 1 << 22;
    pub const UNPRICED: u32 = 1 << 23;
    pub const CYCLE: u32 = 1 << 24;
    pub const ACTIVITY_AFTER_END: u32 = 1 << 25;
    pub const LATE_DATA: u32 = 1 << 26;
    pub const OVER_TOKENS: u32 = 1 << 27;
    pub const OVER_COST: u32 = 1 << 28;
    pub const OVER_TRACES: u32 = 1 << 29;
    pub const OVER_DURATION: u32 = 1 << 30;
}

/// What a facet says: `Facet::what`.
pub mod facets {
    pub const METADATA: u32 = 1;
    pub const TAG: u32 = 2;
    pub const SESSION_NAME: u32 = 3;
    pub const PROMPT_NAME: u32 = 4;
    pub const PREVIOUS_ID: u32 = 5;
    pub const GAP: u32 = 7;
    pub const MARK: u32 = 6;
    pub const PROMPT: u32 = 8;
    pub const END_MARK: u32 = 9;
    pub const CONTINUED_MARK: u32 = 10;
    pub const TELLING: u32 = 11;
    pub const MUTED: u32 = 12;
    pub const SCORE: u32 = 13;
    pub const SCORE_COUNT: u32 = 14;
    pub const MEASURE: u32 = 15;
    pub const SERVICE: u32 = 16;
    pub const MODEL: u32 = 17;
    pub const PROVIDER: u32 = 18;
    pub const TOOL: u32 = 19;
    pub const OTHER_ID: u32 = 20;
}

/// Facets whose value is a number, not the hash of a text.
pub const NUMBERS: [u32; 3] = [13, 14, 15];

/// Kinds of spans: the index is the code in `Fact::kind`.
pub const KINDS: [&str; 11] = [
    "span",
    "llm",
    "embedding",
    "rerank",
    "tool",
    "agent",
    "chain",
    "retriever",
    "guardrail",
    "evaluator",
    "prompt",
];

/// `Fact::kind` of a span that tells none.
pub const NO_KIND: u8 = 255;

/// One packed row: `schema.FACT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    pub trace: u32,
    pub flags: u32,
    pub kind: u8,
    pub id_class: u8,
    pub cost_source: u8,
    pub spare: u8,
    pub input_tokens: u32,
    pub output_tokens: u32,
    pub cache_read: u32,
    pub cache_write: u32,
    pub reasoning: u32,
    pub span: u64,
    pub parent: u64,
    pub start: i64,
    pub end: i64,
    pub sent_end: u64,
    pub digest: u64,
    pub arrival: i64,
    pub session: u64,
    pub project: u64,
    pub name: u64,
    pub user: u64,
    pub service: u64,
    pub scope: u64,
    pub model: u64,
    pub provider: u64,
    pub tool: u64,
    pub response: u64,
    pub input: u64,
    pub output: u64,
    pub cost: i64,
}

impl Fact {
    pub const SIZE: usize = 192;

    /// The row as it travels: packed, little-endian.
    pub fn pack(&self) -> [u8; Self::SIZE] {
        let mut row = [0; Self::SIZE];
        row[0..4].copy_from_slice(&self.trace.to_le_bytes());
        row[4..8].copy_from_slice(&self.flags.to_le_bytes());
        row[8..9].copy_from_slice(&self.kind.to_le_bytes());
        row[9..10].copy_from_slice(&self.id_class.to_le_bytes());
        row[10..11].copy_from_slice(&self.cost_source.to_le_bytes());
        row[11..12].copy_from_slice(&self.spare.to_le_bytes());
        row[12..16].copy_from_slice(&self.input_tokens.to_le_bytes());
        row[16..20].copy_from_slice(&self.output_tokens.to_le_bytes());
        row[20..24].copy_from_slice(&self.cache_read.to_le_bytes());
        row[24..28].copy_from_slice(&self.cache_write.to_le_bytes());
        row[28..32].copy_from_slice(&self.reasoning.to_le_bytes());
        row[32..40].copy_from_slice(&self.span.to_le_bytes());
        row[40..48].copy_from_slice(&self.parent.to_le_bytes());
        row[48..56].copy_from_slice(&self.start.to_le_bytes());
        row[56..64].copy_from_slice(&self.end.to_le_bytes());
        row[64..72].copy_from_slice(&self.sent_end.to_le_bytes());
        row[72..80].copy_from_slice(&self.digest.to_le_bytes());
        row[80..88].copy_from_slice(&self.arrival.to_le_bytes());
        row[88..96].copy_from_slice(&self.session.to_le_bytes());
        row[96..104].copy_from_slice(&self.project.to_le_bytes());
        row[104..112].copy_from_slice(&self.name.to_le_bytes());
        row[112..120].copy_from_slice(&self.user.to_le_bytes());
        row[120..128].copy_from_slice(&self.service.to_le_bytes());
        row[128..136].copy_from_slice(&self.scope.to_le_bytes());
        row[136..144].copy_from_slice(&self.model.to_le_bytes());
        row[144..152].copy_from_slice(&self.provider.to_le_bytes());
        row[152..160].copy_from_slice(&self.tool.to_le_bytes());
        row[160..168].copy_from_slice(&self.response.to_le_bytes());
        row[168..176].copy_from_slice(&self.input.to_le_bytes());
        row[176..184].copy_from_slice(&self.output.to_le_bytes());
        row[184..192].copy_from_slice(&self.cost.to_le_bytes());
        row
    }
}

/// One packed row: `schema.FACET`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facet {
    pub what: u32,
    pub spare: u32,
    pub key: u64,
    pub value: u64,
}

impl Facet {
    pub const SIZE: usize = 24;

    /// The row as it travels: packed, little-endian.
    pub fn pack(&self) -> [u8; Self::SIZE] {
        let mut row = [0; Self::SIZE];
        row[0..4].copy_from_slice(&self.what.to_le_bytes());
        row[4..8].copy_from_slice(&self.spare.to_le_bytes());
        row[8..16].copy_from_slice(&self.key.to_le_bytes());
        row[16..24].copy_from_slice(&self.value.to_le_bytes());
        row
    }
}
