package config

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"ohmloom/gen/arch"
)

// Bounds of a decode engine beside those in the table of the language.
const (
	MaxKVBytes   = 64 << 20 // KV cache on chip; with a memory port: the two KV heads that are on chip at a time
	MaxBankWords = 1 << 22  // words of one bank of it, in spread mode
	MaxBiases    = 1 << 26  // relative position biases: layers x heads x context
	// MaxExternalBytes is the KV cache behind a memory port: what 40 bits of an address reach.
	MaxExternalBytes = 1 << 40
	// maxColumnChannels is the widest head whose sums are exact in column mode.
	maxColumnChannels = 128
	maxContext        = 65_536
	// defaultAhead heads hide the softmax even where the array takes only a few cycles a head:
	// 64 channels and 64 positions at 32 x 32.
	defaultAhead = 8
	// portHeads is how many KV heads are on chip when the cache is behind a memory port: one
	// works and one is fetched.
	portHeads = 2
)

// engineAttrs say something only of a decode engine, spreadAttrs only of one in spread mode.
var (
	engineAttrs = []string{"heads", "kv_heads", "head_channels", "context", "layers", "bias", "softmax", "engines", "softmax_lanes", "heads_ahead", "port_bytes"}
	spreadAttrs = []string{"engines", "softmax_lanes", "heads_ahead", "port_bytes"}
	engineNeeds = []string{"heads", "head_channels", "context"}
)

// attention is the digital half that n describes.
func (l *loader) attention(n *node) *arch.Attention {
	if n == nil {
		return nil
	}
	a := &arch.Attention{Rows: n.int("rows", 1), Cols: n.int("cols", 1), Dataflow: n.str("dataflow", arch.OutputStationary),
		MaxK: n.int("max_k", 4096), Decode: n.str("decode", ""), Pos: n.pos()}
	if pes := a.Rows * a.Cols; pes > MaxPEs {
		l.add(Error, n.rng, Diagnostic{Summary: "Attention array too large", In: n.in,
			Value:      fmt.Sprintf("%d x %d = %s PEs", a.Rows, a.Cols, thousands(int64(pes))),
			Allowed:    "rows x cols at most " + thousands(MaxPEs) + " PEs",
			Suggestion: fmt.Sprintf("use cols = %d with these rows", MaxPEs/a.Rows)})
	}
	switch {
	case n.wanting("decode"):
	case a.Decode == "":
		for _, name := range engineAttrs {
			if n.has(name) {
				l.add(Error, n.at(name), Diagnostic{Summary: fmt.Sprintf("%q says something of a decode engine, and there is none", name), In: n.in,
					Value: show(n.values[name].v), Allowed: `with decode = "column" or decode = "spread"`,
					Suggestion: `add decode = "spread", or remove this`})
			}
		}
	case a.Dataflow != arch.OutputStationary:
		l.add(Error, n.at("dataflow"), Diagnostic{Summary: "Decode engines have another dataflow", In: n.in,
			Value: show(n.values["dataflow"].v), Allowed: fmt.Sprintf("dataflow = %q with decode = %q", arch.OutputStationary, a.Decode),
			Suggestion: "remove dataflow, or remove decode to get a bare array"})
	default:
		l.takeShape(n)
		l.engine(n, a)
	}
	return a
}

// engine fills in what describes a decode engine.
func (l *loader) engine(n *node, a *arch.Attention) {
	for _, name := range engineNeeds {
		if _, written := n.values[name]; !written {
			l.missing(n, name)
		}
	}
	a.Heads, a.HeadChannels, a.Context = n.int("heads", 1), n.int("head_channels", 1), n.int("context", 1)
	a.KVHeads, a.Layers, a.Biased = n.int("kv_heads", a.Heads), n.int("layers", 1), n.bool("bias", false)
	a.Softmax = n.str("softmax", arch.Integer)
	share := a // of one engine
	if a.Decode == arch.Spread {
		if a.Engines = n.int("engines", 1); !l.fitEngines(n, a) {
			return
		}
		share = shareOf(a)
		a.Lanes, a.Ahead, a.PortBytes = n.int("softmax_lanes", defaultLanes(share)), n.int("heads_ahead", defaultAhead), n.int("port_bytes", 0)
		share = shareOf(a)
	} else {
		for _, name := range spreadAttrs {
			if n.has(name) {
				l.add(Warning, n.at(name), Diagnostic{Summary: fmt.Sprintf("%q has no effect in column mode", name), In: n.in,
					Value: show(n.values[name].v), Suggestion: `remove it, or use decode = "spread"`})
			}
		}
	}
	for _, name := range append(append([]string{"rows", "cols"}, engineNeeds...), engineAttrs...) {
		if n.wanting(name) || !n.has(name) && (name == "rows" || name == "cols" || slices.Contains(engineNeeds, name)) {
			return // what is checked below depends on it
		}
	}
	if l.fitHeads(n, a) && l.fitLanes(n, share) && l.fitPort(n, a) && l.fitCache(n, share) {
		l.idle(n, share)
	}
}

