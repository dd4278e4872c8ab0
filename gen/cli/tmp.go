package cli

import (
	"os"
	"path/filepath"

	"ohmloom/rtl"
)

func writeDir(b *rtl.Bundle, dir string) error {
	for _, f := range b.Files {
		p := filepath.Join(dir, f.Path)
		os.MkdirAll(filepath.Dir(p), 0o777)
		os.WriteFile(p, f.Data, 0o666)
	}
	return nil
}
