package accuracy_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"ohmloom/gen/accuracy"
	"ohmloom/gen/model"
)

func load(t testing.TB, name string) *model.Model {
	t.Helper()
	m, err := model.Open("../../examples/models/" + name + ".safetensors")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// heldout is the text that the models were not trained on, as a model sees it.
func heldout(t testing.TB, name string) *accuracy.Text {
	t.Helper()
	text, err := os.ReadFile("../../examples/models/heldout.txt")
	if err != nil {
		t.Fatal(err)
	}
	x, err := accuracy.NewText(load(t, name), "heldout.txt", string(text))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %.5f bits/char, want %.5f +- %g", what, got, want, tolerance)
	}
}

// The numbers are those of the models' makers, on the same windows with the same integers.
func TestIdealCrossbarsGiveTheTrainersBitsPerCharacter(t *testing.T) {
	for _, c := range []struct {
		model   string
		windows int // 0: all
		want    float64
		nightly bool
	}{{"nano", 32, 2.4181, false}, {"micro", 16, 2.0157, false}, {"nano", 0, 2.5732, true}, {"micro", 0, 2.2850, true}} {
		if c.nightly && os.Getenv("OHMLOOM_NIGHTLY") == "" {
			continue
		}
		x := heldout(t, c.model)
		n := c.windows
		if n == 0 {
			n = x.Windows()
		}
		got, err := x.BitsPerChar(t.Context(), n, x.Ideal(), nil)
		if err != nil {
			t.Fatal(err)
		}
		near(t, fmt.Sprintf("%s, %d windows", c.model, n), got, c.want, 0.00005)
	}
}

func TestPackedProductsAreExact(t *testing.T) {
	x := heldout(t, "nano")
	ideal, r := x.Ideal()(0), rand.New(rand.NewSource(1))
	for _, name := range x.Model.Matrices() {
		w, err := x.Model.Matrix(name)
		if err != nil {
			t.Fatal(err)
		}
		y := make([]int8, w.In)
		for range 10 {
			for k := range y {
				y[k] = int8(r.Intn(256) - 128) // -128 too, which no norm gives
			}
			got, want := ideal(w, y), model.Project(w, y)
			for o := range want {
				if got[o] != want[o] {
					t.Fatalf("%s, output %d: %d, want %d", name, o, got[o], want[o])
				}
			}
		}
	}
}

func TestTextsThatAModelCannotReadAreTold(t *testing.T) {
	m := load(t, "nano")
	for _, c := range []struct{ text, want string }{
		{"", "text.txt: the text is 0 characters long, but a window of nano and the character after it take 129"},
		{strings.Repeat("a", 128), "text.txt: the text is 128 characters long"},
		{"ab\ncd{e", `text.txt:2:3: character "{" is outside the vocabulary of nano`},
		{"ab\n\u00fcb", `text.txt:2:1: character "` + "\u00fc" + `" is outside`},
		{"a\xffb", `text.txt:1:2: character "\xff" is outside`},
	} {
		_, err := accuracy.NewText(m, "text.txt", c.text)
		var te *accuracy.TextError
		if !errors.As(err, &te) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
	delete(m.Meta, "logit_unit_nats")
	var me *model.Error
	if _, err := accuracy.NewText(m, "text.txt", strings.Repeat("a", 200)); !errors.As(err, &me) || !errors.Is(err, model.ErrSpec) {
		t.Errorf("without logit_unit_nats: %v", err)
	}
}

func TestInterruptionEndsARun(t *testing.T) {
	x := heldout(t, "nano")
	ctx, cancel := context.WithCancel(t.Context())
	var done atomic.Int64
	_, err := x.BitsPerChar(ctx, x.Windows(), x.Ideal(), func() {
		done.Add(1)
		cancel()
	})
	if !errors.Is(err, context.Canceled) || done.Load() > int64(runtime.GOMAXPROCS(0)) {
		t.Errorf("%v after %d windows", err, done.Load())
	}
}
