package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html"
	"html/template"
	"strconv"
	"strings"
)

// Page is a report on one page.
type Page struct {
	Title, Lead string
	Facts       []Fact // at the top
	Sections    []Section
}

// Fact is a number or a word with its name.
type Fact struct{ Name, Value string }

// Section is a chapter of a page.
type Section struct {
	ID, Title string
	Notes     []string // paragraphs
	LeftOut   string   // why there is nothing, or ""
	Figures   []Figure
	Tables    []Table
	Text      string // a listing
}

// Figure is a picture; its name is that of its file, without ".svg".
type Figure struct {
	Name, Caption string
	SVG           []byte
	Wide          bool // more detail than fits a phone: it can be scrolled there
}

// Table is a table, its rows as long as its head; columns of numbers stand at the right.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
}

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"inline": inline}).Parse(pageText))

// HTML is the page as one file that needs no other and runs no script; a picture with one is an
// error. The same page gives the same bytes.
func (p *Page) HTML() ([]byte, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, p); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// inline is a figure's SVG as an element of a page, with its caption for those who can't see it.
func inline(f Figure) (template.HTML, error) {
	s := string(f.SVG)
	if i := strings.Index(s, "<svg"); i >= 0 {
		s = s[i+len("<svg"):]
	}
	for _, foreign := range []string{"<script", "<foreignObject", "javascript:"} {
		if strings.Contains(s, foreign) {
			return "", fmt.Errorf("picture %s holds %s, which has no place on a page", f.Name, foreign)
		}
	}
	// ids are those of one picture; a page has several.
	s = strings.ReplaceAll(s, ` id="`, fmt.Sprintf(` id="%s-`, f.Name))
	return template.HTML(fmt.Sprintf(`<svg role="img" aria-label="%s"%s`, html.EscapeString(f.Caption), s)), nil
}

// longCell is how many letters of a cell stay on one line.
const longCell = 40

// Columns are the classes of a table's columns: n where every cell is a number, s for words that
// stay on one line, t for text that wraps.
func (t *Table) Columns() []string {
	classes := make([]string, len(t.Head))
	for i := range classes {
		numbers, longest := true, 0
		for _, row := range t.Rows {
			word, _, _ := strings.Cut(row[i], " ")
			_, err := strconv.ParseFloat(strings.ReplaceAll(word, ",", ""), 64)
			numbers = numbers && (err == nil || row[i] == "")
			longest = max(longest, len(row[i]))
		}
		switch {
		case longest > longCell:
			classes[i] = "t"
		case numbers:
			classes[i] = "n"
		default:
			classes[i] = "s"
		}
	}
	return classes
}
