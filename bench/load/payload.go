package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
)

// A body is one Export…ServiceRequest behind the five bytes that gRPC puts before a message.
type body struct {
	framed []byte
	spans  int64 // or records, or points
	marks  marks // where the ids, times and session ids are, for fresh copies
}

const prefix = 5

// readBodies reads what payloads.py wrote: framed requests, one after another.
func readBodies(path, signal string) ([]*body, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var bodies []*body
	for len(data) >= prefix {
		end := prefix + int(binary.BigEndian.Uint32(data[1:]))
		if data[0] != 0 || end > len(data) {
			return nil, errors.New(path + ": not a file of framed requests")
		}
		b := &body{framed: data[:end]}
		b.spans = b.marks.find(b.framed, signal)
		bodies = append(bodies, b)
		data = data[end:]
	}
	if len(bodies) == 0 {
		return nil, errors.New(path + ": no request in it")
	}
	return bodies, nil
}

// marks are offsets into a framed request.
type marks struct {
	ids      []int // eight bytes each: trace id (first half), span id, parent id
	times    []int // fixed64, nanoseconds
	sessions []int // eight hexadecimal digits: the tail of a session id
	first    uint64
}

// A shape says which fields of a span, record or point are what.
type shape struct {
	ids, times, attributes, events uint32 // bits of field numbers
}

// shapes by signal; those of points are by the kind of the metric.
var shapes = map[string]shape{
	"traces": {ids: 1<<1 | 1<<2 | 1<<4, times: 1<<7 | 1<<8, attributes: 1 << 9, events: 1 << 11},
	"logs":   {ids: 1<<9 | 1<<10, times: 1<<1 | 1<<11, attributes: 1 << 6},
}

// points are the shapes of points by the field of a metric that holds them.
var points = map[int]shape{
	5:  {times: 1<<2 | 1<<3, attributes: 1 << 7},
	7:  {times: 1<<2 | 1<<3, attributes: 1 << 7},
	9:  {times: 1<<2 | 1<<3, attributes: 1 << 9},
	10: {times: 1<<2 | 1<<3, attributes: 1 << 1},
	11: {times: 1<<2 | 1<<3, attributes: 1 << 7},
}

// find walks the request and gives back how many spans, records or points it has.
func (m *marks) find(b []byte, signal string) (items int64) {
	each(b, prefix, len(b), func(field, wire, start, end int) { // resource_spans
		each(b, start, end, func(field, wire, start, end int) {
			if field != 2 || wire != 2 { // scope_spans
				return
			}
			each(b, start, end, func(field, wire, start, end int) {
				switch {
				case field != 2 || wire != 2:
				case signal == "metrics":
					items += m.metric(b, start, end)
				default:
					items++
					m.item(b, start, end, shapes[signal])
				}
			})
		})
	})
	return items
}

func (m *marks) metric(b []byte, start, end int) (items int64) {
	each(b, start, end, func(field, wire, start, end int) {
		shape, ok := points[field]
		if !ok || wire != 2 {
			return
		}
		each(b, start, end, func(field, wire, start, end int) {
			if field == 1 && wire == 2 {
				items++
				m.item(b, start, end, shape)
			}
		})
	})
	return items
}

func (m *marks) item(b []byte, start, end int, s shape) {
	each(b, start, end, func(field, wire, start, end int) {
		bit := uint32(1) << (field & 31)
		switch {
		case s.ids&bit != 0 && end-start >= 8:
			m.ids = append(m.ids, start)
		case s.times&bit != 0 && wire == 1:
			m.time(b, start)
		case s.attributes&bit != 0 && wire == 2:
			m.attribute(b, start, end)
		case s.events&bit != 0 && wire == 2:
			each(b, start, end, func(field, wire, start, end int) {
				if field == 1 && wire == 1 {
					m.time(b, start)
				}
			})
		}
	})
}

func (m *marks) time(b []byte, at int) {
	if m.first == 0 {
		m.first = binary.LittleEndian.Uint64(b[at:])
	}
	m.times = append(m.times, at)
}

var sessionKeys = [][]byte{[]byte("session.id"), []byte("gen_ai.conversation.id")}

func (m *marks) attribute(b []byte, start, end int) {
	isSession := false
	each(b, start, end, func(field, wire, start, end int) {
		switch field {
		case 1:
			for _, key := range sessionKeys {
				isSession = isSession || bytes.Equal(b[start:end], key)
			}
		case 2:
			if isSession && end-start > 10 {
				m.sessions = append(m.sessions, end-8)
			}
		}
	})
}

// each calls f for every field of the message in b[from:to].
func each(b []byte, from, to int, f func(field, wire, start, end int)) {
	for p := from; p < to; {
		key, n := binary.Uvarint(b[p:to])
		if n <= 0 {
			return
		}
		p += n
		start, end := p, p
		switch key & 7 {
		case 0:
			_, n = binary.Uvarint(b[p:to])
			end = p + n
		case 1:
			end = p + 8
		case 2:
			length, n := binary.Uvarint(b[p:to])
			start = p + n
			end = start + int(length)
		case 5:
			end = p + 4
		default:
			return
		}
		if end <= p || end > to {
			return
		}
		f(int(key>>3), int(key&7), start, end)
		p = end
	}
}

// fresh copies the request into buf with ids, session ids and times that no other request has: parents still point at their children's
// parents, and the first span starts now.
func (b *body) fresh(buf []byte, number uint64, now int64) []byte {
	buf = append(buf[:0], b.framed...)
	mask := number * 0x9e3779b97f4a7c15
	for _, at := range b.marks.ids {
		binary.LittleEndian.PutUint64(buf[at:], binary.LittleEndian.Uint64(buf[at:])^mask)
	}
	shift := uint64(now) - b.marks.first
	for _, at := range b.marks.times {
		binary.LittleEndian.PutUint64(buf[at:], binary.LittleEndian.Uint64(buf[at:])+shift)
	}
	for _, at := range b.marks.sessions {
		for i := range 8 {
			buf[at+i] = hexXor(buf[at+i], byte(mask>>(8+4*i))&15)
		}
	}
	return buf
}

func hexXor(digit, mask byte) byte {
	value := digit - '0'
	if digit >= 'a' {
		value = digit - 'a' + 10
	}
	return "0123456789abcdef"[(value^mask)&15]
}
