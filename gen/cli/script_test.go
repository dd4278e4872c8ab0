package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"ohmloom/gen/cli"
	"ohmloom/gen/tools"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"ohmloom": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestCommandsSayAndExitAsScripted runs testdata/script/*.txtar: what each command prints,
// what it leaves in the folder, and its exit code.
func TestCommandsSayAndExitAsScripted(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("EXAMPLES", examples)
			env.Setenv("OHMLOOM_CACHE", cache)
			env.Setenv("OHMLOOM_HOME", tools.DataDir())
			env.Setenv("CI", os.Getenv("CI"))
			for _, name := range []string{"GOPATH", "GOMODCACHE", "GOCACHE", "GOFLAGS"} {
				if v := os.Getenv(name); v != "" {
					env.Setenv(name, v)
				}
			}
			if home, err := os.UserCacheDir(); err == nil && os.Getenv("GOCACHE") == "" {
				env.Setenv("GOCACHE", filepath.Join(home, "go-build"))
			}
			return nil
		},
		Condition: func(cond string) (bool, error) {
			_, err := tools.Find(t.Context(), cond)
			if err != nil && tools.InCI() {
				t.Errorf("CI is set, so nothing may be skipped: %v", err)
			}
			return err == nil, nil
		},
	})
}
