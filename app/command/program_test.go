package command_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// released is the program as it is shipped, static and stripped. TestMain builds
// it once for all tests of this package.
var released string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "gatelodge-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// One test runs it as somebody else.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	released = filepath.Join(dir, "gatelodge")
	// Without the revision: the folder may belong to another user than git allows.
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", released, "gatelodge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
	}
	code := 1
	if err == nil {
		code = m.Run()
	}
	os.Exit(max(code, remove(dir)))
}

// remove returns an exit code.
func remove(dir string) int {
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// said is how a use of the program ended.
type said struct {
	code     int
	out, err string
}

// call prepares the program in a directory, with nothing of ours in its
// environment.
func call(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), released, args...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	return cmd
}

// use runs the program in a directory until it ends.
func use(t testing.TB, dir string, args ...string) said {
	t.Helper()
	return ended(t, call(t, dir, args...))
}

// ended runs a prepared program until it ends.
func ended(t testing.TB, cmd *exec.Cmd) said {
	t.Helper()
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return said{cmd.ProcessState.ExitCode(), out.String(), log.String()}
}

func TestTheReleaseIsOneSmallStaticFile(t *testing.T) {
	info, err := os.Stat(released)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= 28_000_000 {
		t.Errorf("it has %d bytes, want fewer than 28 million", info.Size())
	}
	f, err := elf.Open(released)
	if err != nil {
		t.Skipf("not a program of this kind of system: %v", err)
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("it asks for a dynamic linker")
	}
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
		t.Errorf("it needs the libraries %v (%v), want none", libraries, err)
	}
	if f.Section(".debug_info") != nil || f.Section(".symtab") != nil {
		t.Error("it is not stripped")
	}
	if got := use(t, t.TempDir(), "version"); got.code != 0 || !strings.HasPrefix(got.out, "gatelodge ") || got.err != "" {
		t.Errorf("version: got %+v", got)
	}
}
