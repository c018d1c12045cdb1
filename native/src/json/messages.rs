//! The messages of OTLP as far as their JSON has to be understood: names, numbers and types of fields.
//!
//! Source: <https://github.com/open-telemetry/opentelemetry-proto>, v1.

/// How a value is written.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Text,
    /// Bytes in hex.
    Id,
    /// Bytes in base64.
    Base64,
    Bool,
    Varint,
    Enum,
    ZigZag,
    Fixed32,
    Fixed64,
    Double,
    Message(&'static Message),
}

pub struct Field {
    pub name: &'static str,
    pub number: u32,
    pub kind: Kind,
    pub repeated: bool,
}

pub struct Message {
    pub name: &'static str,
    pub fields: &'static [Field],
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

const fn one(name: &'static str, number: u32, kind: Kind) -> Field {
    Field {
        name,
        number,
        kind,
        repeated: false,
    }
}

const fn many(name: &'static str, number: u32, kind: Kind) -> Field {
    Field {
        name,
        number,
        kind,
        repeated: true,
    }
}

macro_rules! message {
    ($id:ident, $name:literal, [$($field:expr),* $(,)?]) => {
        pub static $id: Message = Message { name: $name, fields: &[$($field),*] };
    };
}

use Kind::{Base64, Bool, Double, Enum, Fixed32, Fixed64, Id, Message as Of, Text, Varint, ZigZag};

message!(TRACES, "ExportTraceServiceRequest", [many("resourceSpans", 1, Of(&RESOURCE_SPANS))]);
message!(
    RESOURCE_SPANS,
    "ResourceSpans",
    [
        one("resource", 1, Of(&RESOURCE)),
        many("scopeSpans", 2, Of(&SCOPE_SPANS)),
        one("schemaUrl", 3, Text)
    ]
);
message!(
    SCOPE_SPANS,
    "ScopeSpans",
    [one("scope", 1, Of(&SCOPE)), many("spans", 2, Of(&SPAN)), one("schemaUrl", 3, Text)]
);
message!(
    SPAN,
    "Span",
    [
        one("traceId", 1, Id),
        one("spanId", 2, Id),
        one("traceState", 3, Text),
        one("parentSpanId", 4, Id),
        one("name", 5, Text),
        one("kind", 6, Enum),
        one("startTimeUnixNano", 7, Fixed64),
        one("endTimeUnixNano", 8, Fixed64),
        many("attributes", 9, Of(&KEY_VALUE)),
        one("droppedAttributesCount", 10, Varint),
        many("events", 11, Of(&EVENT)),
        one("droppedEventsCount", 12, Varint),
        many("links", 13, Of(&LINK)),
        one("droppedLinksCount", 14, Varint),
        one("status", 15, Of(&STATUS)),
        one("flags", 16, Fixed32),
    ]
);
message!(
    EVENT,
    "Event",
    [
        one("timeUnixNano", 1, Fixed64),
        one("name", 2, Text),
        many("attributes", 3, Of(&KEY_VALUE)),
        one("droppedAttributesCount", 4, Varint),
    ]
);
message!(
    LINK,
    "Link",
    [
        one("traceId", 1, Id),
        one("spanId", 2, Id),
        one("traceState", 3, Text),
        many("attributes", 4, Of(&KEY_VALUE)),
        one("droppedAttributesCount", 5, Varint),
        one("flags", 6, Fixed32),
    ]
);
message!(STATUS, "Status", [one("message", 2, Text), one("code", 3, Enum)]);

message!(
    RESOURCE,
    "Resource",
    [many("attributes", 1, Of(&KEY_VALUE)), one("droppedAttributesCount", 2, Varint)]
);
message!(
    SCOPE,
    "InstrumentationScope",
    [
        one("name", 1, Text),
        one("version", 2, Text),
        many("attributes", 3, Of(&KEY_VALUE)),
        one("droppedAttributesCount", 4, Varint),
    ]
);
message!(KEY_VALUE, "KeyValue", [one("key", 1, Text), one("value", 2, Of(&ANY_VALUE))]);
message!(
    ANY_VALUE,
    "AnyValue",
    [
        one("stringValue", 1, Text),
        one("boolValue", 2, Bool),
        one("intValue", 3, Varint),
        one("doubleValue", 4, Double),
        one("arrayValue", 5, Of(&ARRAY_VALUE)),
        one("kvlistValue", 6, Of(&KEY_VALUE_LIST)),
        one("bytesValue", 7, Base64),
    ]
);
message!(ARRAY_VALUE, "ArrayValue", [many("values", 1, Of(&ANY_VALUE))]);
message!(KEY_VALUE_LIST, "KeyValueList", [many("values", 1, Of(&KEY_VALUE))]);

message!(LOGS, "ExportLogsServiceRequest", [many("resourceLogs", 1, Of(&RESOURCE_LOGS))]);
message!(
    RESOURCE_LOGS,
    "ResourceLogs",
    [
        one("resource", 1, Of(&RESOURCE)),
        many("scopeLogs", 2, Of(&SCOPE_LOGS)),
        one("schemaUrl", 3, Text)
    ]
);
message!(
    SCOPE_LOGS,
    "ScopeLogs",
    [
        one("scope", 1, Of(&SCOPE)),
        many("logRecords", 2, Of(&LOG_RECORD)),
        one("schemaUrl", 3, Text)
    ]
);
message!(
    LOG_RECORD,
    "LogRecord",
    [
        one("timeUnixNano", 1, Fixed64),
        one("severityNumber", 2, Enum),
        one("severityText", 3, Text),
        one("body", 5, Of(&ANY_VALUE)),
        many("attributes", 6, Of(&KEY_VALUE)),
        one("droppedAttributesCount", 7, Varint),
        one("flags", 8, Fixed32),
        one("traceId", 9, Id),
        one("spanId", 10, Id),
        one("observedTimeUnixNano", 11, Fixed64),
        one("eventName", 12, Text),
    ]
);

message!(
    METRICS,
    "ExportMetricsServiceRequest",
    [many("resourceMetrics", 1, Of(&RESOURCE_METRICS))]
);
message!(
    RESOURCE_METRICS,
    "ResourceMetrics",
    [
        one("resource", 1, Of(&RESOURCE)),
        many("scopeMetrics", 2, Of(&SCOPE_METRICS)),
        one("schemaUrl", 3, Text)
    ]
);
message!(
    SCOPE_METRICS,
    "ScopeMetrics",
    [
        one("scope", 1, Of(&SCOPE)),
        many("metrics", 2, Of(&METRIC)),
        one("schemaUrl", 3, Text)
    ]
);
message!(
    METRIC,
    "Metric",
    [
        one("name", 1, Text),
        one("description", 2, Text),
        one("unit", 3, Text),
        one("gauge", 5, Of(&GAUGE)),
        one("sum", 7, Of(&SUM)),
        one("histogram", 9, Of(&HISTOGRAM)),
        one("exponentialHistogram", 10, Of(&EXPONENTIAL_HISTOGRAM)),
        one("summary", 11, Of(&SUMMARY)),
        many("metadata", 12, Of(&KEY_VALUE)),
    ]
);
message!(GAUGE, "Gauge", [many("dataPoints", 1, Of(&NUMBER_POINT))]);
message!(
    SUM,
    "Sum",
    [
        many("dataPoints", 1, Of(&NUMBER_POINT)),
        one("aggregationTemporality", 2, Enum),
        one("isMonotonic", 3, Bool)
    ]
);
message!(
    HISTOGRAM,
    "Histogram",
    [many("dataPoints", 1, Of(&HISTOGRAM_POINT)), one("aggregationTemporality", 2, Enum)]
);
message!(
    EXPONENTIAL_HISTOGRAM,
    "ExponentialHistogram",
    [
        many("dataPoints", 1, Of(&EXPONENTIAL_POINT)),
        one("aggregationTemporality", 2, Enum)
    ]
);
message!(SUMMARY, "Summary", [many("dataPoints", 1, Of(&SUMMARY_POINT))]);
message!(
    NUMBER_POINT,
    "NumberDataPoint",
    [
        one("startTimeUnixNano", 2, Fixed64),
        one("timeUnixNano", 3, Fixed64),
        one("asDouble", 4, Double),
        many("exemplars", 5, Of(&EXEMPLAR)),
        one("asInt", 6, Fixed64),
        many("attributes", 7, Of(&KEY_VALUE)),
        one("flags", 8, Varint),
    ]
);
message!(
    HISTOGRAM_POINT,
    "HistogramDataPoint",
    [
        one("startTimeUnixNano", 2, Fixed64),
        one("timeUnixNano", 3, Fixed64),
        one("count", 4, Fixed64),
        one("sum", 5, Double),
        many("bucketCounts", 6, Fixed64),
        many("explicitBounds", 7, Double),
        many("exemplars", 8, Of(&EXEMPLAR)),
        many("attributes", 9, Of(&KEY_VALUE)),
        one("flags", 10, Varint),
        one("min", 11, Double),
        one("max", 12, Double),
    ]
);
message!(
    EXPONENTIAL_POINT,
    "ExponentialHistogramDataPoint",
    [
        many("attributes", 1, Of(&KEY_VALUE)),
        one("startTimeUnixNano", 2, Fixed64),
        one("timeUnixNano", 3, Fixed64),
        one("count", 4, Fixed64),
        one("sum", 5, Double),
        one("scale", 6, ZigZag),
        one("zeroCount", 7, Fixed64),
        one("positive", 8, Of(&BUCKETS)),
        one("negative", 9, Of(&BUCKETS)),
        one("flags", 10, Varint),
        many("exemplars", 11, Of(&EXEMPLAR)),
        one("min", 12, Double),
        one("max", 13, Double),
        one("zeroThreshold", 14, Double),
    ]
);
message!(BUCKETS, "Buckets", [one("offset", 1, ZigZag), many("bucketCounts", 2, Varint)]);
message!(
    SUMMARY_POINT,
    "SummaryDataPoint",
    [
        one("startTimeUnixNano", 2, Fixed64),
        one("timeUnixNano", 3, Fixed64),
        one("count", 4, Fixed64),
        one("sum", 5, Double),
        many("quantileValues", 6, Of(&QUANTILE)),
        many("attributes", 7, Of(&KEY_VALUE)),
        one("flags", 8, Varint),
    ]
);
message!(QUANTILE, "ValueAtQuantile", [one("quantile", 1, Double), one("value", 2, Double)]);
message!(
    EXEMPLAR,
    "Exemplar",
    [
        one("timeUnixNano", 2, Fixed64),
        one("asDouble", 3, Double),
        one("spanId", 4, Id),
        one("traceId", 5, Id),
        one("asInt", 6, Fixed64),
        many("filteredAttributes", 7, Of(&KEY_VALUE)),
    ]
);

/// The number of an enum value by its name, 0 (unspecified) for a name that is not known.
pub fn enum_value(name: &str) -> u64 {
    match name {
        "SPAN_KIND_INTERNAL" | "STATUS_CODE_OK" | "AGGREGATION_TEMPORALITY_DELTA" => 1,
        "SPAN_KIND_SERVER" | "STATUS_CODE_ERROR" | "AGGREGATION_TEMPORALITY_CUMULATIVE" => 2,
        "SPAN_KIND_CLIENT" => 3,
        "SPAN_KIND_PRODUCER" => 4,
        "SPAN_KIND_CONSUMER" => 5,
        _ => name.strip_prefix("SEVERITY_NUMBER_").map_or(0, severity),
    }
}

/// `TRACE` is 1, `TRACE2` 2, … `FATAL4` 24.
fn severity(name: &str) -> u64 {
    let bare = name.trim_end_matches(['2', '3', '4']);
    let step = name[bare.len()..].parse().unwrap_or(1);
    let level = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
        .iter()
        .position(|known| *known == bare);
    level.filter(|_| step <= 4).map_or(0, |level| 4 * level as u64 + step)
}

#[cfg(test)]
mod tests {
    use super::enum_value;

    #[test]
    fn severities_have_names() {
        let names = ["TRACE", "INFO2", "ERROR", "FATAL4", "FATAL44", "LOUD", ""];
        let found = names.map(|name| enum_value(&format!("SEVERITY_NUMBER_{name}")));
        assert_eq!(found, [1, 10, 17, 24, 0, 0, 0]);
    }
}
