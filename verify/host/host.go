// Package host is what stands round a whole chip in a co-simulation: it begins runs, feeds the
// prompt, answers the chip's requests to the external memory, and takes what it writes.
package host

import (
	"context"
	"fmt"

	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/drive"
)

// Host drives one chip: streams cmd, prompt and row go in, token, done and fetch come out.
type Host struct {
	// Row is a row of the embedding table as the beats of stream row.
	Row func(row int) []drive.Beat
	// Latency is the cycles from a request's arrival to the first beat of its answer.
	Latency int
	// MaxIdle is the cycles without a transfer at the chip's border after which it counts as
	// stuck; 0: a million.
	MaxIdle int
	// Observe is called after every cycle, when it is not nil.
	Observe func(cycle int, output func(port string) []uint64) error

	live    *drive.Live
	answers []answer
}

// answer is rows that the memory will give from a cycle on.
type answer struct{ at, row, count int }

// Token is a token that the chip wrote.
type Token struct {
	ID    int
	Last  bool // the budget is spent
	Cycle int  // in which it was taken, from the reset on
}

// End is how a run ended.
type End struct {
	Code    int // 0, or an error of the chip's
	Address int // of the instruction
	Cycle   int
}

// New resets a chip that was powered up. Streams at its border that the host does not know are
// an error when the chip opens them.
func New(e verify.Engine, top *ir.Module, row func(row int) []drive.Beat) (*Host, error) {
	live, err := drive.NewLive(e, top, []string{"cmd", "prompt", "row"}, []string{"token", "done", "fetch"})
	if err != nil {
		return nil, err
	}
	return &Host{Row: row, live: live}, nil
}

// Write resets a chip whose crossbars are writable, gives it rows of weights and takes what it tells of
// each; told is how many there are. What is written stays written. It takes cycles cycles after the reset.
func Write(ctx context.Context, e verify.Engine, top *ir.Module, rows []drive.Beat, told int) (written []drive.Beat, cycles int, err error) {
	live, err := drive.NewLive(e, top, []string{"weights"}, []string{"written"})
	if err == nil {
		err = live.Push("weights", rows...)
	}
	for idle := 0; err == nil && len(written) < told; {
		if live.Cycle()&0xff == 0 && ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		var moved bool
		if moved, err = live.Step(); err != nil {
			return nil, 0, fmt.Errorf("cycle %d: %w", live.Cycle(), err)
		}
		if idle++; moved {
			idle = 0
		}
		if idle >= maxIdle {
			return nil, 0, fmt.Errorf("cycle %d: nothing moved at the chip's border for %d cycles; waiting for row %d of %d to be written", live.Cycle(), idle, len(written), told)
		}
		written = append(written, live.Take("written")...)
	}
	if err != nil {
		return nil, 0, err
	}
	return written, live.Cycle(), nil
}

// maxIdle is MaxIdle where none is given.
const maxIdle = 1_000_000

// Run begins a run with a beat of cmd, feeds the prompt, and calls wrote for every token as it
// comes, until the run has ended. An error of wrote or Observe, or the end of ctx, ends it at once
// and is returned; so is a chip that does not move for MaxIdle cycles.
func (h *Host) Run(ctx context.Context, cmd drive.Beat, prompt []int, wrote func(Token) error) (End, error) {
	if err := h.live.Push("cmd", cmd); err != nil {
		return End{}, err
	}
	for i, id := range prompt {
		last := uint64(0)
		if i == len(prompt)-1 {
			last = 1
		}
		if err := h.live.Push("prompt", drive.Beat{{uint64(id)}, {last}}); err != nil {
			return End{}, err
		}
	}
	idle, most := 0, h.MaxIdle
	if most == 0 {
		most = maxIdle
	}
	for {
		if h.live.Cycle()&0xff == 0 && ctx.Err() != nil {
			return End{}, context.Cause(ctx)
		}
		moved, err := h.live.Step()
		if err != nil {
			return End{}, fmt.Errorf("cycle %d: %w", h.live.Cycle(), err)
		}
		if idle++; moved {
			idle = 0
		}
		if idle >= most {
			return End{}, fmt.Errorf("cycle %d: nothing moved at the chip's border for %d cycles; waiting for the chip to give a token or to end, with %d tokens of the prompt not taken",
				h.live.Cycle(), idle, h.live.Waiting("prompt"))
		}
		if h.Observe != nil {
			if err := h.Observe(h.live.Cycle()-1, h.live.Output); err != nil {
				return End{}, err
			}
		}
		if err := h.serve(); err != nil {
			return End{}, err
		}
		for _, b := range h.live.Take("token") {
			if err := wrote(Token{ID: int(b[0][0]), Last: b[1][0] == 1, Cycle: h.live.Cycle() - 1}); err != nil {
				return End{}, err
			}
		}
		for _, b := range h.live.Take("done") {
			return End{Code: int(b[0][0]), Address: int(b[1][0]), Cycle: h.live.Cycle() - 1}, nil
		}
	}
}

// serve takes requests to the memory and gives what is due.
func (h *Host) serve() error {
	now := h.live.Cycle()
	for _, b := range h.live.Take("fetch") {
		h.answers = append(h.answers, answer{now + h.Latency, int(b[0][0]), int(b[1][0])})
	}
	for len(h.answers) > 0 && h.answers[0].at <= now {
		a := h.answers[0]
		h.answers = h.answers[1:]
		for i := range a.count {
			if err := h.live.Push("row", h.Row(a.row+i)...); err != nil {
				return err
			}
		}
	}
	return nil
}
