package main

import (
	"encoding/binary"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-faster/city"
)

const (
	version  = "25.8.1.1"
	revision = 54460
)

// answer says to a query what a client needs in order to go on: who we are, and otherwise that there is nothing.
func answer(w http.ResponseWriter, parameters url.Values, sql string) {
	reply := reply{w: w, squeezed: parameters.Get("compress") == "1"}
	reply.revision, _ = strconv.ParseUint(parameters.Get("client_protocol_version"), 10, 32)
	upper := strings.ToUpper(sql)
	switch {
	case strings.Contains(upper, "DISPLAYNAME()"): // clickhouse-go's greeting
		reply.block([]string{"displayName()", "version()", "revision()", "timezone()"}, []string{"String", "String", "UInt32", "String"},
			[][]string{{"sink"}, {version}, {strconv.Itoa(revision)}, {"UTC"}})
	case strings.HasPrefix(upper, "DESC"):
		reply.describe(columnsOf(sql))
	case strings.Contains(upper, "VERSION()") && strings.Contains(upper, "TIMEZONE()"): // clickhouse-connect's greeting
		w.Write([]byte(version + "\tUTC\n"))
	case strings.Contains(upper, "SYSTEM.SETTINGS"):
		reply.block([]string{"name", "value", "readonly"}, []string{"String", "String", "UInt8"}, [][]string{{"async_insert"}, {"0"}, {"0"}})
	}
}

// A reply is a Native block, bare or in one of ClickHouse's compressed frames.
type reply struct {
	w        http.ResponseWriter
	squeezed bool
	revision uint64
}

func (p reply) describe(columns [][2]string) {
	names := []string{"name", "type", "default_type", "default_expression", "comment", "codec_expression", "ttl_expression"}
	types, values := make([]string, len(names)), make([][]string, len(names))
	for i := range names {
		types[i] = "String"
		for _, column := range columns {
			value := ""
			if i < 2 {
				value = column[i]
			}
			values[i] = append(values[i], value)
		}
	}
	p.block(names, types, values)
}

func (p reply) block(names, types []string, values [][]string) {
	var b []byte
	if p.revision > 0 {
		b = append(b, 1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0) // block info: no overflow, no bucket
	}
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(len(names))), uint64(len(values[0])))
	for i, name := range names {
		b = text(text(b, name), types[i])
		if p.revision >= 54454 {
			b = append(b, 0) // no serialization of its own
		}
		for _, value := range values[i] {
			b = encode(b, types[i], value)
		}
	}
	if p.squeezed {
		b = frame(b)
	}
	p.w.Write(b)
}

func text(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

func encode(b []byte, kind, value string) []byte {
	number, _ := strconv.ParseUint(value, 10, 32)
	switch kind {
	case "UInt8":
		return append(b, byte(number))
	case "UInt32":
		return binary.LittleEndian.AppendUint32(b, uint32(number))
	}
	return text(b, value)
}

// frame puts data into one frame of ClickHouse's own format, method "none": checksum, method, sizes, data.
func frame(data []byte) []byte {
	b := make([]byte, 16, 25+len(data))
	b = append(b, 0x02)
	b = binary.LittleEndian.AppendUint32(b, uint32(9+len(data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	sum := city.CH128(b[16:])
	binary.LittleEndian.PutUint64(b, sum.Low)
	binary.LittleEndian.PutUint64(b[8:], sum.High)
	return b
}
