package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// applicationID marks our files in SQLite's header: "gate" in ASCII.
const applicationID = 0x67617465

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
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	var kind error
	switch code := e.Code(); code & 0xff {
	case sqlite3.SQLITE_CONSTRAINT:
		if code != sqlite3.SQLITE_CONSTRAINT_UNIQUE && code != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
			return err
		}
		kind = ErrConflict
	case sqlite3.SQLITE_FULL:
		kind = ErrFull
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		kind = ErrReadOnly
	case sqlite3.SQLITE_CORRUPT:
		kind = ErrCorrupt
	case sqlite3.SQLITE_NOTADB:
		kind = ErrForeign
	default:
		return err
	}
	if errors.Is(err, kind) {
		return err
	}
	return &classified{kind: kind, err: err}
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
func (db *DB) checkPages(ctx context.Context) error {
	var stopped []byte
	err := db.View(ctx, func(tx *Tx) (err error) {
		stopped, err = tx.meta("clean_stop")
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	db.clean = err == nil && string(stopped) == "1"
	if !db.clean {
		var finding string
		if err := db.readers.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&finding); err != nil {
			return err
		}
		if finding != "ok" {
			return &classified{kind: ErrCorrupt, err: errors.New(finding)}
		}
	}
	_, err = db.writers.ExecContext(ctx, setMetaQuery, "clean_stop", []byte("0"))
	return err
}

func (db *DB) markClean() error {
	_, err := db.writers.Exec(setMetaQuery, "clean_stop", []byte("1"))
	if err != nil {
		return fmt.Errorf("marking the clean stop: %w", classify(err))
	}
	// Folded in, so that a copy of the one file is whole.
	var busy, log, done int
	if err := db.writers.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &done); err != nil {
		return fmt.Errorf("folding in the log: %w", classify(err))
	}
	return nil
}
