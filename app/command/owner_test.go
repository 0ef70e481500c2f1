package command_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRootLeavesFilesToTheService runs commands as root on the stopped data of a
// service user, who must be able to use it afterwards.
func TestRootLeavesFilesToTheService(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can leave files to others")
	}
	const service = 65534
	dir := t.TempDir()
	data := filepath.Join(dir, "gatelodge-data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, service, service); err != nil {
		t.Fatal(err)
	}
	check := func(after string) {
		t.Helper()
		err := filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			if owner := info.Sys().(*syscall.Stat_t); owner.Uid != service || owner.Gid != service {
				t.Errorf("after %s, %s is owned by %d:%d", after, path, owner.Uid, owner.Gid)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"user", "add", "mara@home.example"},
		{"key", "rotate"},
		{"backup"},
		{"backup", filepath.Join(data, "own.db")},
	} {
		if got := use(t, dir, args...); got.code != 0 {
			t.Fatalf("%v: got %+v", args, got)
		}
		check(args[0] + " " + args[1%len(args)])
	}
	if err := os.Remove(filepath.Join(data, "gatelodge.db")); err != nil {
		t.Fatal(err)
	}
	if got := use(t, dir, "restore", filepath.Join(data, "own.db")); got.code != 0 {
		t.Fatalf("restore: got %+v", got)
	}
	check("restore")
}
