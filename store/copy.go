package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Copied says what a copy moved.
type Copied struct {
	Tables int
	Rows   int
	Users  int
}

// Progress gets how far a copy is: rows of a table, of so many.
type Progress func(table string, done, total int)

// Copy moves everything from one database into an empty one, "file:PATH" or
// "postgres://…", in either direction. It reads one snapshot, compares counts
// and digests of each table with what arrived, and leaves either all of it or
// nothing. Sealed values stay sealed with the same key. No server may be
// running on the database that is copied: what it writes meanwhile would be
// missing.
func Copy(ctx context.Context, from, to string, progress Progress) (Copied, error) {
	if progress == nil {
		progress = func(string, int, int) {}
	}
	source, err := openSource(ctx, from)
	if err != nil {
		return Copied{}, err
	}
	defer source.close()
	if err := source.wantNoServer(ctx); err != nil {
		return Copied{}, err
	}
	if IsPostgres(to) {
		return copyToPostgres(ctx, source, to, progress)
	}
	path, err := filePath(to)
	if err != nil {
		return Copied{}, err
	}
	held, err := lockBeside(path)
	if err != nil {
		return Copied{}, err
	}
	c, err := copyToFile(ctx, source, path, progress)
	return c, errors.Join(err, held.Close())
}

// filePath returns the path in "file:PATH".
func filePath(name string) (string, error) {
	path, ok := strings.CutPrefix(name, "file:")
	if !ok || path == "" {
		return "", &Problem{kind: ErrForeign, text: fmt.Sprintf("%q names no database", name), hint: "write file:PATH for SQLite, or postgres://USER@HOST/NAME"}
	}
	return filepath.Abs(path)
}

// held is a lock, or none.
type held struct{ f *os.File }

func (h held) Close() error {
	if h.f == nil {
		return nil
	}
	return h.f.Close()
}

// lockBeside takes the lock of the data directory that the database is in, when
// it is in one.
func lockBeside(path string) (held, error) {
	name := filepath.Join(filepath.Dir(path), lockName)
	if _, err := os.Stat(name); filepath.Base(path) != databaseName && errors.Is(err, fs.ErrNotExist) {
		return held{}, nil
	}
	f, err := lock(name)
	if errors.Is(err, fs.ErrNotExist) {
		return held{}, &Problem{kind: ErrReadOnly, text: "there is no directory " + filepath.Dir(path), hint: "make it first, with mode 0700"}
	}
	return held{f}, err
}

// source is the snapshot that a copy reads.
type source struct {
	name    string // for people
	version int    // of the schema
	pool    *sql.DB
	tx      *sql.Tx
	q       querier
	engine  *postgresEngine // nil for a file
	held    held
}

func (s *source) close() {
	if s.tx != nil {
		_ = s.tx.Rollback() // it has only read
	}
	_ = s.pool.Close()
	_ = s.held.Close()
}

func openSource(ctx context.Context, name string) (*source, error) {
	if IsPostgres(name) {
		return openPostgresSource(ctx, name)
	}
	path, err := filePath(name)
	if err != nil {
		return nil, err
	}
	held, err := lockBeside(path)
	if err != nil {
		return nil, err
	}
	s, err := openFileSource(ctx, path)
	if err != nil {
		return nil, errors.Join(err, held.Close())
	}
	s.held = held
	return s, nil
}

func openFileSource(ctx context.Context, path string) (*source, error) {
	c, err := Inspect(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Problem{kind: ErrNotFound, text: "there is no database " + path, hint: "name the file, such as file:gatelodge-data/" + databaseName}
	}
	if err != nil {
		return nil, err
	}
	s := &source{name: path, version: c.Schema}
	if s.pool, err = sql.Open("sqlite", "file:"+escapePath(path)+"?mode=ro&_pragma=busy_timeout(5000)"); err != nil {
		return nil, err
	}
	if s.tx, err = s.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		s.close()
		return nil, inspectProblem(path, err)
	}
	s.q = s.tx
	return s, nil
}

func openPostgresSource(ctx context.Context, dsn string) (*source, error) {
	e := &postgresEngine{DB: &DB{log: slog.New(slog.DiscardHandler), now: time.Now}, dsn: dsn}
	if err := e.open(); err != nil {
		return nil, e.explain(err)
	}
	s := &source{name: ShownDatabase(dsn), pool: e.readers, engine: e}
	err := s.begin(ctx)
	if err == nil && s.version == 0 {
		err = &Problem{kind: ErrNotFound, text: "the database " + s.name + " is empty", hint: "name the database that Gatelodge has used"}
	}
	if err != nil {
		s.close()
		return nil, e.explain(err)
	}
	return s, nil
}

