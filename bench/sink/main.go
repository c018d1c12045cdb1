// Sink swallows what collectors export and counts it, so that a benchmark measures the collector and not a database.
//
//	sink [-clickhouse 127.0.0.1:18123] [-otlp 127.0.0.1:14400] [-delay 300ms]
//
// On the first address it speaks the ClickHouse HTTP protocol: it answers the greetings of clickhouse-connect and clickhouse-go and takes
// inserts in FORMAT Native, plain or compressed, which it walks value by value. On the second it takes OTLP traces over gRPC and HTTP.
// GET /stats on either gives the counts as JSON, GET /reset gives and zeroes them.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"sync"
)

type table struct {
	Rows    int64 `json:"rows"`
	Inserts int64 `json:"inserts"`
	Wire    int64 `json:"wire"` // bytes as sent
	Raw     int64 `json:"raw"`  // bytes before compression
}

// counts is what has arrived since the last reset, by table ("otlp" for exports).
type counts struct {
	sync.Mutex
	Tables  map[string]*table `json:"tables"`
	Queries int64             `json:"queries"`
	Errors  int64             `json:"errors"`
}

func (c *counts) insert(name string, rows int64, wire, raw int) {
	c.Lock()
	defer c.Unlock()
	t := c.Tables[name]
	if t == nil {
		t = &table{}
		c.Tables[name] = t
	}
	t.Rows += rows
	t.Inserts++
	t.Wire += int64(wire)
	t.Raw += int64(raw)
}

func (c *counts) query() { c.Lock(); c.Queries++; c.Unlock() }
func (c *counts) error() { c.Lock(); c.Errors++; c.Unlock() }

// serve answers /stats and /reset; false if the request was for neither.
func (c *counts) serve(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/stats" && r.URL.Path != "/reset" {
		return false
	}
	c.Lock()
	defer c.Unlock()
	json.NewEncoder(w).Encode(c)
	if r.URL.Path == "/reset" {
		c.Tables, c.Queries, c.Errors = map[string]*table{}, 0, 0
	}
	return true
}

func main() {
	clickhouseAddress := flag.String("clickhouse", "127.0.0.1:18123", "where to speak the ClickHouse HTTP protocol")
	otlpAddress := flag.String("otlp", "127.0.0.1:14400", "where to take OTLP, gRPC and HTTP")
	delay := flag.Duration("delay", 0, "how long an insert or export takes at least")
	flag.Parse()
	all := &counts{Tables: map[string]*table{}}
	go func() { log.Fatal(http.ListenAndServe(*clickhouseAddress, &clickhouse{counts: all, delay: *delay})) }()
	server := &http.Server{
		Addr: *otlpAddress, Handler: &otlp{counts: all, delay: *delay}, Protocols: new(http.Protocols),
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 4 << 20, MaxReceiveBufferPerConnection: 16 << 20, MaxReadFrameSize: 1 << 20},
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	log.Fatal(server.ListenAndServe())
}