// shareOf is one of the engines of a side by side.
func shareOf(a *arch.Attention) *arch.Attention {
	s := *a
	s.Cols, s.Heads, s.KVHeads, s.PortBytes = s.Cols/s.Engines, s.Heads/s.Engines, s.KVHeads/s.Engines, s.PortBytes/s.Engines
	return &s
}

// fitEngines reports engines side by side that do not divide what they share.
func (l *loader) fitEngines(n *node, a *arch.Attention) bool {
	all := gcd(gcd(a.Cols, a.Heads), a.KVHeads)
	what := fmt.Sprintf("%s, %s and %s", count(a.Cols, "column"), count(a.Heads, "head"), count(a.KVHeads, "KV head"))
	if a.Engines == 1 || n.wanting("engines") || all%a.Engines == 0 {
		return true
	}
	l.add(Error, n.at("engines"), Diagnostic{Summary: "Engines side by side do not divide what they share", In: n.in,
		Value: fmt.Sprint(a.Engines), Allowed: fmt.Sprintf("a common divisor of %s: %s", what, divisorList(all, min(all, 64))),
		Suggestion: "use engines = " + divisors(all, min(a.Engines, all))})
	return false
}

// fitHeads reports heads that do not go together, or are too wide.
func (l *loader) fitHeads(n *node, a *arch.Attention) bool {
	if a.Heads%a.KVHeads != 0 {
		use := fmt.Sprint(a.Heads)
		if a.KVHeads < a.Heads {
			use = divisors(a.Heads, a.KVHeads)
		}
		l.add(Error, n.at("kv_heads"), Diagnostic{Summary: "Heads are not a multiple of the KV heads", In: n.in,
			Value:   fmt.Sprintf("%s on %s", count(a.Heads, "head"), count(a.KVHeads, "KV head")),
			Allowed: "a divisor of the heads: " + divisorList(a.Heads, a.Heads), Suggestion: "use kv_heads = " + use})
		return false
	}
	if a.Decode == arch.Column && a.HeadChannels > maxColumnChannels {
		l.add(Error, n.at("head_channels"), Diagnostic{Summary: "Heads too wide for column mode", In: n.in,
			Value: fmt.Sprint(a.HeadChannels), Allowed: fmt.Sprintf("1 .. %d: scores are exact up to there", maxColumnChannels),
			Suggestion: fmt.Sprintf(`use %d or less, or decode = "spread"`, maxColumnChannels)})
		return false
	}
	return true
}

// lanesBound is the number that softmax lanes divide, in words too.
func lanesBound(a *arch.Attention) (int, string) {
	n, what := gcd(a.Rows, a.Cols), fmt.Sprintf("%s and %s", count(a.Rows, "row"), count(a.Cols, "column"))
	if a.Biased {
		n, what = gcd(n, a.Context), fmt.Sprintf("%s, %s and a context of %d", count(a.Rows, "row"), count(a.Cols, "column"), a.Context)
	}
	return n, what
}

// scoreTime is how long the array takes for the scores of Cols positions, cycles.
func scoreTime(a *arch.Attention) int { return divideUp(a.HeadChannels, a.Rows) }

// defaultLanes is the smallest number of lanes with which the array never waits for the
// softmax, or the largest that is possible.
func defaultLanes(a *arch.Attention) int {
	bound, _ := lanesBound(a)
	for n := 1; n < bound; n++ {
		if bound%n == 0 && n*scoreTime(a) >= a.Cols {
			return n
		}
	}
	return bound
}

// fitLanes reports lanes that do not divide the array and warns of a softmax that is slower.
func (l *loader) fitLanes(n *node, a *arch.Attention) bool {
	if a.Decode != arch.Spread {
		return true
	}
	bound, what := lanesBound(a)
	if bound%a.Lanes != 0 {
		use := fmt.Sprint(bound)
		if a.Lanes < bound {
			use = divisors(bound, a.Lanes)
		}
		l.add(Error, n.at("softmax_lanes"), Diagnostic{Summary: "Softmax lanes do not divide what they serve", In: n.in,
			Value: fmt.Sprint(a.Lanes), Allowed: fmt.Sprintf("a common divisor of %s: %s", what, divisorList(bound, bound)),
			Suggestion: "use " + use})
		return false
	}
	if soft := a.Cols / a.Lanes; soft > scoreTime(a) {
		d := Diagnostic{Summary: "The softmax holds up the array", In: n.in, Value: count(a.Lanes, "lane"),
			Detail: fmt.Sprintf("%s take the array %s and the softmax %d.", count(a.Cols, "score"), count(scoreTime(a), "cycle"), soft)}
		if best := defaultLanes(a); best > a.Lanes {
			d.Suggestion = fmt.Sprintf("use softmax_lanes = %d", best)
		} else {
			d.Suggestion = fmt.Sprintf("rows, cols and (with bias) context with more in common allow more lanes; %d are needed",
				divideUp(a.Cols, scoreTime(a)))
		}
		l.add(Warning, n.at("softmax_lanes"), d)
	}
	return true
}

