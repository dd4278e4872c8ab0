// SPDX-License-Identifier: Apache-2.0

package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strconv"
	"unicode/utf8"
)

// Limits that hold before anything is allocated for the file's content.
const (
	// MaxHeaderBytes bounds the JSON header, as other safetensors readers do.
	MaxHeaderBytes = 100_000_000
	// MaxFileBytes bounds the whole file: far above every model that can be
	// simulated, far below what would exhaust a workstation.
	MaxFileBytes = 4 << 30
)

// dtypeBytes are the safetensors element types of the specification and
// their size in bytes. Values are little-endian two's complement.
var dtypeBytes = map[string]int64{"I8": 1, "I16": 2, "I32": 4}

// Tensor is one entry of a file's directory.
type Tensor struct {
	Name  string
	DType string // "I8", "I16" or "I32"
	Shape []int  // row-major; the last dimension runs fastest
	Begin int64  // first byte, counted from the end of the header
	End   int64  // one past the last byte
}

// directory is the header of a safetensors file, checked against the file's
// size but not yet against a specification.
type directory struct {
	tensors  []Tensor // ascending by Begin; they cover the data without gap or overlap
	metadata map[string]string
}

// container reads the parts of one safetensors file.
type container struct {
	file string
	r    io.Reader
	size int64
}

func (c *container) malformed(where, problem, value, allowed string) *Error {
	return &Error{File: c.file, Where: where, Problem: problem, Value: value, Allowed: allowed, Kind: ErrFormat}
}

