// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"context"
	"os"
)

// TB is the part of testing.TB that NeedForTest uses; it keeps package
// testing out of the binary.
type TB interface {
	Helper()
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// NeedForTest finds the tools a test runs. Without one of them the test is
// skipped, or fails when InCI: there, everything must be installed.
func NeedForTest(t TB, names ...string) []Found {
	t.Helper()
	var found []Found
	for _, name := range names {
		f, err := Find(context.Background(), name)
		if err != nil && InCI() {
			t.Fatalf("CI is set, so nothing may be skipped: %v", err)
		}
		if err != nil {
			t.Skipf("skipped: %v", err)
		}
		found = append(found, f)
	}
	return found
}

// InCI says whether this is a continuous-integration run: the environment
// variable CI is set, and not to "false" or "0".
func InCI() bool {
	switch os.Getenv("CI") {
	case "", "0", "false":
		return false
	}
	return true
}
