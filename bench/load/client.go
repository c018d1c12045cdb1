package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"time"
)

var exportPaths = map[string]string{
	"traces":  "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	"logs":    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
	"metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

// An answer is what one request came back with.
type answer struct {
	ok       bool
	status   string
	rejected int64
	later    bool // the collector asks to come back
	err      error
}

// A client is one connection (gRPC) or one pool of kept-alive connections (HTTP).
type client struct {
	http   *http.Client
	url    string
	grpc   bool
	signal string
}

func newClient(target string, grpc bool, signal string, inflight int) *client {
	transport := &http.Transport{
		Protocols: new(http.Protocols), DisableCompression: true, MaxIdleConnsPerHost: inflight,
		WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10,
	}
	if grpc {
		transport.Protocols.SetUnencryptedHTTP2(true)
	} else {
		transport.Protocols.SetHTTP1(true)
	}
	return &client{http: &http.Client{Transport: transport}, url: "http://" + target, grpc: grpc, signal: signal}
}

func (c *client) send(ctx context.Context, framed []byte) answer {
	path, payload, kind := exportPaths[c.signal], framed, "application/grpc"
	if !c.grpc {
		path, payload, kind = "/v1/"+c.signal, framed[prefix:], "application/x-protobuf"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(payload))
	if err != nil {
		return answer{err: err}
	}
	request.Header.Set("Content-Type", kind)
	if c.grpc {
		request.Header.Set("Te", "trailers")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{err: err}
	}
	if c.grpc {
		return grpcAnswer(response, said)
	}
	return answer{
		ok: response.StatusCode == 200, status: response.Status, rejected: rejectedSpans(said),
		later: response.StatusCode == 429 || response.StatusCode == 503,
	}
}

func grpcAnswer(response *http.Response, said []byte) answer {
	status, message := response.Trailer.Get("Grpc-Status"), response.Trailer.Get("Grpc-Message")
	if status == "" { // trailers only: they came as headers
		status, message = response.Header.Get("Grpc-Status"), response.Header.Get("Grpc-Message")
	}
	if len(said) > prefix {
		said = said[prefix:]
	} else {
		said = nil
	}
	return answer{
		ok: status == "0", status: "grpc " + status + " " + message, rejected: rejectedSpans(said),
		later: status == "14" || status == "8",
	}
}

// rejectedSpans reads partial_success.rejected_spans of an ExportTraceServiceResponse; the other signals have the same numbers.
func rejectedSpans(said []byte) (n int64) {
	each(said, 0, len(said), func(field, wire, start, end int) {
		if field != 1 || wire != 2 {
			return
		}
		each(said, start, end, func(field, wire, start, end int) {
			if field == 1 && wire == 0 {
				v, _ := binary.Uvarint(said[start:end])
				n = int64(v)
			}
		})
	})
	return n
}

// pause waits out a "later", unless the time is up anyway.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}
