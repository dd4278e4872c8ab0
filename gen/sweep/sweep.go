// Package sweep estimates many variants of a description in parallel, keeps what it computed
// in a file that an interrupted sweep goes on with, and finds the Pareto front.
package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"ohmloom/gen/arch"
	"ohmloom/gen/estimate"
)

// Space is what is swept: points 0 .. Count()-1 of a product of axes. Its methods are called
// from several goroutines at once.
type Space interface {
	Axes() []arch.Axis
	Count() uint64
	Values(i uint64) []string // of the axes, as JSON
	Allowed(i uint64) (bool, error)
	Point(i uint64) (*arch.Point, error) // an error: it can't be built, and why
}

// Row is one point with its figures, or why there are none.
type Row struct {
	Index   uint64            `json:"index"`
	Values  []json.RawMessage `json:"values"`            // of the axes
	Metrics []float64         `json:"metrics,omitempty"` // of arch.Metrics, in their order
	Bound   string            `json:"bound,omitempty"`   // of the kind of layer that takes longest
	Problem string            `json:"problem,omitempty"` // why it can't be built or estimated
}

// Metric is the row's figure of a name in arch.Metrics.
func (r *Row) Metric(name string) float64 {
	for i, m := range arch.Metrics {
		if m.Name == name {
			return r.Metrics[i]
		}
	}
	panic("sweep: no metric " + name)
}

// Options of a run.
type Options struct {
	Workers  int    // goroutines, 1 or more
	Sample   uint64 // points taken at random, without repetition, of those allowed; 0: all
	Seed     uint64 // of the sample
	Results  *File  // where rows are kept, or nil
	Progress func(done, total int)
}

// Result is a swept space.
type Result struct {
	Axes     []string
	Rows     []Row // of allowed points, by index
	Excluded int   // points that a condition left out
	Reused   int   // rows that were in the file
}

// chunk is how many points a worker takes at a time; what a row costs is some 0.1 ms.
const chunk = 64

