// SPDX-License-Identifier: Apache-2.0

package scripts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ohmloom/gen/tools"
)

// machine is a made-up computer: a copy of the set-up script in a repository
// of its own, and a PATH with a few basic commands and whatever fakes a test
// adds. Every fake that matters logs its call.
type machine struct {
	t                    *testing.T
	repo, bin, home, log string
}

// basics are what every Linux machine has.
var basics = []string{"bash", "cat", "cut", "dirname", "env", "mkdir", "mktemp", "mv", "rm", "timeout"}

func newMachine(t *testing.T) *machine {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a b") // every path has a space in it
	m := &machine{t: t, repo: dir + "/re po", bin: dir + "/bin", home: dir + "/ho me", log: dir + "/log"}
	for _, d := range []string{m.repo + "/scripts", m.bin, m.home} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"setup", "tools.tsv"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m.write(filepath.Join(m.repo, "scripts", name), string(b))
	}
	for _, name := range basics {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("skipped: no %s on this machine", name)
		}
		if err := os.Symlink(path, filepath.Join(m.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	m.fake("id", "echo 0")
	m.fake("getent", "exit 2")
	// The modules are there from the second call on, as with the real go.
	m.fake("go", `[[ $1 == version ]] && { echo go version go1.26.8 linux/amd64; exit; }
echo "go $* GOPROXY=${GOPROXY:-}" >>"$LOG"
[[ -e $LOG.modules ]] || { [[ ${GOPROXY:-} != off ]] && : >"$LOG.modules"; }`)
	return m
}

func (m *machine) write(path, text string) {
	m.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) fake(name, script string) {
	m.t.Helper()
	m.write(filepath.Join(m.bin, name), "#!"+m.bash()+"\n"+script+"\n")
}

func (m *machine) bash() string {
	path, err := exec.LookPath("bash")
	if err != nil {
		m.t.Skip("skipped: no bash on this machine")
	}
	return path
}

// versionLines are what each tool prints for a version @.
var versionLines = map[string]string{
	"verilator": "Verilator @ 2023-01-22", "g++": "g++ (Debian) @", "make": "GNU Make @", "yosys": "Yosys @ (git)", "yosys-abc": "UC Berkeley, ABC @ (compiled)",
	"iverilog": "Icarus Verilog version @ (stable) ()", "vvp": "Icarus Verilog runtime version @ (stable) ()", "dot": "dot - graphviz version @ (0)",
	"sta": "@", "ngspice": "** ngspice-@ : Circuit", "chromium": "Chromium @ built on Debian",
}

func toolScript(tool tools.Tool, version string) string {
	return fmt.Sprintf("echo %q", strings.ReplaceAll(versionLines[tool.Name], "@", version))
}

// debian adds an apt-get and a dpkg that "install" fakes of the tested versions.
func (m *machine) debian() {
	var install strings.Builder
	for _, tool := range tools.Table() {
		if tool.Probe != nil && tool.Name != "go" {
			fmt.Fprintf(&install, "[[ \" $* \" == *' %s '* ]] && { printf '#!%s\\n%%s\\n' '%s' >\"$BIN/%s\"; chmod_x \"$BIN/%s\"; }\n",
				tool.Package, m.bash(), toolScript(tool, tool.Tested), tool.Executable, tool.Executable)
		}
	}
	chmod, err := exec.LookPath("chmod")
	if err != nil {
		m.t.Skip("skipped: no chmod on this machine")
	}
	m.fake("apt-get", `echo "apt-get $* FRONTEND=${DEBIAN_FRONTEND:-}" >>"$LOG"
chmod_x() { `+chmod+` 755 "$1"; }
if [[ " $* " == *' download '* ]]; then : >"${!#}_1.0_all.deb"; exit; fi
[[ " $* " == *' install '* ]] || exit 0
`+install.String()+"exit 0")
	m.fake("dpkg", `echo "dpkg $*" >>"$LOG"
[[ $1 == -x && -e $2 ]] || exit 1
mkdir -p "$3/usr/share/qflow/tech/osu018"
echo 'library(osu018) {}' >"$3/usr/share/qflow/tech/osu018/osu018_stdcells.lib"`)
}

// run runs the set-up script from another directory, without a terminal.
func (m *machine) run(env ...string) (output string, exit int) {
	m.t.Helper()
	cmd := exec.Command(m.bash(), filepath.Join(m.repo, "scripts", "setup"))
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=" + m.bin, "LOG=" + m.log, "BIN=" + m.bin, "HOME=" + m.home}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// calls returns what the fakes logged since the last call.
func (m *machine) calls() []string {
	b, _ := os.ReadFile(m.log)
	os.Remove(m.log)
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

func TestSetupWithoutAptNamesEveryMissingToolAndExits3(t *testing.T) {
	m := newMachine(t)
	out, exit := m.run()
	if exit != 3 {
		t.Errorf("exit %d, want 3", exit)
	}
	for _, tool := range tools.Table() {
		if tool.Name == "go" || tool.Need == tools.Extra {
			continue
		}
		if !strings.Contains(out, tool.Name+": missing") || !strings.Contains(out, tool.Min) || !strings.Contains(out, "["+tool.Package+"]") {
			t.Errorf("%s, %s or %s is not named in:\n%s", tool.Name, tool.Min, tool.Package, out)
		}
	}
	if calls := m.calls(); calls[0] != "" {
		t.Errorf("called %v", calls)
	}
}

func TestSetupInstallsOnceAndDoesNothingAfterwards(t *testing.T) {
	m := newMachine(t)
	m.debian()
	out, exit := m.run()
	calls := m.calls()
	if exit != 0 {
		t.Fatalf("exit %d:\n%s\n%v", exit, out, calls)
	}
	if !strings.Contains(calls[0], " update ") || !strings.Contains(calls[1], " install --no-install-recommends verilator g++ make yosys iverilog graphviz ") {
		t.Errorf("calls:\n%s", strings.Join(calls, "\n"))
	}
	for _, c := range calls[:2] {
		if !strings.Contains(c, "FRONTEND=noninteractive") || !strings.Contains(c, " -y ") {
			t.Errorf("may ask questions: %s", c)
		}
	}
	if strings.Contains(strings.Join(calls, "\n"), "install qflow") || !strings.Contains(calls[2], "download qflow-tech-osu018") {
		t.Errorf("the Liberty is not fetched on its own:\n%s", strings.Join(calls, "\n"))
	}
	if _, err := os.Stat(m.home + "/.local/share/ohmloom/osu018_stdcells.lib"); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(m.home + "/.local/share/ohmloom/.fetch*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
	for _, says := range []string{"verilator: missing (wanted: 5.006 or newer)", "simulates it in verify", "installing Debian packages", "fetching osu018_stdcells.lib"} {
		if !strings.Contains(out, says) {
			t.Errorf("does not say %q:\n%s", says, out)
		}
	}

	out, exit = m.run()
	if calls := m.calls(); exit != 0 || len(calls) != 1 || calls[0] != "go mod download GOPROXY=off" {
		t.Errorf("second run: exit %d, calls %q:\n%s", exit, calls, out)
	}
}

func TestSetupWorksWithoutHome(t *testing.T) {
	m := newMachine(t)
	m.debian()
	if out, exit := m.run("HOME="); exit != 0 {
		t.Fatalf("exit %d:\n%s", exit, out)
	}
	if _, err := os.Stat(m.repo + "/build/home/.local/share/ohmloom/osu018_stdcells.lib"); err != nil {
		t.Error(err)
	}
}

func TestSetupPutsTheLibertyWhereGoLooks(t *testing.T) {
	for name, env := range map[string][]string{"OHMLOOM_HOME": {"OHMLOOM_HOME"}, "XDG_DATA_HOME": {"XDG_DATA_HOME"}, "HOME": {"HOME"}} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.debian()
			for _, key := range []string{"OHMLOOM_HOME", "XDG_DATA_HOME", "OHMLOOM_LIBERTY"} {
				t.Setenv(key, "")
			}
			t.Setenv(env[0], m.home+"/else where")
			if out, exit := m.run(env[0] + "=" + m.home + "/else where"); exit != 0 {
				t.Fatalf("exit %d:\n%s", exit, out)
			}
			if path, err := tools.Liberty(); err != nil || !strings.HasPrefix(path, m.home) {
				t.Errorf("Go finds %q, %v", path, err)
			}
		})
	}
}

func TestSetupReplacesAToolOnlyWhenGoCallsItTooOld(t *testing.T) {
	for _, version := range []string{"5.006", "5.6", "5.5", "5.020", "4.999", "4.038", "10.0", "5.006.1", "5", "5.0060"} {
		m := newMachine(t)
		m.debian()
		m.run()
		m.calls()
		m.fake("verilator", "echo Verilator "+version)
		m.run()
		installs := strings.Contains(strings.Join(m.calls(), "\n"), "install --no-install-recommends verilator ")
		if old := tools.Compare(version, "5.006") < 0; installs != old {
			t.Errorf("verilator %s: set-up installs: %v, Go calls it too old: %v", version, installs, old)
		}
	}
}

func TestSetupStopsWhenThePackageIsTooOld(t *testing.T) {
	m := newMachine(t)
	m.debian()
	m.run()
	m.fake("apt-get", "exit 0") // has nothing newer
	m.fake("verilator", "echo Verilator 4.038")
	out, exit := m.run()
	if exit != 3 || !strings.Contains(out, "verilator: too old: 4.038 (wanted: 5.006 or newer)") {
		t.Errorf("exit %d:\n%s", exit, out)
	}
}

func TestSetupStopsWhenAptFails(t *testing.T) {
	m := newMachine(t)
	m.fake("apt-get", "echo 'E: no network' >&2; exit 100")
	m.fake("dpkg", "exit 2")
	out, exit := m.run()
	if exit != 3 || !strings.Contains(out, "E: no network") || !strings.Contains(out, "yosys: missing") {
		t.Errorf("exit %d:\n%s", exit, out)
	}
	if left, _ := filepath.Glob(m.home + "/.local/share/ohmloom/.fetch*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestSetupReportsAToolThatCrashes(t *testing.T) {
	m := newMachine(t)
	m.debian()
	m.run()
	m.fake("apt-get", "exit 0")
	m.fake("yosys", "kill -SEGV $$")
	if out, exit := m.run(); exit != 3 || !strings.Contains(out, "yosys: found, but it fails when asked for its version") {
		t.Errorf("exit %d:\n%s", exit, out)
	}
}

func TestSetupGoesOnWithoutOptionalTools(t *testing.T) {
	m := newMachine(t)
	m.debian()
	m.run()
	for _, gone := range []string{"apt-get", "dot"} {
		if err := os.Remove(filepath.Join(m.bin, gone)); err != nil {
			t.Fatal(err)
		}
	}
	out, exit := m.run()
	if exit != 0 || !strings.Contains(out, "going on without") || !strings.Contains(out, "dot: missing") {
		t.Errorf("exit %d:\n%s", exit, out)
	}
}

func TestSetupUsesSudoOnlyWithoutAPassword(t *testing.T) {
	m := newMachine(t)
	m.debian()
	m.fake("id", "echo 1000")
	m.fake("sudo", `echo "sudo $*" >>"$LOG"; [[ $1 == -n ]] || exit 1; shift; [[ $1 == -- ]] && shift; exec "$@"`)
	m.fake("true", "exit 0")
	out, exit := m.run()
	if calls := strings.Join(m.calls(), "\n"); exit != 0 || !strings.Contains(calls, "sudo -n -- env DEBIAN_FRONTEND=noninteractive apt-get") {
		t.Errorf("exit %d:\n%s\n%s", exit, calls, out)
	}

	m = newMachine(t)
	m.debian()
	m.fake("id", "echo 1000")
	m.fake("sudo", "exit 1")
	out, exit = m.run()
	if calls := strings.Join(m.calls(), "\n"); exit != 3 || strings.Contains(calls, "install") || !strings.Contains(out, "sudo apt-get install --no-install-recommends verilator") {
		t.Errorf("exit %d:\n%s\n%s", exit, calls, out)
	}
}

func TestSetupHonoursOverrides(t *testing.T) {
	m := newMachine(t)
	m.debian()
	m.run()
	m.calls()
	m.fake("verilator", "exit 1")
	m.fake("other verilator", "echo Verilator 5.030")
	if out, exit := m.run("OHMLOOM_VERILATOR=" + m.bin + "/other verilator"); exit != 0 || len(m.calls()) != 1 {
		t.Errorf("exit %d:\n%s", exit, out)
	}
	if out, exit := m.run("OHMLOOM_GXX=/gone"); exit != 3 || !strings.Contains(out, "OHMLOOM_GXX=/gone is not there") {
		t.Errorf("exit %d:\n%s", exit, out)
	}
}

func TestSetupWithoutGoSaysWhereToGetIt(t *testing.T) {
	if _, err := os.Stat("/usr/local/go/bin/go"); err == nil {
		t.Skip("skipped: set-up would find the Go below /usr/local/go")
	}
	m := newMachine(t)
	m.debian()
	if err := os.Remove(filepath.Join(m.bin, "go")); err != nil {
		t.Fatal(err)
	}
	out, exit := m.run()
	if exit != 3 || !strings.Contains(out, "go: missing (wanted: 1.21 or newer)") || !strings.Contains(out, "https://go.dev/dl/") {
		t.Errorf("exit %d:\n%s", exit, out)
	}
}

func TestScriptsPassShellcheck(t *testing.T) {
	path, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("skipped: shellcheck is not installed") // a convenience, in no table
	}
	cmd := exec.Command(path, "-x", "scripts/setup", "scripts/test", "scripts/demo", "scripts/bench", ".ci/run")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
