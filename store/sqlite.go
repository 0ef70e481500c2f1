package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// applicationID marks our files in SQLite's header: "gate" in ASCII.
const applicationID = 0x67617465

// sqliteEngine is the database file in the data directory. One goroutine writes.
type sqliteEngine struct {
	*DB
	jobs    chan *job
	closing chan struct{}
	closed  sync.WaitGroup
	damaged atomic.Bool // SQLite met a damaged page: nothing is written any more
}

func (e *sqliteEngine) name() string { return "sqlite" }

// skipLocked is empty: there is one writer.
func (e *sqliteEngine) skipLocked() string { return "" }

func (e *sqliteEngine) explain(err error) error { return startProblem(e.dir, err) }

// within ends nothing: a context that can end costs two goroutines a query, more
// than the query.
func (e *sqliteEngine) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithoutCancel(ctx), func() {}
}

func (e *sqliteEngine) owner() string { return "here" }

// orphans is everything: whoever held a lease when this process took the
// database is gone.
func (e *sqliteEngine) orphans() string { return "1 = 1" }

func (e *sqliteEngine) shared() bool { return false }

// again is never, and notices damage that a read met.
func (e *sqliteEngine) again(_ context.Context, err error, _ time.Time) bool {
	e.notice(err)
	return false
}

// notice stops all writing once SQLite has met a damaged page: what is written to
// a damaged file may spoil what is still whole in it. Reading goes on, so who is
// signed in stays so.
func (e *sqliteEngine) notice(err error) {
	if errors.Is(classify(err), ErrCorrupt) && !e.damaged.Swap(true) {
		e.log.Error("the database is damaged; it is only read from now on", "err", err, "hint", restoreHint)
	}
}

const restoreHint = "stop the server, move the database away and put back a backup with: gatelodge restore FILE"

// onePage is the size of a database that has a header and no table.
const onePage = 4096

// fresh also takes a file without tables for none, unless its tables are in a log.
func (e *sqliteEngine) fresh(context.Context) (bool, error) {
	info, err := os.Stat(e.path())
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil || info.Size() > onePage {
		return false, err
	}
	for _, log := range []string{"-wal", "-journal"} {
		held, err := os.Stat(e.path() + log)
		if err == nil && held.Size() > 0 && info.Size() > 0 {
			return false, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return true, nil
}

// connect opens the pools. The file is made readable by its owner alone before
// SQLite sees it; SQLite gives its log files the same mode.
func (e *sqliteEngine) connect(context.Context) error {
	f, err := os.OpenFile(e.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if e.writers, err = openPool(e.path(), false, 1); err != nil {
		return err
	}
	// More readers than twice the cores only add memory and tail latency.
	e.readers, err = openPool(e.path(), true, min(max(runtime.GOMAXPROCS(0), 2), 8))
	return err
}

func (e *sqliteEngine) view(ctx context.Context) (*sql.Tx, querier, error) {
	tx, err := e.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	return tx, tx, err
}

// settle checks the pages after a stop that was not clean, and lets the writer
// begin.
func (e *sqliteEngine) settle(ctx context.Context) error {
	if err := e.checkPages(ctx); err != nil {
		return err
	}
	e.closed.Go(e.write)
	return nil
}

func (e *sqliteEngine) close() error {
	close(e.closing)
	e.closed.Wait()
	if e.damaged.Load() {
		return nil // the next start looks at every page
	}
	return e.markClean()
}

// leastSpace is what one sign-in may need with its mail. A mark can often still
// be written where a row cannot, so a store with less than this is not ready.
const leastSpace = 128 << 10

func (e *sqliteEngine) ready() error {
	if e.damaged.Load() {
		return e.refusal()
	}
	free, err := freeSpace(e.dir)
	if err == nil && free < leastSpace {
		err = &classified{kind: ErrFull, err: fmt.Errorf("%d bytes are free", free)}
	}
	return err
}

// refusal is what a write to a damaged database gets.
func (e *sqliteEngine) refusal() error {
	return &Problem{kind: ErrCorrupt, text: "the database in " + e.dir + " is damaged and only read", hint: restoreHint}
}

// openPool opens a pool of at most n connections. Every pragma travels in the
// DSN, so that each new connection has it.
func openPool(path string, readOnly bool, n int) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}, "_defensive": {"1"}, "_dqs": {"0"}}
	pragmas := []string{
		"busy_timeout(5000)", // first: the others may need it
		"journal_mode(WAL)",
		// FULL, not NORMAL: a sign-out that was acknowledged must survive a
		// power cut. Group commit pays for it.
		"synchronous(FULL)",
		"foreign_keys(1)", "trusted_schema(0)", "cell_size_check(1)",
		"secure_delete(1)", // purged mail leaves no link in free pages
		"cache_size(-2000)", "journal_size_limit(67108864)",
	}
	if readOnly {
		pragmas = append(pragmas, "query_only(1)")
	}
	q["_pragma"] = pragmas
	pool, err := sql.Open("sqlite", "file:"+escapePath(path)+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, nil
}

// escapePath makes a path safe in a file: URI, where ?, # and % have meanings.
func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// classify gives a driver's error its kind, by code and never by text. Errors
// that already have one pass through.
func classify(err error) error {
	if kind := postgresKind(err); kind != nil {
		return &classified{kind: kind, err: err}
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	kind := sqliteKind(e.Code())
	if kind == nil || errors.Is(err, kind) {
		return err
	}
	return &classified{kind: kind, err: err}
}

// sqliteKind returns the kind of one of SQLite's result codes, or nil.
func sqliteKind(code int) error {
	switch code & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		if code == sqlite3.SQLITE_CONSTRAINT_UNIQUE || code == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
			return ErrConflict
		}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return ErrBusy
	case sqlite3.SQLITE_FULL:
		return ErrFull
	case sqlite3.SQLITE_IOERR:
		return ioKind(code)
	case sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_NOLFS, sqlite3.SQLITE_INTERNAL:
		return ErrIO
	case sqlite3.SQLITE_INTERRUPT:
		return context.Canceled
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return ErrReadOnly
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT:
		return ErrCorrupt
	case sqlite3.SQLITE_NOTADB:
		return ErrForeign
	}
	return nil
}