// fitPort reports a port that is no whole number of columns and warns of a narrow one.
func (l *loader) fitPort(n *node, a *arch.Attention) bool {
	if a.PortBytes == 0 {
		return true
	}
	if cols := a.PortBytes / a.Rows; a.PortBytes%a.Rows != 0 || cols == 0 || a.Cols%cols != 0 || cols%a.Engines != 0 {
		at := min(max(cols, 1), a.Cols)
		low, high := at, min(at+1, a.Cols)
		for low > a.Engines && (a.Cols%low != 0 || low%a.Engines != 0) {
			low--
		}
		for low = max(low, a.Engines); a.Cols%high != 0 || high%a.Engines != 0; {
			high++
		}
		use := fmt.Sprint(low * a.Rows)
		if high > low {
			use += fmt.Sprintf(" or %d", high*a.Rows)
		}
		summary, detail := "Memory port does not carry whole columns", ""
		if least := a.Rows * a.Engines; a.PortBytes < least {
			summary = "Memory port too narrow"
			detail = fmt.Sprintf("A beat is at least a word of one column of each engine, %s: with less, keys and values would never come in.",
				count(least, "byte"))
		}
		l.add(Error, n.at("port_bytes"), Diagnostic{Summary: summary, In: n.in, Detail: detail,
			Value: fmt.Sprint(a.PortBytes), Suggestion: "use " + use,
			Allowed: fmt.Sprintf("0 (cache on chip), or rows x a divisor of cols: %s", divisorList(a.Cols/a.Engines, a.Cols, a.Rows, a.Engines))})
		return false
	}
	group := a.Heads / a.KVHeads
	if full := a.Rows * a.Cols; a.PortBytes*group < full {
		cols := divideUp(a.Cols, group)
		for a.Cols%cols != 0 {
			cols++
		}
		l.add(Warning, n.at("port_bytes"), Diagnostic{Summary: "Memory port narrower than the array needs", In: n.in,
			Value:      count(a.PortBytes, "byte") + " a cycle",
			Detail:     fmt.Sprintf("PEs take %d bytes a cycle, each for %s: the array works at most %s of the time.", full, count(group, "head"), percent(a.PortBytes*group, full)),
			Suggestion: fmt.Sprintf("port_bytes = %d never waits", cols*a.Rows)})
	}
	return true
}

// stored is the bytes of the banks on chip and the words of one; banks are filled up to
// whole words.
func stored(a *arch.Attention) (bytes, words int) {
	heads := a.Layers * a.KVHeads
	if a.PortBytes > 0 {
		heads = portHeads
	}
	keys, values, banks := divideUp(a.Context, a.Rows)*a.HeadChannels, divideUp(a.HeadChannels, a.Rows)*a.Context, a.Rows
	if a.Decode == arch.Spread {
		keys = divideUp(a.Context, a.Cols) * divideUp(a.HeadChannels, a.Rows)
		values = divideUp(a.Context, a.Rows) * divideUp(a.HeadChannels, a.Cols)
		banks = a.Rows * a.Cols
	}
	words = heads * (keys + values)
	return words * banks * max(a.Engines, 1), words
}

// external is the bytes of the cache in external memory, 0 without a port.
func external(a *arch.Attention) int {
	if a.PortBytes == 0 {
		return 0
	}
	bytes, _ := stored(a)
	return bytes / portHeads * a.Layers * a.KVHeads
}

