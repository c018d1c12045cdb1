// Load replays prepared OTLP requests against a collector and counts exactly what became of them.
//
//	load -payload w1.otlp -target 127.0.0.1:14317 [-protocol grpc] [-signal traces] [-connections 4] [-inflight 16] [-seconds 6 | -spans 1000000]
//	     [-rate SPANS_PER_SECOND] [-fresh]
//
// It rotates through all requests of the file, since one repeated body would make compression look free. With -fresh every request gets
// trace, span, parent and session ids and times of its own: collectors that keep sessions or drop duplicates must not be fed copies.
// Every request that was begun is awaited. One line of JSON on standard output: see report.go.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

type load struct {
	bodies  []*body
	rate    float64 // requests a second, 0 = as fast as answers come
	spans   int64   // stop after so many spans, records or points, 0 = no bound
	fresh   bool
	start   time.Time
	end     time.Time
	next    atomic.Int64 // number of the next request
	begun   atomic.Int64 // spans
	ledger  ledger
	patient context.Context // requests under way may outlive the load
}

func main() {
	payload := flag.String("payload", "", "file written by payloads.py")
	target := flag.String("target", "127.0.0.1:4317", "host:port of the collector")
	protocol := flag.String("protocol", "grpc", "grpc or http")
	signal := flag.String("signal", "traces", "traces, logs or metrics: what the payload has")
	connections := flag.Int("connections", 4, "connections")
	inflight := flag.Int("inflight", 16, "requests under way on each connection")
	seconds := flag.Float64("seconds", 6, "how long to send")
	spans := flag.Int64("spans", 0, "stop after so many spans")
	rate := flag.Float64("rate", 0, "spans a second, 0 = as fast as answers come")
	fresh := flag.Bool("fresh", false, "new ids, session ids and times in every request")
	flag.Parse()

	bodies, err := readBodies(*payload, *signal)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	length := time.Duration(*seconds * float64(time.Second))
	patient, cancel := context.WithTimeout(context.Background(), length+time.Minute)
	defer cancel()
	l := &load{
		bodies: bodies, rate: *rate / float64(bodies[0].spans), spans: *spans, fresh: *fresh, patient: patient, start: time.Now(),
		ledger: ledger{report: report{Answers: map[string]int64{}}},
	}
	l.end = l.start.Add(length)
	var workers sync.WaitGroup
	for range *connections {
		c := newClient(*target, *protocol == "grpc", *signal, *inflight)
		for range *inflight {
			workers.Go(func() { l.work(c) })
		}
	}
	workers.Wait()
	json.NewEncoder(os.Stdout).Encode(l.ledger.close(time.Since(l.start)))
}

// work sends one request after another until time or spans are used up.
func (l *load) work(c *client) {
	mine := report{Answers: map[string]int64{}}
	defer l.ledger.merge(&mine)
	var buf []byte
	for {
		number := l.next.Add(1) - 1
		b := l.bodies[int(number)%len(l.bodies)]
		if !l.due(number) || (l.spans > 0 && l.begun.Add(b.spans) > l.spans) {
			return
		}
		framed := b.framed
		if l.fresh {
			now := time.Now().UnixNano()
			buf = b.fresh(buf, uint64(number)+uint64(l.start.UnixNano()), now)
			framed = buf
		}
		sent := time.Now()
		a := c.send(l.patient, framed)
		mine.note(b.spans, len(framed), a, time.Since(sent))
		if a.later || a.err != nil {
			pause(l.patient)
		}
	}
}

// due waits for the moment of the request in rate mode; false when the load is over.
func (l *load) due(number int64) bool {
	if l.rate > 0 {
		due := l.start.Add(time.Duration(float64(number) / l.rate * float64(time.Second)))
		if due.After(l.end) {
			return false
		}
		time.Sleep(time.Until(due))
	}
	return time.Now().Before(l.end)
}
