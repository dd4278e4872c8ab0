package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ohmloom/gen/tools"
)

const reported = `
model = "nano"
variable "rows" { default = 4 }
variable "share" { default = 4 }
chip "little" {
  attention {
    decode  = "spread"
    rows    = var.rows
    cols    = 4
    context = 64
  }
  pim {
    tiles = [4, 4]
    crossbar {
      rows = 64
      cols = 64
      adc { share = var.share }
    }
  }
}
verify {
  engines = ["interp"]
}
sweep {
  vary "rows" { values = [2, 4, 8] }
  vary "share" { values = [1, 2, 4] }
}
`

// probe is what a browser says about a page.
type probe struct {
	Width, Scroll int      // of the window, and of what it would take without scrolling
	Figures       [][2]int // size of each picture
	Over          []string // elements that stick out at the right
	Words         int      // letters of the page
}

// probing is put at the end of a page under test; the page itself runs no script.
const probing = `<script>addEventListener('load', () => {
  const size = e => { const r = e.getBoundingClientRect(); return [Math.round(r.width), Math.round(r.height)] };
  const over = [...document.querySelectorAll('body *')].filter(e => !(e.parentElement.closest('.scroll, .pane, pre')) && e.getBoundingClientRect().right > innerWidth + 1);
  console.log('PROBE' + JSON.stringify({Width: innerWidth, Scroll: document.documentElement.scrollWidth, Words: document.body.innerText.length,
    Figures: [...document.querySelectorAll('figure svg')].map(size), Over: over.map(e => e.tagName + '#' + e.id)}))
})</script>`

var consoleLine = regexp.MustCompile(`CONSOLE[^"]*"(.*)", source`)

// browse opens a page in Chromium, width pixels wide, and returns what it is like and what the
// console says.
func browse(t *testing.T, chromium string, page []byte, width int) (p probe, messages []string) {
	t.Helper()
	dir := t.TempDir()
	inner := bytes.Replace(page, []byte("</body>"), []byte(probing+"</body>"), 1)
	write(t, filepath.Join(dir, "page.html"), string(inner), 0o666)
	// A window is never narrower than 500 pixels; a frame is.
	write(t, filepath.Join(dir, "frame.html"), fmt.Sprintf(`<iframe src="page.html" style="border:0;width:%dpx;height:900px"></iframe>`, width), 0o666)
	const bound = 2 * time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir="+filepath.Join(dir, "profile"), "--window-size=1400,1000",
		"--virtual-time-budget=10000", "--enable-logging=stderr", "--dump-dom", "file://"+filepath.Join(dir, "frame.html"))
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("chromium, at most %s: %v\n%s", bound, err, out)
	}
	seen := false
	for _, m := range consoleLine.FindAllSubmatch(out, -1) {
		text, ok := strings.CutPrefix(string(m[1]), "PROBE")
		if !ok {
			messages = append(messages, string(m[1]))
			continue
		}
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		seen = true
	}
	if !seen {
		t.Fatalf("the page was not looked at:\n%s", out)
	}
	return p, messages
}

// wrong is what is wrong with a page as a browser shows it.
func wrong(p probe, messages []string, width, figures int) (list []string) {
	if len(messages) > 0 {
		list = append(list, fmt.Sprintf("console: %q", messages))
	}
	if len(p.Figures) != figures {
		list = append(list, fmt.Sprintf("%d figures, %d expected", len(p.Figures), figures))
	}
	for i, f := range p.Figures {
		if f[0] < 300 || f[1] < 80 {
			list = append(list, fmt.Sprintf("figure %d is %v", i, f))
		}
	}
	if p.Width != width || p.Scroll > width || len(p.Over) > 0 {
		list = append(list, fmt.Sprintf("window of %d, page of %d, too wide: %v", p.Width, p.Scroll, p.Over))
	}
	return list
}

func TestReportReadsWellInABrowserWithoutNetwork(t *testing.T) {
	found := tools.NeedForTest(t, "dot", "chromium")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "small.hcl"), reported, 0o666)
	pages := make([][]byte, 2)
	for i := range pages {
		cmd := program(t, dir, "report", "small.hcl", "--skip", "area", "-o", fmt.Sprint("out", i))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var err error
		if pages[i], err = os.ReadFile(filepath.Join(dir, fmt.Sprint("out", i), "report.html")); err != nil {
			t.Fatal(err)
		}
	}
	page := pages[0]
	if !bytes.Equal(page, pages[1]) {
		t.Error("two runs give different pages")
	}
	if foreign := regexp.MustCompile(`(?i)<script|@import|url\(|(src|href|srcset|data)="[^#d][^"]*"`).FindAll(page, -1); foreign != nil {
		t.Errorf("the page needs others: %q", foreign)
	}
	pictures, err := filepath.Glob(filepath.Join(dir, "out0", "*.svg"))
	if err != nil || len(pictures) != 6 {
		t.Fatalf("pictures %v, %v", pictures, err)
	}
	for _, width := range []int{390, 1280} {
		p, messages := browse(t, found[1].Path, page, width)
		if list := wrong(p, messages, width, len(pictures)); len(list) > 0 || p.Words < 5000 {
			t.Errorf("at %d pixels, %d letters: %s", width, p.Words, strings.Join(list, "; "))
		}
	}
	// The test sees what it is there for.
	bad := bytes.Replace(page, []byte("</body>"), []byte("<script>nonsense()</script></body>"), 1)
	bad = regexp.MustCompile(`(?s)<figure id="figure-time">.*?</figure>`).ReplaceAll(bad, nil)
	bad = bytes.Replace(bad, []byte("<h1>"), []byte(`<h1 style="width:500px">`), 1)
	p, messages := browse(t, found[1].Path, bad, 390)
	list := strings.Join(wrong(p, messages, 390, len(pictures)), "; ")
	for _, fault := range []string{"console: ", "5 figures, 6 expected", "too wide: [H1#]"} {
		if !strings.Contains(list, fault) {
			t.Errorf("a page at fault passes for %q: %q", fault, list)
		}
	}
}
