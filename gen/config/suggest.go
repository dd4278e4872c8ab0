package config

import (
	"strings"

	"github.com/agext/levenshtein"
)

// nearest returns the name closest to a misspelt one, or "" when none is close.
func nearest(given string, names []string) string {
	fold := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "_")) }
	best, at := "", 3 // two edits are a slip; three are another word
	for _, n := range names {
		d := levenshtein.Distance(fold(given), fold(n), nil)
		if d < at && d < len(n) {
			best, at = n, d
		}
	}
	if best == "" && len(given) >= 3 {
		// an abbreviation, or a name with a prefix too many
		for _, n := range names {
			if strings.HasPrefix(fold(n), fold(given)) || (len(n) >= 3 && strings.HasSuffix(fold(given), "_"+fold(n))) {
				return n
			}
		}
	}
	return best
}

// didYouMean is the suggestion for a name that is none of names, or "".
func didYouMean(given string, names []string) string {
	if n := nearest(given, names); n != "" {
		return "did you mean " + quote(n) + "?"
	}
	return ""
}

// oneOf lists what is allowed, shortening what would fill a screen.
func oneOf(names []string) string {
	const most = 16
	var b strings.Builder
	for i, n := range names {
		if i == most && len(names) > most+1 {
			b.WriteString(", and ")
			b.WriteString(thousands(int64(len(names) - most)))
			b.WriteString(" more")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(n))
	}
	return b.String()
}
