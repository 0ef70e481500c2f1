// Package programtest gives tests the built program, as people run it.
package programtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Build builds the program for the test and returns its path.
func Build(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatelodge")
	// Without the revision: the folder may belong to another user than git allows.
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "gatelodge")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	return path
}
