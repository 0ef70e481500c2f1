//go:build !linux

package store

import "math"

// networkFileSystem knows nothing outside Linux.
func networkFileSystem(string) (string, error) { return "", nil }

// noInodes does not know.
func noInodes(string) bool { return false }

// freeSpace does not know, and says there is enough: a write will tell.
func freeSpace(string) (uint64, error) { return math.MaxUint64, nil }
