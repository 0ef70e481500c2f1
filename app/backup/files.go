package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	stampForm = "20060102T150405Z" // sorts by time, and every file system takes it
	suffix    = ".db"
	// halfPattern is the directory of a backup that is not whole yet.
	halfPattern = ".gatelodge-backup-"
	// halfAfter is how long nothing in it has changed when nobody writes it.
	halfAfter = time.Hour
)

// Made is one backup.
type Made struct {
	Path string
	At   time.Time
	Size int64
}

func (b *Backups) nameAt(at time.Time) string { return b.name + at.UTC().Format(stampForm) + suffix }

// kept returns our backups, the newest first. Files of other houses, and those
// that people have put there, are not among them.
func (b *Backups) kept() ([]Made, error) {
	entries, err := os.ReadDir(b.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the backups: %w", err)
	}
	var list []Made
	for _, entry := range entries {
		stamp, ours := strings.CutPrefix(entry.Name(), b.name)
		stamp, whole := strings.CutSuffix(stamp, suffix)
		at, err := time.Parse(stampForm, stamp)
		if !ours || !whole || err != nil || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("listing the backups: %w", err)
		}
		list = append(list, Made{Path: filepath.Join(b.Dir, entry.Name()), At: at, Size: info.Size()})
	}
	slices.SortFunc(list, func(a, b Made) int { return b.At.Compare(a.At) })
	return list, nil
}

// prune removes the oldest of our backups beyond the number to keep, and never
// the one just made, whatever the clock says.
func (b *Backups) prune(made string) error {
	list, err := b.kept()
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(m Made) bool { return m.Path == made })
	for _, m := range list[min(len(list), b.Keep-1):] {
		if err := os.Remove(m.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing an old backup: %w", err)
		}
	}
	return nil
}

// clear removes halves that a killed process has left.
func (b *Backups) clear() error {
	entries, err := os.ReadDir(b.Dir)
	if err != nil {
		return fmt.Errorf("listing the backups: %w", err)
	}
	for _, entry := range entries {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), halfPattern) {
			continue
		}
		path := filepath.Join(b.Dir, entry.Name())
		changed, err := lastChange(path)
		if err == nil && time.Since(changed) > halfAfter {
			err = os.RemoveAll(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing half a backup: %w", err)
		}
	}
	return nil
}

// lastChange returns when a directory or a file in it was last written.
func lastChange(dir string) (time.Time, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return time.Time{}, err
	}
	last := info.ModTime()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return last, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return last, err
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	return last, nil
}
