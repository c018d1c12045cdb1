package main

import (
	"slices"
	"sync"
	"time"
)

// A report counts what became of every request that was begun. Each worker fills its own; they are merged at the end.
type report struct {
	Requests int64            `json:"requests"` // answered with success
	Accepted int64            `json:"accepted"` // spans of those, without the ones that a partial success rejected
	Rejected int64            `json:"rejected"` // spans that a partial success rejected
	Refused  int64            `json:"refused"`  // spans in requests that were answered with an error
	Lost     int64            `json:"lost"`     // spans in requests without an answer
	Bytes    int64            `json:"bytes"`    // of the requests that were answered with success
	Answers  map[string]int64 `json:"answers,omitempty"`
	Wall     float64          `json:"wall"` // seconds from the first request to the last answer
	P50      float64          `json:"p50_ms"`
	P99      float64          `json:"p99_ms"`
	Max      float64          `json:"max_ms"`

	took []time.Duration
}

type ledger struct {
	sync.Mutex
	report
}

func (l *ledger) merge(r *report) {
	l.Lock()
	defer l.Unlock()
	l.Requests += r.Requests
	l.Accepted += r.Accepted
	l.Rejected += r.Rejected
	l.Refused += r.Refused
	l.Lost += r.Lost
	l.Bytes += r.Bytes
	l.took = append(l.took, r.took...)
	for answer, n := range r.Answers {
		l.Answers[answer] += n
	}
}

func (l *ledger) close(wall time.Duration) *report {
	slices.Sort(l.took)
	l.Wall = wall.Seconds()
	l.P50, l.P99, l.Max = l.quantile(.5), l.quantile(.99), l.quantile(1)
	return &l.report
}

func (r *report) quantile(q float64) float64 {
	if len(r.took) == 0 {
		return 0
	}
	return float64(r.took[int(q*float64(len(r.took)-1))].Microseconds()) / 1000
}

// note books one answer: err if there was none, else the status ("0" and "200" are success) and the spans it rejected.
func (r *report) note(spans int64, size int, a answer, took time.Duration) {
	r.took = append(r.took, took)
	switch {
	case a.err != nil:
		r.Lost += spans
		r.Answers[a.err.Error()]++
	case a.ok:
		r.Requests++
		r.Accepted += spans - a.rejected
		r.Rejected += a.rejected
		r.Bytes += int64(size)
	default:
		r.Refused += spans
		r.Answers[a.status]++
	}
}
