//go:build !linux

package store

// networkFileSystem knows nothing outside Linux.
func networkFileSystem(string) (string, error) { return "", nil }
