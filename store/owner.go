package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// giveToOwner lets the owner of a directory own what root has made there: a command
// that runs as root must not leave files that the service cannot open.
func giveToOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	owner, ok := dir.Sys().(*syscall.Stat_t)
	made, known := info.Sys().(*syscall.Stat_t)
	if !ok || !known || made.Uid != 0 || owner.Uid == 0 {
		return nil
	}
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}

// giveAllToOwner does that for everything in the data directory.
func giveAllToOwner(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var errs []error
	for _, pattern := range []string{"*", ".*", filepath.Join(backupsName, "*")} {
		paths, err := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
		errs = append(errs, err)
		for _, path := range paths {
			errs = append(errs, giveToOwner(path))
		}
	}
	return errors.Join(errs...)
}
