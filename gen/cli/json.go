package cli

import (
	"encoding/json"
	"reflect"
	"strings"
)

// printJSON writes v, indented, with a newline.
func (a *app) printJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = a.out.Write(append(data, '\n'))
	return err
}

// jsonHelp is the paragraph of a command's help that names the keys of what it prints with
// --json, taken from the type itself.
func jsonHelp(v any) string {
	return "\n\n" + wrap("Keys of --json ([] a list, {} by name): "+jsonKeys(reflect.TypeOf(v))+".", 95)
}

// jsonKeys lists the keys of t, those of lists and objects inside in parentheses.
func jsonKeys(t reflect.Type) string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner, mark := f.Type, ""
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
			switch inner.Kind() {
			case reflect.Slice:
				mark = "[]"
			case reflect.Map:
				mark = "{}"
			}
			inner = inner.Elem()
		}
		switch {
		case f.Anonymous:
			keys = append(keys, jsonKeys(inner))
			continue
		case name == "" || name == "-":
			continue
		}
		key := name + mark
		if inner.Kind() == reflect.Struct {
			if inside := jsonKeys(inner); inside != "" {
				key += " (" + inside + ")"
			}
		}
		keys = append(keys, key)
	}
	return strings.Join(keys, ", ")
}

// wrap breaks text into lines of at most width characters where it has spaces.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		if i > 0 {
			if column+1+len(word) > width {
				b.WriteByte('\n')
				column = 0
			} else {
				b.WriteByte(' ')
				column++
			}
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
