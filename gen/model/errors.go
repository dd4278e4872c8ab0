// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
)

// The kinds of fault a model or golden file can have. Every error that this
// package returns matches exactly one of them with errors.Is.
var (
	// ErrUnreadable: the file is missing, unreadable, or not a regular file.
	ErrUnreadable = errors.New("file cannot be read")
	// ErrFormat: the bytes are not a well-formed safetensors or golden file.
	ErrFormat = errors.New("file is malformed")
	// ErrSpec: well-formed, but not a checkpoint of this specification:
	// another version, or metadata missing or out of range.
	ErrSpec = errors.New("not a checkpoint of spec " + SpecVersion)
	// ErrTensor: a tensor is missing, unknown, or has the wrong dtype or shape.
	ErrTensor = errors.New("wrong tensor")
	// ErrValue: a stored number is outside its range.
	ErrValue = errors.New("value out of range")
	// ErrUnknown: the caller asked for a matrix that the model does not have.
	ErrUnknown = errors.New("no such matrix")
)

// Error says what is wrong with a model file and what would be right.
type Error struct {
	File    string // path as the caller gave it
	Where   string // tensor, metadata key or byte range; empty for the file as a whole
	Problem string // what is wrong, as a clause
	Value   string // the value found; empty when there is none to show
	Allowed string // the values that are allowed; empty when Problem says it
	Hint    string // what to do, for example the nearest existing name
	Kind    error  // one of the Err... values above
	Cause   error  // the underlying error, for example of the file system; may be nil
}

// Error gives file, place, problem, value, allowed values and hint in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Where != "" {
		b.WriteString(": " + e.Where)
	}
	b.WriteString(": " + e.Problem)
	if e.Value != "" {
		b.WriteString(": found " + e.Value)
	}
	if e.Allowed != "" {
		b.WriteString(", allowed: " + e.Allowed)
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, " (%v)", e.Cause)
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap lets errors.Is see the kind and the underlying cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// quote shortens and quotes text from a file, so that a hostile name can
// neither flood nor corrupt a terminal.
func quote(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		return fmt.Sprintf("%q... (%d bytes)", string(r[:longest]), len(s))
	}
	return fmt.Sprintf("%q", s)
}

// nearest returns the candidate closest to name, or "" when none is close
// enough to be what was meant. Ties go to the first candidate.
func nearest(name string, candidates []string) string {
	const longest = 200 // a longer name is no spelling mistake, and the distance is quadratic
	best, bestDistance := "", 1+len(name)/3
	for _, c := range candidates {
		if max(len(name), len(c)) > longest {
			continue
		}
		if d := levenshtein.Distance(name, c, nil); d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	return best
}

// didYouMean is nearest as a hint, or "" without one.
func didYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return "did you mean " + n + "?"
	}
	return ""
}
