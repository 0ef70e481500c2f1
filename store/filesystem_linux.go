package store

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// networkFileSystem names the network file system that dir lies on, or "".
// The numbers are statfs(2)'s f_type.
func networkFileSystem(dir string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "", err
	}
	switch uint32(s.Type) {
	case unix.NFS_SUPER_MAGIC:
		return "NFS", nil
	case 0xff534d42, 0xfe534d42, 0x517b:
		return "SMB", nil
	case unix.V9FS_MAGIC:
		return "9p", nil
	case unix.CEPH_SUPER_MAGIC:
		return "Ceph", nil
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "AFS", nil
	}
	return "", nil
}

// noInodes reports whether the file system of dir has no room for another file. Some,
// such as btrfs, do not count them.
func noInodes(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Files > 0 && fs.Ffree == 0
}

// freeSpace returns how many bytes may still be written where dir is.
func freeSpace(dir string) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("asking for the free space of %s: %w", dir, err)
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}
