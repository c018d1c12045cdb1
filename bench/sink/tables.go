package main

import "strings"

const (
	attributes = "Map(LowCardinality(String), String)"
	code       = "LowCardinality(String)"
	moment     = "DateTime64(9)"
)

// contrib are the columns that the Go collector asks for before it inserts, by table.
var contrib = map[string][][2]string{
	"otel_traces": {
		{"Timestamp", moment}, {"TraceId", "String"}, {"SpanId", "String"}, {"ParentSpanId", "String"}, {"TraceState", "String"},
		{"SpanName", code}, {"SpanKind", code}, {"ServiceName", code}, {"ResourceAttributes", attributes}, {"ScopeName", "String"},
		{"ScopeVersion", "String"}, {"SpanAttributes", attributes}, {"Duration", "UInt64"}, {"StatusCode", code}, {"StatusMessage", "String"},
		{"Events.Timestamp", "Array(" + moment + ")"}, {"Events.Name", "Array(" + code + ")"}, {"Events.Attributes", "Array(" + attributes + ")"},
		{"Links.TraceId", "Array(String)"}, {"Links.SpanId", "Array(String)"}, {"Links.TraceState", "Array(String)"},
		{"Links.Attributes", "Array(" + attributes + ")"},
	},
	"otel_logs": {
		{"Timestamp", moment}, {"TraceId", "String"}, {"SpanId", "String"}, {"TraceFlags", "UInt8"}, {"SeverityText", code},
		{"SeverityNumber", "UInt8"}, {"ServiceName", code}, {"Body", "String"}, {"ResourceSchemaUrl", code}, {"ResourceAttributes", attributes},
		{"ScopeSchemaUrl", code}, {"ScopeName", "String"}, {"ScopeVersion", code}, {"ScopeAttributes", attributes}, {"LogAttributes", attributes},
		{"EventName", "String"},
	},
	"otel_metrics_gauge":     series([][2]string{{"Value", "Float64"}}, exemplars),
	"otel_metrics_sum":       series([][2]string{{"Value", "Float64"}}, exemplars, temporality, [][2]string{{"IsMonotonic", "Bool"}}),
	"otel_metrics_histogram": series(summed, [][2]string{{"BucketCounts", "Array(UInt64)"}, {"ExplicitBounds", "Array(Float64)"}}, spread, exemplars, temporality),
	"otel_metrics_summary": series(summed, [][2]string{
		{"ValueAtQuantiles.Quantile", "Array(Float64)"}, {"ValueAtQuantiles.Value", "Array(Float64)"},
	}),
	"otel_metrics_exp": series(summed, [][2]string{
		{"Scale", "Int32"}, {"ZeroCount", "UInt64"}, {"PositiveOffset", "Int32"}, {"PositiveBucketCounts", "Array(UInt64)"},
		{"NegativeOffset", "Int32"}, {"NegativeBucketCounts", "Array(UInt64)"},
	}, spread, exemplars, temporality),
}

var (
	summed      = [][2]string{{"Count", "UInt64"}, {"Sum", "Float64"}}
	spread      = [][2]string{{"Min", "Float64"}, {"Max", "Float64"}}
	temporality = [][2]string{{"AggregationTemporality", "Int32"}}
	exemplars   = [][2]string{
		{"Exemplars.FilteredAttributes", "Array(" + attributes + ")"}, {"Exemplars.TimeUnix", "Array(" + moment + ")"},
		{"Exemplars.Value", "Array(Float64)"}, {"Exemplars.SpanId", "Array(String)"}, {"Exemplars.TraceId", "Array(String)"},
	}
)

// series are the columns of a table of metric points.
func series(own ...[][2]string) [][2]string {
	columns := [][2]string{
		{"ResourceAttributes", attributes}, {"ResourceSchemaUrl", "String"}, {"ScopeName", "String"}, {"ScopeVersion", "String"},
		{"ScopeAttributes", attributes}, {"ScopeDroppedAttrCount", "UInt32"}, {"ScopeSchemaUrl", "String"}, {"ServiceName", code},
		{"MetricName", "String"}, {"MetricDescription", "String"}, {"MetricUnit", "String"}, {"Attributes", attributes},
		{"StartTimeUnix", moment}, {"TimeUnix", moment}, {"Flags", "UInt32"},
	}
	for _, more := range own {
		columns = append(columns, more...)
	}
	return columns
}

// columnsOf finds the table in a statement: the longest name that is in it.
func columnsOf(sql string) (columns [][2]string) {
	longest := ""
	for name, of := range contrib {
		if strings.Contains(sql, name) && len(name) > len(longest) {
			longest, columns = name, of
		}
	}
	return columns
}