// fitCache reports a KV cache, or tables of biases, that do not fit.
func (l *loader) fitCache(n *node, a *arch.Attention) bool {
	if a.Biased || a.Decode == arch.Column {
		heads := a.Heads * max(a.Engines, 1)
		if biases := a.Layers * heads * a.Context; biases > MaxBiases {
			l.add(Error, n.at("context"), Diagnostic{Summary: "Too many position biases", In: n.in,
				Value:   fmt.Sprintf("%d layers x %d heads x %d tokens = %s", a.Layers, heads, a.Context, thousands(int64(biases))),
				Allowed: "at most " + thousands(MaxBiases), Suggestion: fmt.Sprintf("context = %d fits", MaxBiases/(a.Layers*heads))})
			return false
		}
	}
	fits := func(context int) bool {
		b := *a
		b.Context = context
		bytes, words := stored(&b)
		return bytes <= MaxKVBytes && (b.Decode != arch.Spread || words <= MaxBankWords) && external(&b) <= MaxExternalBytes
	}
	if fits(a.Context) {
		return true
	}
	bytes, words := stored(a)
	engines := max(a.Engines, 1)
	cache := func(bytes int, heads string) string {
		return fmt.Sprintf("%s bytes: keys and values of %s x %s x %s", thousands(int64(bytes)), heads,
			count(a.HeadChannels, "channel"), count(a.Context, "token"))
	}
	all := count(a.Layers, "layer") + " x " + count(a.KVHeads*engines, "KV head")
	value, allowed := cache(bytes, all), "at most "+thousands(MaxKVBytes)+" bytes on chip"
	switch {
	case bytes <= MaxKVBytes && words <= MaxBankWords:
		value, allowed = cache(external(a), all), "at most "+thousands(MaxExternalBytes)+" bytes in external memory"
	case bytes <= MaxKVBytes:
		value = fmt.Sprintf("%s words of %s in each of %s", thousands(int64(words)), count(a.Rows, "byte"), count(a.Cols, "bank"))
		allowed = "at most " + thousands(MaxBankWords) + " words a bank"
	case a.PortBytes > 0:
		value = cache(bytes, count(portHeads*engines, "KV head")+" at a time")
	}
	var use []string
	if most := sort.Search(maxContext, func(c int) bool { return !fits(c + 1) }); most > 0 {
		use = append(use, fmt.Sprintf("context = %d fits", most))
	}
	if a.PortBytes == 0 {
		b := *a
		b.Decode, b.PortBytes = arch.Spread, a.Rows*a.Cols*engines
		if bytes, words := stored(&b); bytes <= MaxKVBytes && words <= MaxBankWords && external(&b) <= MaxExternalBytes {
			port := fmt.Sprintf("port_bytes = %d keeps the cache in external memory", b.PortBytes)
			if a.Decode == arch.Column {
				port = `decode = "spread" with ` + port
			}
			use = append(use, port)
		}
	}
	if len(use) == 0 {
		use = []string{"fewer layers or KV heads, or narrower heads"}
	}
	l.add(Error, n.at("context"), Diagnostic{Summary: "KV cache does not fit", In: n.in, Value: value, Allowed: allowed,
		Suggestion: strings.Join(use, "; ")})
	return false
}

// idle warns of PEs that never work.
func (l *loader) idle(n *node, a *arch.Attention) {
	if a.Decode == arch.Column && a.Cols > 1 {
		l.add(Warning, n.at("decode"), Diagnostic{Summary: fmt.Sprintf("Column mode uses one of %d columns", a.Cols), In: n.in,
			Value:      percent(1, a.Cols) + " of the PEs",
			Detail:     "A token's attention is a matrix times one vector; the paper's mapping computes it in one column.",
			Suggestion: `decode = "spread" uses all of them`})
	}
	for _, s := range []struct {
		name string
		size int
	}{{"head_channels", a.HeadChannels}, {"context", a.Context}} {
		for _, side := range []struct {
			name string
			size int
		}{{"row", a.Rows}, {"column", a.Cols}} {
			if a.Decode == arch.Column && side.name == "column" || s.size%side.size == 0 {
				continue
			}
			folds := divideUp(s.size, side.size)
			work := "scores" // channels over rows and positions over columns
			if (s.name == "context") == (side.name == "row") && a.Decode == arch.Spread || a.Decode == arch.Column && s.name == "head_channels" {
				work = "outputs"
			}
			when := ""
			if s.name == "context" {
				when = " with a full context"
			}
			l.add(Warning, n.at(s.name), Diagnostic{Summary: fmt.Sprintf("The array's %ss do not divide %q", side.name, s.name), In: n.in,
				Value:  fmt.Sprintf("%d on %s", s.size, count(side.size, side.name)),
				Detail: fmt.Sprintf("While it computes %s%s, %s of the PEs idle.", work, when, percent(folds*side.size-s.size, folds*side.size)),
			})
		}
	}
}

// percent is a share for a reader.
func percent(part, whole int) string { return fmt.Sprintf("%.3g %%", 100*float64(part)/float64(whole)) }

// divisorList writes the divisors of n up to most, each times the factors.
func divisorList(n, most int, factors ...int) string {
	var all []string
	for d := 1; d <= most; d++ {
		if n%d == 0 {
			v := d
			for _, f := range factors {
				v *= f
			}
			all = append(all, fmt.Sprint(v))
		}
	}
	return strings.Join(all, ", ")
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
