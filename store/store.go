// Package store remembers: users, sessions, challenges, queued mail and the
// audit log, in an embedded SQLite database.
//
// What Update returned without an error is on the disk: the write-ahead log is
// synced before anybody is told. Writes of many callers share one commit.
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
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"
)

// Options say where the store lives and how it reports.
type Options struct {
	Dir string       // the data directory; made when missing
	Log *slog.Logger // nil discards
	Now func() time.Time
}

// DB is the open store. Its methods may be called from many goroutines.
type DB struct {
	dir     string
	log     *slog.Logger
	now     func() time.Time
	ring    *Keyring
	lock    *os.File
	readers *sql.DB
	writers *sql.DB // one connection, used by the writer goroutine alone
	jobs    chan *job
	closing chan struct{}
	closed  sync.WaitGroup
	hot     hotStatements
	cache   sessionCache
	clean   bool // the last run ended with Close
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
	held, err := lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, startProblem(dir, err)
	}
	db := &DB{
		dir: dir, log: o.Log, now: o.Now, lock: held,
		jobs: make(chan *job), closing: make(chan struct{}),
	}
	if err := db.open(ctx); err != nil {
		db.closeFiles()
		return nil, startProblem(dir, err)
	}
	db.closed.Go(db.write)
	return db, nil
}

func (db *DB) open(ctx context.Context) error {
	fresh, err := db.loadKey()
	if err != nil {
		return err
	}
	if err := db.connect(); err != nil {
		return err
	}
	if err := db.migrate(ctx, fresh); err != nil {
		return err
	}
	if err := db.checkKey(ctx); err != nil {
		return err
	}
	if err := db.checkPages(ctx); err != nil {
		return err
	}
	return db.prepare(ctx)
}

// loadKey reads the key file, or makes one when there is no database yet. It
// reports whether the database is new.
func (db *DB) loadKey() (fresh bool, err error) {
	path := filepath.Join(db.dir, keyName)
	info, err := os.Stat(db.path())
	fresh = errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0
	if err != nil && !fresh {
		return false, err
	}
	if fresh {
		if err := newKeyFile(path); err != nil && !errors.Is(err, os.ErrExist) {
			return false, fmt.Errorf("making the key file: %w", err)
		}
	}
	db.ring, err = readKeyFile(path)
	return fresh, err
}

func (db *DB) path() string { return filepath.Join(db.dir, databaseName) }

// Dir returns the data directory, absolute.
func (db *DB) Dir() string { return db.dir }

// Keyring returns the keys of this database.
func (db *DB) Keyring() *Keyring { return db.ring }

func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return startProblem(dir, err)
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

// connect opens the pools. The file is made readable by its owner alone before
// SQLite sees it; SQLite gives its log files the same mode.
func (db *DB) connect() error {
	f, err := os.OpenFile(db.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if db.writers, err = openPool(db.path(), false, 1); err != nil {
		return err
	}
	// More readers than twice the cores only add memory and tail latency.
	db.readers, err = openPool(db.path(), true, min(max(runtime.GOMAXPROCS(0), 2), 8))
	return err
}

// Close writes what is queued, folds the log into the database file, marks the
// stop as clean and frees the directory.
func (db *DB) Close() error {
	close(db.closing)
	db.closed.Wait()
	err := db.markClean()
	return errors.Join(err, db.closeFiles())
}

func (db *DB) closeFiles() error {
	var errs []error
	if db.readers != nil {
		errs = append(errs, db.hot.close(), db.readers.Close())
	}
	if db.writers != nil {
		errs = append(errs, db.writers.Close())
	}
	return errors.Join(append(errs, db.lock.Close())...)
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
// began.
func (db *DB) View(ctx context.Context, f func(*Tx) error) error {
	tx, err := db.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return classify(err)
	}
	defer tx.Rollback()
	return classify(f(&Tx{ctx: ctx, q: tx, db: db}))
}

// leastSpace is what one sign-in may need with its mail. A mark can often still
// be written where a row cannot, so a store with less than this is not ready.
const leastSpace = 128 << 10

// Ready reports whether a write reaches the disk and the key opens what is in
// the database.
func (db *DB) Ready(ctx context.Context) error {
	if free, err := freeSpace(db.dir); err != nil {
		return err
	} else if free < leastSpace {
		return &classified{kind: ErrFull, err: fmt.Errorf("%d bytes are free", free)}
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

// bit is how a bool is bound: pgx refuses a Go bool for an integer column.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
