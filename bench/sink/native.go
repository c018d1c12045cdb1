package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
)

// A reader walks ClickHouse Native blocks without keeping anything: it proves that they are well formed and counts their rows.
type reader struct {
	data []byte
	at   int
	err  error
}

var errShort = errors.New("the block ends too early")

// rows walks blocks until the data ends.
func rows(data []byte) (total int64, err error) {
	r := &reader{data: data}
	for r.at < len(data) && r.err == nil {
		columns, n := r.uvarint(), r.uvarint()
		for range columns {
			name := r.text()
			t, err := typeOf(r.text())
			if err != nil {
				return total, fmt.Errorf("column %s: %w", name, err)
			}
			if n > 0 {
				t.prefix(r)
				t.values(r, n)
			}
			if r.err != nil {
				return total, fmt.Errorf("column %s: %w", name, r.err)
			}
		}
		total += int64(n)
	}
	return total, r.err
}

func (r *reader) skip(n uint64) {
	if r.err == nil && n > uint64(len(r.data)-r.at) {
		r.err = errShort
	}
	if r.err == nil {
		r.at += int(n)
	}
}

func (r *reader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	if r.at < len(r.data) && r.data[r.at] < 0x80 { // nearly always
		r.at++
		return uint64(r.data[r.at-1])
	}
	v, n := binary.Uvarint(r.data[r.at:])
	if n <= 0 {
		r.err = errShort
		return 0
	}
	r.at += n
	return v
}

func (r *reader) u64() uint64 {
	r.skip(8)
	if r.err != nil {
		return 0
	}
	return binary.LittleEndian.Uint64(r.data[r.at-8:])
}

func (r *reader) text() string {
	from := r.uvarint()
	start := r.at
	r.skip(from)
	if r.err != nil {
		return ""
	}
	return string(r.data[start:r.at])
}

// A column type knows how its values lie in a block: a prefix once, then the values of all rows.
type columnType interface {
	prefix(r *reader)
	values(r *reader, n uint64)
}

type (
	fixed    uint64 // bytes a value
	str      struct{}
	nullable struct{ of columnType }
	array    struct{ of columnType }
	tuple    []columnType
	coded    struct{ of columnType } // LowCardinality
)

func (fixed) prefix(*reader)                  {}
func (w fixed) values(r *reader, n uint64)    { r.skip(uint64(w) * n) }
func (str) prefix(*reader)                    {}
func (t nullable) prefix(r *reader)           { t.of.prefix(r) }
func (t nullable) values(r *reader, n uint64) { r.skip(n); t.of.values(r, n) }
func (t array) prefix(r *reader)              { t.of.prefix(r) }

func (str) values(r *reader, n uint64) {
	for i := uint64(0); i < n && r.err == nil; i++ {
		r.skip(r.uvarint())
	}
}

func (t array) values(r *reader, n uint64) {
	if n == 0 {
		return
	}
	r.skip(8 * (n - 1))
	t.of.values(r, r.u64()) // the last offset is the number of elements
}

func (t tuple) prefix(r *reader) {
	for _, element := range t {
		element.prefix(r)
	}
}

func (t tuple) values(r *reader, n uint64) {
	for _, element := range t {
		element.values(r, n)
	}
}

func (t coded) prefix(r *reader) { r.skip(8) }

func (t coded) values(r *reader, n uint64) {
	for n > 0 && r.err == nil {
		how := r.u64()
		if how&(1<<9) == 0 {
			r.err = errors.New("a LowCardinality without keys of its own")
			return
		}
		t.of.values(r, r.u64())
		some := r.u64()
		if some == 0 || some > n {
			r.err = errors.New("a LowCardinality with a wrong number of rows")
			return
		}
		r.skip(some << (how & 0xff))
		n -= some
	}
}

var widths = map[string]fixed{
	"Int8": 1, "UInt8": 1, "Bool": 1, "Enum8": 1, "Int16": 2, "UInt16": 2, "Enum16": 2, "Date": 2, "Int32": 4, "UInt32": 4, "Float32": 4,
	"DateTime": 4, "Date32": 4, "IPv4": 4, "Int64": 8, "UInt64": 8, "Float64": 8, "DateTime64": 8, "Int128": 16, "UInt128": 16, "UUID": 16,
	"IPv6": 16, "Int256": 32, "UInt256": 32,
}

var known sync.Map // type text → columnType

func typeOf(text string) (columnType, error) {
	if t, ok := known.Load(text); ok {
		return t.(columnType), nil
	}
	t, err := parse(text)
	if err == nil {
		known.Store(text, t)
	}
	return t, err
}

func parse(text string) (columnType, error) {
	name, inner, composed := strings.Cut(text, "(")
	arguments := split(strings.TrimSuffix(inner, ")"))
	if width, ok := widths[name]; ok {
		return width, nil
	}
	switch name {
	case "String":
		return str{}, nil
	case "FixedString":
		n, err := strconv.ParseUint(arguments[0], 10, 32)
		return fixed(n), err
	case "Decimal":
		return decimal(arguments[0])
	}
	if !composed {
		return nil, fmt.Errorf("unknown type %q", text)
	}
	of := make(tuple, len(arguments))
	for i, argument := range arguments {
		t, err := parse(argument)
		if err != nil && name == "Tuple" { // elements may have names: Tuple(Count UInt64, Sum Int64)
			_, after, _ := strings.Cut(argument, " ")
			t, err = parse(after)
		}
		if err != nil {
			return nil, err
		}
		of[i] = t
	}
	switch name {
	case "Nullable":
		return nullable{of[0]}, nil
	case "Array":
		return array{of[0]}, nil
	case "Map":
		return array{of}, nil
	case "Tuple":
		return of, nil
	case "LowCardinality":
		if inside, ok := of[0].(nullable); ok {
			return coded{inside.of}, nil
		}
		return coded{of[0]}, nil
	}
	return nil, fmt.Errorf("unknown type %q", text)
}

func decimal(precision string) (columnType, error) {
	n, err := strconv.Atoi(precision)
	for _, w := range [][2]int{{9, 4}, {18, 8}, {38, 16}, {math.MaxInt, 32}} {
		if n <= w[0] {
			return fixed(w[1]), err
		}
	}
	return nil, err
}

// split cuts at the commas outside brackets.
func split(text string) (parts []string) {
	depth, from := 0, 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, strings.TrimSpace(text[from:i]))
				from = i + 1
			}
		}
	}
	return append(parts, strings.TrimSpace(text[from:]))
}