// ioKind returns the kind of one of SQLite's input and output errors. What fails a
// write is a quota, a limit on a file's size, or a disk that has no room for the
// index of the log: SQLITE_FULL is ENOSPC of the database itself alone.
func ioKind(code int) error {
	switch code {
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMOPEN,
		sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC, sqlite3.SQLITE_IOERR_GETTEMPPATH:
		return ErrFull
	case sqlite3.SQLITE_IOERR_CORRUPTFS, sqlite3.SQLITE_IOERR_DATA:
		return ErrCorrupt
	case sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_BLOCKED, sqlite3.SQLITE_IOERR_SHMLOCK:
		return ErrBusy
	}
	return ErrIO
}

type classified struct{ kind, err error }

func (c *classified) Error() string   { return c.err.Error() }
func (c *classified) Unwrap() []error { return []error{c.kind, c.err} }

// startProblem says in words why the store cannot open. What it does not know
// it passes on.
func startProblem(dir string, err error) error {
	if err == nil {
		return nil
	}
	if p := (*Problem)(nil); errors.As(err, &p) {
		return err
	}
	err = classify(err)
	p := &Problem{cause: err}
	switch {
	case errors.Is(err, ErrReadOnly) && noInodes(dir):
		p.kind, p.text = ErrFull, "the disk that holds "+dir+" has no room for another file (no inodes are free)"
		p.hint = "remove some files and start again; nothing was half-written"
	case errors.Is(err, ErrBusy):
		p.kind, p.text = ErrBusy, "another program has locked the database in "+dir
		p.hint = "end that program, such as a sqlite3 shell or a backup tool, and start again"
	case errors.Is(err, ErrIO):
		p.kind, p.text = ErrIO, "the disk that holds "+dir+" cannot be read or written"
		p.hint = "look at the kernel's messages with dmesg, and check the disk"
	case errors.Is(err, ErrFull), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		p.kind, p.text = ErrFull, "the disk that holds "+dir+" is full"
		p.hint = "free some space and start again; nothing was half-written"
	case errors.Is(err, ErrReadOnly), errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		p.kind, p.text = ErrReadOnly, "the data directory "+dir+" cannot be written"
		p.hint = "let the user that runs Gatelodge write there, or choose another directory with -data"
	case errors.Is(err, ErrCorrupt):
		p.kind, p.text = ErrCorrupt, "the database in "+dir+" is damaged"
		p.hint = "move it away and put back a backup with: gatelodge restore FILE"
	case errors.Is(err, ErrForeign):
		p.kind, p.text = ErrForeign, "the file "+dir+"/"+databaseName+" is not a database of Gatelodge"
		p.hint = "move it away, or choose another directory with -data"
	default:
		return fmt.Errorf("opening the store in %s: %w", dir, err)
	}
	return p
}

// checkPages reads every page after a stop that was not clean. It costs 0.4 s
// for a million sessions; after a clean stop nothing.
func (e *sqliteEngine) checkPages(ctx context.Context) error {
	var stopped []byte
	err := e.View(ctx, func(tx *Tx) (err error) {
		stopped, err = tx.meta("clean_stop")
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	clean := err == nil && string(stopped) == "1"
	if !clean {
		var finding string
		if err := e.readers.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&finding); err != nil {
			return err
		}
		if finding != "ok" {
			return &classified{kind: ErrCorrupt, err: errors.New(finding)}
		}
	}
	_, err = e.writers.ExecContext(ctx, setMetaQuery, "clean_stop", []byte("0"))
	return err
}

func (e *sqliteEngine) markClean() error {
	_, err := e.writers.Exec(setMetaQuery, "clean_stop", []byte("1"))
	if err != nil {
		return fmt.Errorf("marking the clean stop: %w", classify(err))
	}
	// Folded in, so that a copy of the one file is whole.
	var busy, log, done int
	if err := e.writers.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done); err != nil {
		return fmt.Errorf("folding in the log: %w", classify(err))
	}
	return nil
}
