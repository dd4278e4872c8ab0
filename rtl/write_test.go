package rtl

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ohmloom/ir"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// tree lists the files below dir.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var l []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && path != dir {
			rel, _ := filepath.Rel(dir, path)
			l = append(l, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(l, " ")
}

func refused(t *testing.T, b *Bundle, dir, want string) {
	t.Helper()
	err := b.WriteDir(dir)
	var de *DirError
	if !errors.As(err, &de) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want a DirError that says %q", err, want)
	}
}

func TestWriteDirReplacesItsOwnOutputAndKeepsTheRest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "out")
	first, second := emit(t, ir.NewDesign(gridDesign()), Options{}), emit(t, ir.NewDesign(macroDesign()), Options{})
	if err := first.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(dir, "rtl", "mine.v")
	if err := os.WriteFile(mine, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, b := range []*Bundle{first, second, second} {
		if err := b.WriteDir(dir); err != nil {
			t.Fatal(err)
		}
	}
	want := "chip.core chip.f chip.sdc lef lef/xbar.lef lib lib/xbar.lib manifest.json names.json rtl rtl/adc_model.v rtl/chip.v rtl/mine.v rtl/ohmloom_init.vh rtl/xbar.v sim.f"
	if got := tree(t, dir); got != want {
		t.Errorf("files\n%s, want\n%s", got, want)
	}
	if read(t, mine) != "mine" {
		t.Error("a file that is not ours was changed")
	}
	if got := read(t, filepath.Join(dir, manifestName)); got != string(indented(second.Manifest())) {
		t.Errorf("manifest:\n%s", got)
	}
	if got := tree(t, filepath.Dir(dir)); strings.Contains(got, tempPrefix) {
		t.Errorf("temporary files are left: %s", got)
	}
}

func TestWriteDirTakesAnEmptyFolderAndALinkToOne(t *testing.T) {
	base := t.TempDir()
	real := filepath.Join(base, "real")
	if err := os.Mkdir(real, 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink(real, link); err != nil {
		t.Skip("no symbolic links here")
	}
	b := emit(t, ir.NewDesign(corridorDesign()), Options{})
	if err := b.WriteDir(link); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if !strings.Contains(tree(t, real), "rtl/corridor.v") {
		t.Errorf("files: %s", tree(t, real))
	}
}

func TestWriteDirRefusesWhatIsNotItsOwn(t *testing.T) {
	b := emit(t, ir.NewDesign(corridorDesign()), Options{})
	base := t.TempDir()
	put := func(path, text string) {
		t.Helper()
		path = filepath.Join(base, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	put("thesis/thesis.tex", "years of work")
	put("other/manifest.json", `{"name": "web app"}`)
	put("broken/manifest.json", `{"kind": `)
	put("hostile/manifest.json", `{"kind": "`+manifestKind+`", "files": [{"path": "../thesis/thesis.tex"}]}`)
	put("file", "x")
	for dir, want := range map[string]string{
		"thesis": "is not empty", "other": "is not empty", "broken": "is not empty", "hostile": "outside",
		"file": "is a file", "file/below": "file",
	} {
		before := tree(t, base)
		refused(t, b, filepath.Join(base, dir), want)
		if after := tree(t, base); after != before {
			t.Errorf("%s: files were\n%s, are\n%s", dir, before, after)
		}
	}
	if err := b.WriteDir(filepath.Join(base, "ours")); err != nil {
		t.Fatal(err)
	}
	put("ours/rtl/corridor.v", "edited by hand")
	refused(t, b, filepath.Join(base, "ours"), "rtl/corridor.v was changed")
	put("mixed/manifest.json", `{"kind": "`+manifestKind+`", "files": []}`)
	put("mixed/sim.f", "mine")
	refused(t, b, filepath.Join(base, "mixed"), "sim.f is in the way")
}

func TestWriteDirSaysWhatIsNotWritable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("everything is writable for root")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	refused(t, emit(t, ir.NewDesign(corridorDesign()), Options{}), filepath.Join(dir, "out"), "permission denied")
}

func TestInterruptedReplacementCanBeRepeated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	first, second := emit(t, ir.NewDesign(gridDesign()), Options{Hash: "1"}), emit(t, ir.NewDesign(gridDesign()), Options{Hash: "2"})
	if err := first.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	both := second.Manifest()
	both.Files = append(both.Files, first.Manifest().Files...)
	if err := os.WriteFile(filepath.Join(dir, manifestName), indented(both), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rtl", "pe.v"), second.File("rtl/pe.v").Data, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := second.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, manifestName)); got != string(indented(second.Manifest())) {
		t.Errorf("manifest:\n%s", got)
	}
}
