// Package store remembers: users, sessions, challenges, queued mail and the
// audit log, in an embedded SQLite database.
//
// What Update returned without an error is on the disk: the write-ahead log is
// synced before the caller continues. Writes of many callers share one commit.
// Reads never wait for writes. Values that must not be readable in a stolen
// file are sealed with a key kept outside the database.
//
// The package decides nothing: who may do what, and what a moment means, is
// the business of its callers, which pass the time in.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"
)

// Options say where the store lives and how it reports.
type Options struct {
	Dir string // the data directory; made when missing
	// Database is a PostgreSQL database, "postgres://…"; "" is SQLite in Dir. The
	// key and the admin socket are in Dir either way.
	Database string
	Log      *slog.Logger // nil discards
	Now      func() time.Time
}

// DB is the open store. Its methods may be called from many goroutines.
type DB struct {
	dir     string
	log     *slog.Logger
	now     func() time.Time
	ring    *Keyring
	lock    *os.File
	engine  engine
	readers *sql.DB
	writers *sql.DB // on SQLite one connection, used by the writer goroutine alone
	hot     hotStatements
	cache   sessionCache
}

// Names within the data directory.
const (
	databaseName = "gatelodge.db"
	keyName      = "secret.key"
	lockName     = "gatelodge.lock"
	backupsName  = "backups"
)

// Open opens the store in o.Dir, making the directory, the key and the
// database when there are none, and bringing an older database up to date
// after a backup. It returns a *Problem for what a person can mend.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	if err := guarded(dir, o.Log); err != nil {
		return nil, err
	}
	held, err := lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, startProblem(dir, err)
	}
	db := &DB{dir: dir, log: o.Log, now: o.Now, lock: held}
	if IsPostgres(o.Database) {
		db.engine = &postgresEngine{DB: db, dsn: o.Database}
	} else {
		db.engine = &sqliteEngine{DB: db, jobs: make(chan *job), closing: make(chan struct{})}
	}
	if err := db.open(ctx); err != nil {
		return nil, errors.Join(db.engine.explain(err), db.closeFiles())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context) error {
	fresh, err := db.engine.fresh(ctx)
	if err != nil {
		return err
	}
	if err := db.loadKey(fresh); err != nil {
		return err
	}
	if err := db.engine.connect(ctx); err != nil {
		return err
	}
	if err := db.migrate(ctx); err != nil {
		return err
	}
	if err := db.checkKey(ctx); err != nil {
		return err
	}
	if err := db.loadRoot(ctx); err != nil {
		return err
	}
	if err := db.prepare(ctx); err != nil {
		return err
	}
	if err := db.engine.settle(ctx); err != nil {
		return err
	}
	return errors.Join(db.endFirst(), giveAllToOwner(db.dir))
}

// loadKey reads the key file, or makes one when there is no database yet.
func (db *DB) loadKey(fresh bool) (err error) {
	if err := errors.Join(clearKeyTemporaries(db.dir), clearRestores(db.dir)); err != nil {
		return err
	}
	path := filepath.Join(db.dir, keyName)
	if fresh {
		if err := db.beginFirst(); err != nil {
			return err
		}
		if err := newKeyFile(path, db.now()); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("making the key file: %w", err)
		}
	}
	db.ring, err = readKeyFile(path)
	return err
}

func (db *DB) path() string { return filepath.Join(db.dir, databaseName) }

// Dir returns the data directory, absolute.
func (db *DB) Dir() string { return db.dir }

// Owner names this process as a holder of leases.
func (db *DB) Owner() string { return db.engine.owner() }

// Shared reports whether other processes may change the database too.
func (db *DB) Shared() bool { return db.engine.shared() }

// Keyring returns the keys of this database.
func (db *DB) Keyring() *Keyring { return db.ring }

func makeDir(dir string) error {
	_, missing := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return startProblem(dir, err)
	}
	if errors.Is(missing, fs.ErrNotExist) {
		if err := giveToOwner(dir); err != nil {
			return startProblem(dir, err)
		}
	}
	kind, err := networkFileSystem(dir)
	if err != nil {
		return startProblem(dir, err)
	}
	if kind != "" {
		return &Problem{
			kind: ErrNetwork, text: "the data directory " + dir + " is on a network file system (" + kind + "), where SQLite loses data",
			hint: "put data_dir on a disk of this machine",
		}
	}
	return nil
}

