package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"reflect"

	"ohmloom/gen/arch"
)

// hash is SHA-256 over what was described: names and values of every field, defaults
// included, so that layout, comments, positions, variables and the folder do not matter.
// File names count as they were written; of absolute ones only the last element does.
func (l *loader) hash(chip *arch.Chip) string {
	c := *chip
	c.Source, c.Hash = "", ""
	h := sha256.New()
	fmt.Fprintln(h, "ohmloom description 1")
	l.encode(h, "chip", reflect.ValueOf(c))
	return hex.EncodeToString(h.Sum(nil))
}

// encode writes one "path value" line a leaf. Strings are quoted: no two trees print alike.
func (l *loader) encode(h hash.Hash, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			fmt.Fprintf(h, "%s absent\n", path)
			return
		}
		l.encode(h, path, v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[arch.Pos]() {
			return
		}
		for i := range v.NumField() {
			l.encode(h, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		fmt.Fprintf(h, "%s length %d\n", path, v.Len())
		for i := range v.Len() {
			l.encode(h, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.String:
		s := v.String()
		if written, ok := l.written[s]; ok {
			s = filepath.ToSlash(filepath.Clean(written))
			if filepath.IsAbs(written) {
				s = filepath.Base(written)
			}
		}
		fmt.Fprintf(h, "%s %q\n", path, s)
	case reflect.Int, reflect.Uint64, reflect.Float64, reflect.Bool:
		fmt.Fprintf(h, "%s %v\n", path, v.Interface())
	default:
		panic(fmt.Sprintf("config: no canonical form for %s (%s)", path, v.Type()))
	}
}
