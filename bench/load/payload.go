package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
)

// A body is one ExportTraceServiceRequest behind the five bytes that gRPC puts before a message.
type body struct {
	framed []byte
	spans  int64
	marks  marks // where the ids, times and session ids are, for fresh copies
}

const prefix = 5

// readBodies reads what payloads.py wrote: framed requests, one after another.
func readBodies(path string) ([]*body, error) {
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
		b.spans = b.marks.find(b.framed)
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

// find walks the request and gives back how many spans it has.
func (m *marks) find(b []byte) (spans int64) {
	each(b, prefix, len(b), func(field, wire, start, end int) { // resource_spans
		each(b, start, end, func(field, wire, start, end int) {
			if field != 2 || wire != 2 { // scope_spans
				return
			}
			each(b, start, end, func(field, wire, start, end int) {
				if field == 2 && wire == 2 { // span
					spans++
					m.span(b, start, end)
				}
			})
		})
	})
	return spans
}

func (m *marks) span(b []byte, start, end int) {
	each(b, start, end, func(field, wire, start, end int) {
		switch {
		case (field == 1 || field == 2 || field == 4) && end-start >= 8:
			m.ids = append(m.ids, start)
		case (field == 7 || field == 8) && wire == 1:
			m.time(b, start)
		case field == 9 && wire == 2:
			m.attribute(b, start, end)
		case field == 11 && wire == 2: // event
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
