package programtest

import (
	"os"
	"syscall"
	"testing"
)

// SmallDisk mounts a disk of that size, as tmpfs(5) writes it, for the test. It
// skips where that is not allowed, or fails where GATELODGE_PEERS says that
// everything must be there.
func SmallDisk(t testing.TB, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		if os.Getenv("GATELODGE_PEERS") == "require" {
			t.Fatalf("the peer tmpfs cannot be mounted: %v", err)
		}
		t.Skipf("the peer tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}
