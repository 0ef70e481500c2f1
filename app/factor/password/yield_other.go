//go:build !linux

package password

// yield is for systems where a thread has a priority of its own.
func yield() {}
