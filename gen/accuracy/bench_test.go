package accuracy_test

import (
	"testing"

	"ohmloom/gen/accuracy"
	"ohmloom/hw/device"
)

// BenchmarkBitsPerChar runs 8 windows of 128 characters on all processors: exact products,
// uniform crossbars, and crossbars of which every cell differs, drawn anew each time.
func BenchmarkBitsPerChar(b *testing.B) {
	for _, name := range []string{"nano", "micro"} {
		x := heldout(b, name)
		run := func(what string, c *accuracy.Crossbars) {
			b.Run(name+"/"+what, func(b *testing.B) {
				for range b.N {
					projector := x.Ideal()
					if c != nil {
						p, err := x.Crossbars(b.Context(), *c)
						if err != nil {
							b.Fatal(err)
						}
						projector = p
					}
					if _, err := x.BitsPerChar(b.Context(), 8, projector, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		clip, varied := clip8(), clip8()
		varied.Effects = device.Effects{Variation: 0.1, Seed: 1}
		run("exact", nil)
		run("clip", &clip)
		run("variation", &varied)
	}
}
