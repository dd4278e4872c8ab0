package cli

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ohmloom/gen/program"
	"ohmloom/ir"
	"ohmloom/verify"
	"ohmloom/verify/cosim"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewSource(int64(seed))) }

// replayFlags are what a replay command uses.
type replayFlags struct {
	file string // stimulus written at an earlier difference
	dir  string // where the files of a difference go
}

func (r *replayFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.file, "replay", "", "run only the stimulus in this `file`, written at an earlier difference")
	cmd.Flags().StringVar(&r.dir, "keep", "", "folder for the stimulus and waveform of a difference (default: <chip>_verify)")
}

// lockstepResult is what the engines did side by side: random inputs, then extreme ones, or a
// replayed stimulus.
type lockstepResult []*cosim.Result

func (l lockstepResult) passed() bool {
	for _, r := range l {
		if !r.Passed {
			return false
		}
	}
	return true
}

// lockstep compares all engines cycle by cycle on the described chip: on random inputs and, of a whole
// chip, on what came in while it wrote a text.
func (a *app) lockstep(ctx context.Context, d *description, j *caseJob, job *program.Job, f verifyFlags, bar *progress) (lockstepResult, error) {
	v := d.chip.Verify
	tile, img, err := j.lower(ctx, a, job, v.Seed)
	if err != nil {
		return nil, err
	}
	opt := cosim.Options{Power: v.Seed, Image: img, Dir: f.replay.dir, Replay: a.replayCommand(d, v.Engines)}
	if opt.Dir == "" {
		opt.Dir = d.chip.Name + "_verify"
	}
	var stimuli []cosim.Stimulus
	if f.replay.file != "" {
		s, power, err := readStimulus(f.replay.file, tile.Design.Top)
		if err != nil {
			return nil, err
		}
		opt.Power, stimuli = power, []cosim.Stimulus{s}
	} else {
		stimuli = []cosim.Stimulus{cosim.Random(v.Seed), cosim.Extreme(v.Seed)}
		if j.whole != nil && len(j.whole.recorded) > 0 {
			stimuli = append(stimuli, cosim.Directed(j.whole.recorded))
		}
	}
	if len(v.Engines) < 2 || v.Cycles == 0 && f.replay.file == "" {
		return lockstepResult{}, nil
	}
	list, err := openEngines(ctx, tile.Design, v.Engines)
	if err != nil {
		return nil, err
	}
	defer func() { closeEngines(list) }()
	opt.Rebuild = func(ctx context.Context, i int, expose func(*ir.Design) *ir.Design) (verify.Engine, error) {
		again, err := openEngines(ctx, expose(tile.Design), v.Engines[i:i+1])
		if err != nil {
			return nil, err
		}
		return again[0], nil
	}
	all := lockstepResult{}
	for i, s := range stimuli {
		if opt.Cycles = 0; s.Kind != cosim.KindDirected { // which is run whole
			if opt.Cycles = (v.Cycles + 1 - i) / 2; opt.Cycles == 0 {
				continue
			}
		}
		opt.Progress = func(done, of int) { bar.describe(fmt.Sprintf("lockstep %s %d of %d", s.Kind, done, of)) }
		r, err := cosim.Run(ctx, tile.Design, list, s, opt)
		if err != nil {
			return all, err
		}
		all = append(all, r)
		if !r.Passed {
			break
		}
	}
	return all, nil
}

func readStimulus(file string, top *ir.Module) (cosim.Stimulus, uint64, error) {
	f, err := os.Open(file)
	if err != nil {
		return cosim.Stimulus{}, 0, failed("stimulus: %w", err)
	}
	defer f.Close()
	s, power, err := cosim.ReadStimulus(f, top)
	if err != nil {
		return s, 0, failed("stimulus %s: %w", file, err)
	}
	return s, power, nil
}

// replayCommand makes the command line that runs a written stimulus again.
func (a *app) replayCommand(d *description, engines []string) func(string) string {
	return func(file string) string {
		if file == "" {
			return ""
		}
		words := []string{"ohmloom", "verify"}
		if d.fs == nil {
			words = append(words, d.name)
		}
		for _, v := range a.vars {
			words = append(words, "--var", v)
		}
		words = append(words, "--engine", strings.Join(engines, ","), "--seed", fmt.Sprint(d.chip.Verify.Seed), "--replay", filepath.ToSlash(file))
		for i, w := range words {
			if strings.ContainsAny(w, " \t'\"\\$`*?;&|<>()") {
				words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
			}
		}
		return strings.Join(words, " ")
	}
}
