package arch

// Metric is a figure of an estimate that sweeps compare.
type Metric struct {
	Name, Unit string
	More       bool // the more the better; else the less
}

// Metrics are the figures of an estimate that can be objectives of a sweep.
var Metrics = []Metric{
	{"tokens_per_second", "tokens/s", true},
	{"joules_per_token", "J", false},
	{"tokens_per_joule", "tokens/J", true},
	{"cycles", "cycles", false},
	{"seconds", "s", false},
	{"gops", "GOPS", true},
	{"gops_per_watt", "GOPS/W", true},
	{"words_per_battery", "words", true},
	{"pes", "PEs", false},
	{"crossbar_pairs", "pairs", false},
	{"adcs", "converters", false},
	{"analog_area_mm2", "mm2", false},
	{"chips", "chips", false},
}

// FindMetric is the metric of a name, or nil.
func FindMetric(name string) *Metric {
	for i := range Metrics {
		if Metrics[i].Name == name {
			return &Metrics[i]
		}
	}
	return nil
}

// Point is one point of a sweep: a chip and what is estimated on it.
type Point struct {
	Chip    *Chip
	Context int    // tokens, 1 .. 1,048,576
	Phase   string // "decode" or "prefill"
	Chips   int    // that share the model; 0: as many as it needs
	Head    bool   // with the output head
}

// Axis is what a sweep varies: a variable of the description.
type Axis struct {
	Name   string
	Length uint64 // values, 1 .. 10^6
}