// Run estimates every allowed point. Rows do not depend on the number of workers. When ctx ends
// or the file can't be written, what was computed is in the file, in order and without gaps.
func Run(ctx context.Context, s Space, o Options) (*Result, error) {
	points, err := choose(ctx, s, o)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	for _, a := range s.Axes() {
		r.Axes = append(r.Axes, a.Name)
	}
	jobs, done := make(chan int), make(chan batch)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	chunks := (len(points) + chunk - 1) / chunk
	for range max(o.Workers, 1) {
		go func() {
			for at := range jobs {
				select {
				case done <- compute(ctx, s, at, points[at*chunk:min((at+1)*chunk, len(points))], o):
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	go func() {
		defer close(jobs)
		for at := range chunks {
			select {
			case jobs <- at:
			case <-ctx.Done():
				return
			}
		}
	}()
	waiting := map[int]batch{}
	for next := 0; next < chunks; {
		select {
		case b := <-done:
			waiting[b.at] = b
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		for b, ok := waiting[next]; ok; b, ok = waiting[next] {
			delete(waiting, next)
			next++
			if err := r.add(b, o); err != nil {
				return nil, err
			}
			if o.Progress != nil {
				o.Progress(min(next*chunk, len(points)), len(points))
			}
		}
	}
	return r, nil
}

// add takes over a worker's rows, in order.
func (r *Result) add(b batch, o Options) error {
	if b.err != nil {
		return b.err
	}
	r.Rows = append(r.Rows, b.rows...)
	r.Excluded += b.excluded
	r.Reused += b.reused
	if o.Results == nil {
		return nil
	}
	return o.Results.append(b.fresh)
}

// batch is what a worker hands back.
type batch struct {
	at               int
	rows             []Row
	fresh            []entry // of them, not in the file yet
	excluded, reused int
	err              error
}

func compute(ctx context.Context, s Space, at int, points []uint64, o Options) batch {
	b := batch{at: at}
	for _, i := range points {
		if b.err = ctx.Err(); b.err != nil {
			return b
		}
		if o.Sample == 0 {
			ok, err := s.Allowed(i)
			if err != nil {
				b.err = err
				return b
			}
			if !ok {
				b.excluded++
				continue
			}
		}
		row := Row{Index: i}
		for _, v := range s.Values(i) {
			row.Values = append(row.Values, json.RawMessage(v))
		}
		p, err := s.Point(i)
		if err != nil {
			row.Problem = err.Error()
			b.rows = append(b.rows, row)
			continue
		}
		key := keyOf(p)
		if f, ok := o.Results.find(key); ok {
			row.Metrics, row.Bound, row.Problem = f.Metrics, f.Bound, f.Problem
			b.reused++
		} else {
			row.estimate(p)
			b.fresh = append(b.fresh, entry{Key: key, Row: row})
		}
		b.rows = append(b.rows, row)
	}
	return b
}

// keyOf names a point by all that its figures depend on.
func keyOf(p *arch.Point) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s %d %t", p.Chip.Hash, p.Context, p.Phase, p.Chips, p.Head))
	return hex.EncodeToString(sum[:16])
}

// anyChips is as many chips as any model needs.
const anyChips = 1 << 32

// Estimate is a point's estimate.
func Estimate(p *arch.Point) (*estimate.Result, error) {
	h, err := estimate.FromChip(p.Chip)
	if err != nil {
		return nil, err
	}
	chips := p.Chips
	if chips == 0 {
		chips = anyChips
	}
	return h.Estimate(*p.Chip.Model, p.Context, p.Phase, estimate.Options{NoHead: !p.Head, Chips: chips})
}

// estimate fills in the figures.
func (row *Row) estimate(p *arch.Point) {
	r, err := Estimate(p)
	if err != nil {
		row.Problem = err.Error()
		return
	}
	figures := map[string]float64{
		"tokens_per_second": r.TokensPerSecond.Value, "joules_per_token": r.JoulesPerToken.Value, "tokens_per_joule": r.TokensPerJoule.Value,
		"cycles": r.Cycles.Value, "seconds": r.Seconds.Value, "gops": r.GOPS.Value, "gops_per_watt": r.GOPSPerWatt.Value,
		"words_per_battery": r.WordsPerBattery.Value, "crossbar_pairs": r.Pairs.Value, "adcs": r.ADCs.Value, "analog_area_mm2": r.AnalogArea.Value,
		"pes":   float64(p.Chip.Attention.Rows * p.Chip.Attention.Cols),
		"chips": float64(Chips(p, r)),
	}
	for _, m := range arch.Metrics {
		v, ok := figures[m.Name]
		if !ok {
			panic("sweep: no figure for " + m.Name)
		}
		row.Metrics = append(row.Metrics, v)
	}
	longest := slices.MaxFunc(r.Bounds, func(a, b estimate.Bound) int { return int(a.Cycles.Value) - int(b.Cycles.Value) })
	row.Bound = longest.Kind + ": " + longest.Bound
}

// Chips is how many chips hold the model: by crossbar pairs in banks, by matrices in tiles.
func Chips(p *arch.Point, r *estimate.Result) int {
	if p.Chips > 0 {
		return p.Chips
	}
	if r.Hardware.Bank != nil {
		return int(math.Ceil(r.Pairs.Value / float64(max(r.Hardware.Pairs, 1))))
	}
	return p.Chip.Model.Layers * len(p.Chip.Model.Matrices())
}

// choose lists the points to look at, in order: all, or a sample of those allowed.
func choose(ctx context.Context, s Space, o Options) ([]uint64, error) {
	n := s.Count()
	if o.Sample == 0 {
		if n > most {
			return nil, fmt.Errorf("a sweep of %d points; at most %d", n, most)
		}
		list := make([]uint64, n)
		for i := range list {
			list[i] = uint64(i)
		}
		return list, nil
	}
	draw := drawing(n, o.Seed)
	var list []uint64
	for uint64(len(list)) < o.Sample {
		i, ok := draw()
		if !ok {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fine, err := s.Allowed(i)
		if err != nil {
			return nil, err
		}
		if fine {
			list = append(list, i)
		}
	}
	slices.Sort(list)
	return list, nil
}

// drawing gives numbers below n in random order, each once; when n is large, until it has tried
// often enough.
func drawing(n, seed uint64) func() (uint64, bool) {
	r := rand.New(rand.NewPCG(seed, 0x6f686d6c6f6f6d))
	if n <= most {
		order, at := r.Perm(int(n)), 0
		return func() (uint64, bool) {
			if at == len(order) {
				return 0, false
			}
			at++
			return uint64(order[at-1]), true
		}
	}
	seen, tries := map[uint64]bool{}, 0
	return func() (uint64, bool) {
		for ; tries < maxTries; tries++ {
			if i := r.Uint64N(n); !seen[i] {
				seen[i] = true
				return i, true
			}
		}
		return 0, false
	}
}

const (
	most     = 1_000_000 // points of a sweep
	maxTries = 4_000_000 // draws of a sample, for conditions that hardly any point fulfils
)
