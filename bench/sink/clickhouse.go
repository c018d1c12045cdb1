package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/pierrec/lz4/v4"
)

// clickhouse takes inserts in FORMAT Native and answers every other query in a way that clients can live with.
type clickhouse struct {
	counts *counts
	delay  time.Duration // a slow database: how long an insert takes at least
}

var (
	into    = regexp.MustCompile("(?is)^\\s*INSERT\\s+INTO\\s+(?:TABLE\\s+)?([^\\s(]+)")
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	native  = regexp.MustCompile(`(?i)FORMAT\s+Native\s*$`)
	marker  = []byte("FORMAT Native\n")
)

func (c *clickhouse) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	if c.counts.serve(w, r) {
		return
	}
	sent, plain := buffers.Get().(*bytes.Buffer), buffers.Get().(*bytes.Buffer)
	defer buffers.Put(sent)
	defer buffers.Put(plain)
	sent.Reset()
	plain.Reset()
	if _, err := sent.ReadFrom(r.Body); err != nil {
		c.refuse(w, "the request broke off", err)
		return
	}
	parameters := r.URL.Query()
	if err := unpack(plain, sent.Bytes(), r.Header.Get("Content-Encoding"), parameters.Get("decompress") == "1"); err != nil {
		c.refuse(w, "cannot decompress", err)
		return
	}
	sql, data := parameters.Get("query"), plain.Bytes()
	if at := bytes.Index(data[:min(len(data), 8192)], marker); at >= 0 && !strings.Contains(sql, "INSERT") {
		sql, data = string(data[:at+len(marker)]), data[at+len(marker):] // statement and blocks came together
	} else if sql == "" {
		sql = string(data)
	}
	table := into.FindStringSubmatch(sql)
	if table == nil || !native.MatchString(sql) { // statements with VALUES are the collector's own bookkeeping
		c.counts.query()
		answer(w, parameters, strings.TrimSpace(sql))
		return
	}
	n, err := rows(data)
	if err != nil {
		c.refuse(w, "cannot read the insert into "+table[1], err)
		return
	}
	time.Sleep(c.delay - time.Since(begun))
	c.counts.insert(bare(table[1]), n, sent.Len(), len(data))
}

func (c *clickhouse) refuse(w http.ResponseWriter, what string, err error) {
	c.counts.error()
	log.Println("sink:", what+":", err)
	w.Header().Set("X-ClickHouse-Exception-Code", "27")
	http.Error(w, "Code: 27. DB::Exception: "+what+": "+err.Error(), http.StatusBadRequest)
}

// bare is the name of the table without database and quotes.
func bare(name string) string {
	name = strings.ReplaceAll(name, "`", "")
	return strings.Trim(name[strings.LastIndex(name, ".")+1:], "\"")
}

// unpack undoes what the client did to the body: content encoding, or frames of ClickHouse's own format.
func unpack(into *bytes.Buffer, data []byte, encoding string, frames bool) (err error) {
	switch {
	case frames:
		return unframe(into, data)
	case encoding == "lz4":
		z := lz4s.Get().(*lz4.Reader)
		defer lz4s.Put(z)
		z.Reset(bytes.NewReader(data))
		_, err = into.ReadFrom(z)
	case encoding == "gzip":
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return err
		}
		_, err = into.ReadFrom(z)
		return err
	case encoding == "":
		_, err = into.Write(data)
	default:
		return errors.New("unknown encoding " + encoding)
	}
	return err
}

var lz4s = sync.Pool{New: func() any { return lz4.NewReader(nil) }}

func unframe(into *bytes.Buffer, data []byte) error {
	for len(data) >= 25 {
		method, packed, size := data[16], int(binary.LittleEndian.Uint32(data[17:])), int(binary.LittleEndian.Uint32(data[21:]))
		if packed < 9 || 16+packed > len(data) || size > 1<<30 {
			return errors.New("a frame with wrong sizes")
		}
		block := data[25 : 16+packed]
		into.Grow(size)
		room := into.AvailableBuffer()[:size]
		switch method {
		case 0x02:
			copy(room, block)
		case 0x82:
			if n, err := lz4.UncompressBlock(block, room); err != nil || n != size {
				return errors.Join(err, errors.New("a frame that is not LZ4"))
			}
		default:
			return errors.New("a frame of an unknown method")
		}
		into.Write(room)
		data = data[16+packed:]
	}
	if len(data) > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}
