package config

import (
	"context"
	"os"
	"testing"
)

func TestStarterLoadsWithoutAWord(t *testing.T) {
	chip, diags := LoadBytes(context.Background(), "starter.hcl", Starter(), Options{})
	if len(diags) > 0 || chip == nil {
		t.Fatalf("diagnostics:\n%s", diags)
	}
}

func TestExamples(t *testing.T) {
	for _, name := range []string{"tile", "paper", "odd"} {
		chip, diags := Load(context.Background(), "../../examples/"+name+".hcl", Options{})
		diags.Render(os.Stdout, 90, false)
		t.Logf("%+v", chip)
	}
}
