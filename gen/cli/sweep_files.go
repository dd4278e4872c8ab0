package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"

	"ohmloom/gen/arch"
	"ohmloom/gen/config"
	"ohmloom/gen/sweep"
)

// sweepFile is sweep.json: what --json prints and every point.
type sweepFile struct {
	*sweepResult
	Metrics []sweepAim  `json:"metrics"` // in the order of the points' figures
	Rows    []sweep.Row `json:"points_all"`
}

// writeSweep writes the files of a sweep, all but the results it goes on from.
func (a *app) writeSweep(dir string, s *config.Sweep, r *sweepResult) error {
	r.Files = append(r.Files, filepath.Join(dir, "results.jsonl"))
	all, err := pointsCSV(r, r.rows)
	if err != nil {
		return err
	}
	front, err := pointsCSV(r, sweep.Front(r.rows, s.Objectives))
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"points.csv", all}, {"front.csv", front}} {
		if err := r.write(dir, f.name, f.data); err != nil {
			return err
		}
	}
	picture, err := frontChart(r)
	if err != nil {
		return err
	}
	if err := r.write(dir, "front.svg", picture); err != nil {
		return err
	}
	r.Files = append(r.Files, filepath.Join(dir, "sweep.json"))
	whole := sweepFile{sweepResult: r, Rows: r.rows}
	for _, m := range arch.Metrics {
		better := "less"
		if m.More {
			better = "more"
		}
		whole.Metrics = append(whole.Metrics, sweepAim{m.Name, m.Unit, better})
	}
	text, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	return writeAside(filepath.Join(dir, "sweep.json"), append(text, '\n'))
}

func (r *sweepResult) write(dir, name string, data []byte) error {
	path := filepath.Join(dir, name)
	r.Files = append(r.Files, path)
	return writeAside(path, data)
}

// pointsCSV is a line for each row: values of the axes, figures, bound, what is wrong.
func pointsCSV(r *sweepResult, rows []sweep.Row) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	line := []string{"index"}
	for _, x := range r.Axes {
		line = append(line, x.Name)
	}
	for _, m := range arch.Metrics {
		line = append(line, m.Name)
	}
	if err := w.Write(append(line, "bound", "problem")); err != nil {
		return nil, err
	}
	for _, row := range rows {
		line := []string{strconv.FormatUint(row.Index, 10)}
		for _, v := range row.Values {
			line = append(line, strings.Trim(string(v), `"`))
		}
		for i := range arch.Metrics {
			text := ""
			if row.Problem == "" {
				text = strconv.FormatFloat(row.Metrics[i], 'g', -1, 64)
			}
			line = append(line, text)
		}
		if err := w.Write(append(line, row.Bound, row.Problem)); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}