// guarded refuses a directory that everyone on the machine may write to. A user who can
// write there can put a database, a key or an admin socket of their own in the place
// of ours, whatever the modes of the files.
func guarded(dir string, log *slog.Logger) error {
	info, err := os.Stat(dir)
	if err != nil {
		return startProblem(dir, err)
	}
	mode := info.Mode().Perm()
	if mode&0o002 != 0 {
		return &Problem{
			kind: ErrExposed, text: fmt.Sprintf("every user of this machine may write to the data directory %s (mode %04o)", dir, mode),
			hint: "chmod 700 " + dir + ", or set data_dir to a directory of Gatelodge's own",
		}
	}
	if mode&0o020 != 0 {
		log.Warn("the group may write to the data directory and so replace the database; remove that with chmod g-w", "dir", dir, "mode", fmt.Sprintf("%04o", mode))
	}
	return nil
}

// Close writes what is queued, marks the stop as clean and frees the directory.
func (db *DB) Close() error { return errors.Join(db.engine.close(), db.closeFiles()) }

func (db *DB) closeFiles() error {
	errs := []error{db.hot.close()}
	for _, pool := range []*sql.DB{db.readers, db.writers} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(append(errs, giveAllToOwner(db.dir), db.lock.Close())...)
}

// Tx is one consistent look at the store, and inside Update the right to
// change it. It must not be kept after the function it was given to.
type Tx struct {
	ctx context.Context
	q   querier
	db  *DB
}

type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// View runs f on a snapshot. It sees everything that was committed before it
// began. f may run twice, so it must only set its results.
//
// On PostgreSQL it ends after some seconds with ErrUnreachable.
func (db *DB) View(ctx context.Context, f func(*Tx) error) error {
	if db.Shared() {
		bounded, done := db.engine.within(ctx)
		defer done()
		ctx = bounded
	}
	return db.LongView(ctx, f)
}

// LongView is View for what reads whole tables, and ends with ctx alone.
func (db *DB) LongView(ctx context.Context, f func(*Tx) error) error {
	begun := time.Now()
	for {
		err := db.viewOnce(ctx, f)
		if err == nil || !db.engine.again(ctx, err, begun) {
			return classify(err)
		}
	}
}

func (db *DB) viewOnce(ctx context.Context, f func(*Tx) error) error {
	tx, q, err := db.engine.view(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(&Tx{ctx: ctx, q: q, db: db})
}

// Update runs f in a transaction of its own and returns when it is on the
// disk. An error or panic of f undoes f alone. f may run several times, so it
// must only set its results, never add to them; after a statement failed it must
// do nothing more; and it must not hash, send or wait: others stand behind it. A
// ctx that ends before f began stops it; afterwards it runs to its end.
func (db *DB) Update(ctx context.Context, f func(*Tx) error) error { return db.engine.update(ctx, f) }

// slowJob is how long a write may hold up others before the log says so.
const slowJob = 50 * time.Millisecond

// run runs f on a transaction and turns a panic into an error.
func (db *DB) run(ctx context.Context, q querier, f func(*Tx) error) (err error) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
		if d := time.Since(start); d > slowJob {
			db.log.Warn("a write held up the others", "for", d)
		}
	}()
	return f(&Tx{ctx: ctx, q: q, db: db})
}

// Ready reports whether a write reaches the disk and the key opens what is in
// the database.
func (db *DB) Ready(ctx context.Context) error {
	if err := db.engine.ready(); err != nil {
		return err
	}
	if err := db.checkKey(ctx); err != nil {
		return err
	}
	return db.Update(ctx, func(tx *Tx) error {
		return tx.SetMoment("ready_at", tx.db.now())
	})
}

// ms and at turn times into the store's milliseconds and back; the zero time
// is NULL.
func ms(t time.Time) int64 { return t.UnixMilli() }

func at(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func nullMs(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: ms(t), Valid: !t.IsZero()}
}

func atNull(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return at(n.Int64)
}

// bit is how a bool is bound: PostgreSQL refuses a Go bool for an integer column.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
