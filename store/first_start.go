package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// firstName marks a directory whose first start is not over: the key is there, the
// database perhaps not. Without the mark a key beside an empty database means that
// the database was lost, and a new one must not take its place.
const firstName = "first-start"

// beginFirst marks the directory unless something shows that a database was here.
// The caller holds the directory's lock.
func (db *DB) beginFirst() error {
	mark := filepath.Join(db.dir, firstName)
	if _, err := os.Lstat(mark); err == nil {
		return nil // the last start was cut short
	}
	left, err := db.remains()
	if err != nil {
		return err
	}
	if left != "" {
		return &Problem{
			kind: ErrEmptied, text: fmt.Sprintf("%s has no users or tables, but %s is there: the database was lost or emptied", db.shownDatabase(), left),
			hint: "put back a backup with: gatelodge restore FILE; to start anew without the old data, move secret.key and backups away",
		}
	}
	f, err := os.OpenFile(mark, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDir(db.dir))
}

// endFirst removes the mark: from now on the database is what the key belongs to.
func (db *DB) endFirst() error {
	err := os.Remove(filepath.Join(db.dir, firstName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// remains names what shows that a database was here, or "". On PostgreSQL a key shows
// nothing: it is copied to every server before that starts.
func (db *DB) remains() (string, error) {
	names := []string{keyName, databaseName + "-wal", databaseName + "-journal"}
	if db.Shared() {
		names = []string{databaseName}
	}
	for _, name := range names {
		path := filepath.Join(db.dir, name)
		info, err := os.Stat(path)
		if err == nil && info.Size() > 0 {
			return path, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	backups, err := filepath.Glob(filepath.Join(escapeGlob(db.dir), backupsName, "*.db"))
	if err == nil && len(backups) > 0 {
		return filepath.Join(db.dir, backupsName), nil
	}
	return "", err
}

func (db *DB) shownDatabase() string {
	if e, ok := db.engine.(*postgresEngine); ok {
		return "the database " + ShownDatabase(e.dsn)
	}
	return "the database " + db.path()
}
