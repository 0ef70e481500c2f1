package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Backup writes a compacted copy of the database to path while everything goes
// on. It refuses to overwrite. The key file is not part of it.
func (db *DB) Backup(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &Problem{kind: ErrConflict, text: path + " exists already", hint: "choose another name, or move it away"}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return db.engine.copyOut(ctx, path)
}

// copyOut writes under a name of its own until the file is whole, so that one
// that bears the wanted name can be trusted.
func (e *sqliteEngine) copyOut(ctx context.Context, path string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".gatelodge-backup-*")
	if err != nil {
		return fmt.Errorf("making a place for the backup: %w", err)
	}
	defer os.RemoveAll(tmp)
	whole := filepath.Join(tmp, "backup.db")
	// A connection of its own: the readers may not write, not even elsewhere,
	// and the writer shall not wait.
	pool, err := openPool(e.path(), false, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := vacuumInto(ctx, pool, whole); err != nil {
		e.notice(err)
		return fmt.Errorf("writing the backup: %w", err)
	}
	if err := publish(whole, path); err != nil {
		return fmt.Errorf("naming the backup: %w", err)
	}
	return nil
}

func vacuumInto(ctx context.Context, pool *sql.DB, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if _, err := pool.ExecContext(ctx, "VACUUM INTO $1", path); err != nil {
		return errors.Join(classify(err), os.Remove(path))
	}
	f, err = os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Contents is what a database file holds, for the question "is this the right
// one?".
type Contents struct {
	Schema    int
	Users     int
	Sessions  int
	Queued    int // mail still to be sent
	ChangedAt time.Time
}

// Inspect says what a backup holds, without changing it and without the key.
func Inspect(ctx context.Context, path string) (Contents, error) {
	var c Contents
	if _, err := os.Stat(path); err != nil {
		return c, err
	}
	pool, err := sql.Open("sqlite", "file:"+escapePath(path)+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return c, err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	var id int
	var finding string
	err = pool.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id)
	if err == nil && id != applicationID {
		err = ErrForeign
	}
	if err == nil {
		err = pool.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&finding)
	}
	if err == nil && finding != "ok" {
		err = fmt.Errorf("%w: %s", ErrCorrupt, finding)
	}
	if err == nil {
		err = pool.QueryRowContext(ctx, "PRAGMA user_version").Scan(&c.Schema)
	}
	if err != nil {
		return c, inspectProblem(path, err)
	}
	const query = `
		SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM sessions),
		       (SELECT COUNT(*) FROM messages WHERE state IN ('queued', 'leased', 'held')),
		       COALESCE((SELECT MAX(at) FROM events), 0)`
	var changed int64
	if err := pool.QueryRowContext(ctx, query).Scan(&c.Users, &c.Sessions, &c.Queued, &changed); err != nil {
		return c, inspectProblem(path, err)
	}
	if changed > 0 {
		c.ChangedAt = at(changed)
	}
	return c, nil
}

func inspectProblem(path string, err error) error {
	err = classify(err)
	switch {
	case errors.Is(err, ErrForeign):
		return &Problem{kind: ErrForeign, text: path + " is not a backup of Gatelodge", hint: "name a file made with: gatelodge backup FILE"}
	case errors.Is(err, ErrCorrupt):
		return &Problem{kind: ErrCorrupt, text: path + " is damaged", cause: err, hint: "use another backup"}
	}
	return fmt.Errorf("reading %s: %w", path, err)
}

// Restore puts the backup at path into an empty database. It refuses when there
// is one, a process holds the data directory, or the key does not open the
// backup; then nothing is changed.
func Restore(ctx context.Context, o Options, path string) (Contents, error) {
	c, err := Inspect(ctx, path)
	if err != nil {
		return c, err
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return c, err
	}
	if err := makeDir(dir); err != nil {
		return c, err
	}
	held, err := lock(filepath.Join(dir, lockName))
	if err != nil {
		return c, startProblem(dir, err)
	}
	if err := guarded(dir, o.Log); err != nil {
		return c, errors.Join(err, held.Close())
	}
	target := filepath.Join(dir, databaseName)
	if IsPostgres(o.Database) {
		err = restorePostgres(ctx, dir, path, o.Database)
	} else {
		err = restoreInto(ctx, dir, path, target)
	}
	if err := errors.Join(err, held.Close()); err != nil {
		return c, startProblem(dir, err)
	}
	// Opening proves the key, applies what is newer in this program, and leaves
	// the directory ready.
	db, err := Open(ctx, o)
	if err != nil && !IsPostgres(o.Database) {
		err = errors.Join(err, removeDatabase(target))
	}
	if err != nil {
		return c, err
	}
	return c, db.Close()
}

func wantKey(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, keyName)); err != nil {
		return &Problem{
			kind: ErrKey, text: "there is no secret.key in " + dir + ", and without it the backup cannot be read",
			hint: "copy the secret.key that belongs to this backup there first",
		}
	}
	return nil
}

func restoreInto(ctx context.Context, dir, path, target string) error {
	if info, err := os.Stat(target); err == nil && info.Size() > 0 {
		held, err := Inspect(ctx, target)
		holds := "a database"
		if err == nil {
			holds = fmt.Sprintf("a database with %d users and %d sessions", held.Users, held.Sessions)
		}
		return &Problem{
			kind: ErrConflict, text: dir + " holds " + holds + " already",
			hint: "move " + target + " away, or restore into another directory with -data",
		}
	}
	if err := wantKey(dir); err != nil {
		return err
	}
	if err := clearRestores(dir); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(dir, restoreTemporary)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	whole := filepath.Join(tmp, databaseName)
	pool, err := sql.Open("sqlite", "file:"+escapePath(path)+"?mode=ro")
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := vacuumInto(ctx, pool, whole); err != nil {
		return err
	}
	// An empty file of that name, and logs of a database that is gone.
	if err := removeDatabase(target); err != nil {
		return err
	}
	return publish(whole, target)
}

// restoreTemporary is the pattern of a directory in which a restored database is not
// whole yet.
const restoreTemporary = ".gatelodge-restore-*"

// clearRestores removes what restores that were killed have left. The caller holds the
// directory's lock.
func clearRestores(dir string) error {
	left, err := filepath.Glob(filepath.Join(escapeGlob(dir), restoreTemporary))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// restorePostgres tries the key before it writes anything.
func restorePostgres(ctx context.Context, dir, path, dsn string) error {
	if err := wantKey(dir); err != nil {
		return err
	}
	ring, err := readKeyFile(filepath.Join(dir, keyName))
	if err != nil {
		return err
	}
	s, err := openFileSource(ctx, path)
	if err != nil {
		return err
	}
	defer s.close()
	if err := checkCanary(&Tx{ctx: ctx, q: s.q}, ring, dir); err != nil {
		return err
	}
	_, err = copyToPostgres(ctx, s, dsn, func(string, int, int) {})
	return err
}

func removeDatabase(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
