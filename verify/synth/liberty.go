package synth

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// Liberty is what area needs of a Liberty file: the area of each cell, um2, and the area of
// the smallest two-input NAND, the unit of a gate equivalent.
type Liberty struct {
	Path     string
	Cells    map[string]float64
	NAND2Um2 float64
	Hash     string // SHA-256 of the file
}

var (
	cellRE = regexp.MustCompile(`^\s*cell\s*\(\s*"?([^")\s]+)"?\s*\)`)
	areaRE = regexp.MustCompile(`^\s*area\s*:\s*"?([-+.0-9eE]+)"?\s*;`)
	nandRE = regexp.MustCompile(`(?i)nand2`)
)

// ReadLiberty reads a Liberty file. It reads only cell names and areas, one statement a line
// as every library in use writes them; a file without a NAND2 cell is an error, since areas
// could not be given in gate equivalents.
func ReadLiberty(path string) (*Liberty, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("liberty file: %w", err)
	}
	l := &Liberty{Path: path, Cells: map[string]float64{}, Hash: digest(string(data))}
	cell := ""
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, 1<<24)
	for sc.Scan() {
		if m := cellRE.FindSubmatch(sc.Bytes()); m != nil {
			cell = string(m[1])
			continue
		}
		m := areaRE.FindSubmatch(sc.Bytes())
		if m == nil || cell == "" {
			continue
		}
		area, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil || area < 0 {
			return nil, fmt.Errorf("liberty file %s: area %q of cell %s is not a number of um2 from 0", path, m[1], cell)
		}
		l.Cells[cell] = area
		if nandRE.MatchString(cell) && area > 0 && (l.NAND2Um2 == 0 || area < l.NAND2Um2) {
			l.NAND2Um2 = area
		}
		cell = ""
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("liberty file %s: %w", path, err)
	}
	if l.NAND2Um2 == 0 {
		return nil, fmt.Errorf("liberty file %s: no two-input NAND cell (a name with nand2) with an area among its %d cells; gate equivalents need one", path, len(l.Cells))
	}
	return l, nil
}
