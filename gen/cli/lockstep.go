package cli

import (
	"context"
	"math/rand"

	"github.com/spf13/cobra"
)

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewSource(int64(seed))) }

type replayFlags struct{}

func (r *replayFlags) register(cmd *cobra.Command) {}

type lockstep struct{ Passed bool }

func (l *lockstep) print(a *app) {}

func (a *app) lockstep(ctx context.Context, d *description, j *caseJob, f verifyFlags, res *verifyResult) error {
	return nil
}