// readDirectory consumes length and header. What remains in c.r is the data.
func (c *container) readDirectory() (*directory, error) {
	if c.size < 8 {
		return nil, c.malformed("", "too short for a safetensors file", fmt.Sprintf("%d bytes", c.size), "8 bytes of header length, then the header")
	}
	if c.size > MaxFileBytes {
		return nil, c.malformed("", "file too large", fmt.Sprintf("%d bytes", c.size), fmt.Sprintf("at most %d", int64(MaxFileBytes)))
	}
	var length [8]byte
	if _, err := io.ReadFull(c.r, length[:]); err != nil {
		return nil, &Error{File: c.file, Problem: "cannot read the header length", Kind: ErrUnreadable, Cause: err}
	}
	n, room := binary.LittleEndian.Uint64(length[:]), uint64(min(c.size-8, MaxHeaderBytes))
	if n > room {
		return nil, c.malformed("header length (bytes 0 to 7)", "longer than the file or the limit", strconv.FormatUint(n, 10), fmt.Sprintf("at most %d", room))
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(c.r, header); err != nil {
		return nil, &Error{File: c.file, Where: "header", Problem: "cannot read it", Kind: ErrUnreadable, Cause: err}
	}
	if !utf8.Valid(header) {
		return nil, c.malformed("header", "not valid UTF-8", "", "")
	}
	members, err := jsonObject(header)
	if err != nil {
		return nil, &Error{File: c.file, Where: "header", Problem: "not one JSON object", Kind: ErrFormat, Cause: err}
	}
	dir := &directory{metadata: map[string]string{}}
	for _, m := range members {
		if m.key == "__metadata__" {
			if dir.metadata, err = c.metadata(m.value); err != nil {
				return nil, err
			}
			continue
		}
		t, err := c.tensor(m.key, m.value)
		if err != nil {
			return nil, err
		}
		dir.tensors = append(dir.tensors, t)
	}
	return dir, c.checkCover(dir, c.size-8-int64(n))
}

func (c *container) metadata(raw json.RawMessage) (map[string]string, error) {
	members, err := jsonObject(raw)
	if err != nil {
		return nil, &Error{File: c.file, Where: "__metadata__", Problem: "not a JSON object", Kind: ErrFormat, Cause: err}
	}
	meta := make(map[string]string, len(members))
	for _, m := range members {
		var s *string
		if err := json.Unmarshal(m.value, &s); err != nil || s == nil {
			return nil, c.malformed("__metadata__ "+quote(m.key), "not a string", quote(string(m.value)), "strings only")
		}
		meta[m.key] = *s
	}
	return meta, nil
}

// tensor decodes one directory entry. Dtypes that the specification does not
// use keep their name; the specification check reports them with the tensor.
func (c *container) tensor(name string, raw json.RawMessage) (Tensor, error) {
	t := Tensor{Name: name}
	where := "tensor " + quote(name)
	members, err := jsonObject(raw)
	if err != nil {
		return t, &Error{File: c.file, Where: where, Problem: "entry is not a JSON object", Kind: ErrFormat, Cause: err}
	}
	seen := map[string]bool{}
	for _, m := range members {
		seen[m.key] = true
		switch m.key {
		case "dtype":
			var s *string
			if err := json.Unmarshal(m.value, &s); err != nil || s == nil {
				return t, c.malformed(where, "dtype is not a string", quote(string(m.value)), "")
			}
			t.DType = *s
		case "shape":
			shape, err := naturals(m.value)
			if err != nil {
				return t, c.malformed(where, "bad shape", quote(string(m.value)), err.Error())
			}
			for _, d := range shape {
				t.Shape = append(t.Shape, int(d))
			}
		case "data_offsets":
			o, err := naturals(m.value)
			if err != nil || len(o) != 2 || o[0] > o[1] {
				return t, c.malformed(where, "bad data_offsets", quote(string(m.value)), "[begin, end] with 0 <= begin <= end")
			}
			t.Begin, t.End = o[0], o[1]
		default:
			return t, c.malformed(where, "unknown key", quote(m.key), "dtype, shape, data_offsets")
		}
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[key] {
			return t, c.malformed(where, "no "+key, "", "")
		}
	}
	if bytes, known := t.bytes(); known && bytes != t.End-t.Begin {
		return t, c.malformed(where, "data_offsets disagree with dtype and shape",
			fmt.Sprintf("%d bytes for %s%v", t.End-t.Begin, t.DType, t.Shape), fmt.Sprintf("%d bytes", bytes))
	}
	return t, nil
}

// bytes is the size that dtype and shape ask for, at most MaxFileBytes+1.
// Known is false for a dtype outside dtypeBytes.
func (t *Tensor) bytes() (n int64, known bool) {
	n, known = dtypeBytes[t.DType]
	for _, d := range t.Shape {
		if d == 0 {
			return 0, known
		}
	}
	for _, d := range t.Shape {
		if n > MaxFileBytes/int64(d) {
			return MaxFileBytes + 1, known
		}
		n *= int64(d)
	}
	return n, known
}

// checkCover sorts the tensors by position and demands that they cover the
// data bytes exactly: no gap, no overlap, nothing left at the end.
func (c *container) checkCover(dir *directory, data int64) error {
	ts := dir.tensors
	sort.SliceStable(ts, func(i, j int) bool {
		if ts[i].Begin != ts[j].Begin {
			return ts[i].Begin < ts[j].Begin
		}
		return ts[i].End < ts[j].End
	})
	at, last := int64(0), "the header"
	for _, t := range ts {
		where := "tensor " + quote(t.Name)
		switch {
		case t.End > data:
			return c.malformed(where, "data lies outside the file (truncated?)", fmt.Sprintf("bytes %d to %d", t.Begin, t.End), fmt.Sprintf("up to %d", data))
		case t.Begin < at:
			return c.malformed(where, "data overlaps "+last, fmt.Sprintf("begin %d", t.Begin), strconv.FormatInt(at, 10))
		case t.Begin > at:
			return c.malformed(where, "unused bytes between it and "+last, fmt.Sprintf("begin %d", t.Begin), strconv.FormatInt(at, 10))
		}
		at, last = t.End, "tensor "+quote(t.Name)
	}
	if at != data {
		return c.malformed("", "unused bytes after the last tensor", fmt.Sprintf("%d bytes of data", data), strconv.FormatInt(at, 10))
	}
	return nil
}

type jsonMember struct {
	key   string
	value json.RawMessage
}

// jsonObject splits a JSON object into its members in file order. Unlike
// json.Unmarshal into a map it refuses a key that occurs twice and anything
// but white space after the object.
func jsonObject(raw []byte) ([]jsonMember, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if open != json.Delim('{') {
		return nil, fmt.Errorf("starts with %v", quote(fmt.Sprint(open)))
	}
	var members []jsonMember
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := jsonMember{key: token.(string)} // the decoder allows nothing else here
		if seen[m.key] {
			return nil, fmt.Errorf("%s occurs twice", quote(m.key))
		}
		seen[m.key] = true
		if err := dec.Decode(&m.value); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more text after the object")
	}
	return members, nil
}

// naturals decodes a JSON array of integers in [0, MaxFileBytes]: the range
// of every length and position that a file within the limits can have.
func naturals(raw json.RawMessage) ([]int64, error) {
	allowed := fmt.Errorf("an array of integers from 0 to %d", int64(MaxFileBytes))
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var list []any
	if err := dec.Decode(&list); err != nil || list == nil {
		return nil, allowed
	}
	out := make([]int64, len(list))
	for i, v := range list {
		num, isNumber := v.(json.Number)
		n, err := strconv.ParseInt(num.String(), 10, 64)
		if !isNumber || err != nil || n < 0 || n > MaxFileBytes {
			return nil, allowed
		}
		out[i] = n
	}
	return out, nil
}
