//go:build !unix

package cache

import "context"

// lock does nothing where there is no flock: two builders of one entry then do the work
// twice, and the rename lets one of them win.
func lock(context.Context, string) (unlock func(), err error) { return func() {}, nil }

// syncPath does nothing: directories cannot be opened for it, and the sums of an entry tell
// when it did not reach the disk.
func syncPath(string) error { return nil }
