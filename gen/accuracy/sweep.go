package accuracy

import (
	"errors"
	"fmt"

	"ohmloom/hw/device"
)

// Point is one setting of a sweep over ADC bits.
type Point struct {
	Rows        int     `json:"rows"` // all driven at once
	Bits        int     `json:"bits"`
	BitsPerChar float64 `json:"bits_per_char"`
	Change      float64 `json:"change"`
}

// Sweep is c with each number of rows, all driven at once, and each number of ADC bits. An
// ideal converter has no bits to vary, which is an error, like values out of range.
func Sweep(c Crossbars, rows, bits []int) ([]Crossbars, error) {
	if c.Step == device.StepIdeal {
		return nil, fmt.Errorf("step %q has no ADC bits to plot over; allowed are %q and %q", c.Step, device.StepClip, device.StepFull)
	}
	if len(rows) == 0 || len(bits) == 0 {
		return nil, errors.New("a plot needs at least one number of rows and one of ADC bits")
	}
	var list []Crossbars
	for _, r := range rows {
		for _, b := range bits {
			c.Rows, c.Active, c.Bits, c.Number = r, r, b, nil
			if err := c.Check(); err != nil {
				return nil, err
			}
			list = append(list, c)
		}
	}
	return list, nil
}
