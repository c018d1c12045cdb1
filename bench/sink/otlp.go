package main

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"strings"
	"time"
)

// otlp takes trace exports over gRPC and HTTP and counts their spans.
type otlp struct {
	counts *counts
	delay  time.Duration
}

func (o *otlp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o.counts.serve(w, r) {
		return
	}
	time.Sleep(o.delay)
	sent, plain := buffers.Get().(*bytes.Buffer), buffers.Get().(*bytes.Buffer)
	defer buffers.Put(sent)
	defer buffers.Put(plain)
	sent.Reset()
	plain.Reset()
	if _, err := sent.ReadFrom(r.Body); err != nil {
		o.counts.error()
		return
	}
	data := sent.Bytes()
	grpc := strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
	zipped := r.Header.Get("Content-Encoding") == "gzip"
	if grpc && len(data) >= 5 {
		zipped, data = data[0] == 1, data[5:]
	}
	if zipped {
		if err := unpack(plain, data, "gzip", false); err != nil {
			o.counts.error()
		}
		data = plain.Bytes()
	}
	o.counts.insert("otlp", spans(data, 1, 2, 2), sent.Len(), len(data))
	if !grpc {
		w.Header().Set("Content-Type", "application/x-protobuf")
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	w.Write([]byte{0, 0, 0, 0, 0}) // an empty response: all taken
	w.Header().Set("Grpc-Status", "0")
}

// spans counts the messages at the end of a path of field numbers.
func spans(b []byte, field uint64, path ...uint64) (n int64) {
	for len(b) > 0 {
		key, k := binary.Uvarint(b)
		if k <= 0 {
			return n
		}
		b = b[k:]
		length := uint64(0)
		switch key & 7 {
		case 0:
			_, k = binary.Uvarint(b)
			length = uint64(max(k, 0))
		case 1:
			length = 8
		case 2:
			size, k := binary.Uvarint(b)
			b = b[max(k, 0):]
			length = size
		case 5:
			length = 4
		}
		if length > uint64(len(b)) {
			return n
		}
		if key == field<<3|2 {
			if len(path) == 0 {
				n++
			} else {
				n += spans(b[:length], path[0], path[1:]...)
			}
		}
		b = b[length:]
	}
	return n
}