// begin takes the snapshot of a PostgreSQL database.
func (s *source) begin(ctx context.Context) (err error) {
	if s.tx, s.q, err = s.engine.view(ctx); err != nil {
		return err
	}
	s.version, err = pgVersion(ctx, s.tx)
	return err
}

// wantNoServer refuses a database that servers work on.
func (s *source) wantNoServer(ctx context.Context) error {
	if s.engine == nil {
		return nil // its directory's lock was taken, when it has one
	}
	var n int
	if err := s.q.QueryRowContext(ctx, "SELECT COUNT(*) FROM ("+livingInstances+") l").Scan(&n); err != nil {
		return s.engine.explain(err)
	}
	if n > 0 {
		return &Problem{kind: ErrLocked, text: fmt.Sprintf("%d servers are running on %s", n, s.name), hint: "stop them first: what they write during the copy would be missing"}
	}
	return nil
}

// target takes rows and gives them back to be compared.
type target interface {
	load(ctx context.Context, t table, next func() ([]any, error)) error
	rows(ctx context.Context, query string) (*sql.Rows, error)
}

// copyRows copies every table and compares what arrived.
func copyRows(ctx context.Context, s *source, to target, tables []table, progress Progress) (Copied, error) {
	c := Copied{Tables: len(tables)}
	for _, t := range tables {
		sent, err := copyTable(ctx, s, to, t, progress)
		if err != nil {
			return c, fmt.Errorf("copying %s: %w", t.name, classify(err))
		}
		arrived, err := digestOf(ctx, to.rows, t)
		if err != nil {
			return c, fmt.Errorf("reading back %s: %w", t.name, classify(err))
		}
		if arrived != sent {
			return c, fmt.Errorf("%s: %d rows were sent and %d arrived, or not the same ones", t.name, sent.rows, arrived.rows)
		}
		c.Rows += sent.rows
		if t.name == "users" {
			c.Users = sent.rows
		}
	}
	return c, nil
}

// copyTable returns the digest of what it read.
func copyTable(ctx context.Context, s *source, to target, t table, progress Progress) (digest, error) {
	var d digest
	var total int
	if err := s.q.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.name).Scan(&total); err != nil {
		return d, err
	}
	rows, err := s.q.QueryContext(ctx, t.selectAll())
	if err != nil {
		return d, err
	}
	defer rows.Close()
	progress(t.name, 0, total)
	err = to.load(ctx, t, func() ([]any, error) {
		row, err := t.next(rows)
		if row != nil {
			d.add(row)
			if d.rows%1000 == 0 {
				progress(t.name, d.rows, total)
			}
		}
		return row, err
	})
	progress(t.name, d.rows, total)
	return d, err
}

func digestOf(ctx context.Context, query func(context.Context, string) (*sql.Rows, error), t table) (digest, error) {
	var d digest
	rows, err := query(ctx, t.selectAll())
	if err != nil {
		return d, err
	}
	defer rows.Close()
	for {
		row, err := t.next(rows)
		if row == nil || err != nil {
			return d, err
		}
		d.add(row)
	}
}

// table is one table of the schema, with its columns.
type table struct {
	name    string
	columns []string
}

func (t table) selectAll() string {
	return "SELECT " + strings.Join(t.columns, ", ") + " FROM " + t.name
}

// next reads a row, or returns nil after the last.
func (t table) next(rows *sql.Rows) ([]any, error) {
	if !rows.Next() {
		return nil, rows.Err()
	}
	row, to := make([]any, len(t.columns)), make([]any, len(t.columns))
	for i := range row {
		to[i] = &row[i]
	}
	if err := rows.Scan(to...); err != nil {
		return nil, err
	}
	return cleanTexts(row), nil
}

// digest sums up rows in whatever order they come.
type digest struct {
	rows int
	sum  [4]uint64
}

func (d *digest) add(row []any) {
	var b []byte
	for _, v := range row {
		b = appendValue(b, v)
	}
	hash := sha256.Sum256(b)
	for i := range d.sum {
		d.sum[i] += binary.LittleEndian.Uint64(hash[8*i:])
	}
	d.rows++
}

// appendValue writes a value so that no other one looks the same.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 'n')
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
	case string:
		return append(binary.BigEndian.AppendUint64(append(b, 't'), uint64(len(v))), v...)
	case []byte:
		return append(binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v))), v...)
	}
	return fmt.Appendf(append(b, '?'), "%T %v", v, v)
}
