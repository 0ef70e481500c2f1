package storetest

import (
	"os"
	"testing"
)

// Dir returns a directory for the store of a test that is not about the disk: in
// memory where the system has a place for that, since most such tests would wait
// for the disk most of the time.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "gatelodge-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
