package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// pgConnections is how many connections a process uses at most, and pgFewest the
	// fewest that it works with: one shows the others that it lives.
	pgConnections = 10
	pgFewest      = 3
	// pgWithin bounds one transaction or lookup: a network that swallows packets
	// must not hold requests for ever.
	pgWithin = 8 * time.Second
	// pgConflicts bounds how long a write is tried again because others were in
	// its way, pgRestart how long because the server is away: a restart takes a
	// second or two.
	pgConflicts = 10 * time.Second
	pgRestart   = 4 * time.Second
)

// postgresEngine is a PostgreSQL database that several processes may share.
//
// Writes are SERIALIZABLE: two transactions that could not have run one after
// the other do not both commit, exactly as with SQLite's one writer; the one that
// lost runs again.
type postgresEngine struct {
	*DB
	dsn       string
	connector *pgConnector
	// connections is how many the pool may have.
	connections int
	instance    int32 // the advisory lock that shows others that this process lives
	leave       context.CancelFunc
	present     sync.WaitGroup
}

func (e *postgresEngine) name() string { return "postgres" }

// skipLocked lets the workers of several processes claim without waiting.
func (e *postgresEngine) skipLocked() string { return " FOR UPDATE SKIP LOCKED" }

func (e *postgresEngine) ready() error { return nil }

// open opens the pool. Nothing is dialled yet.
func (e *postgresEngine) open() error {
	name, err := ParsePostgres(e.dsn)
	if err != nil {
		return err
	}
	if warning := name.Warning(); warning != "" {
		e.log.Warn(warning, "hint", "remove them; settings of the server go into options=-c%20NAME=VALUE")
	}
	e.connector = name.forStore().connector()
	e.connections = name.connections
	pool := sql.OpenDB(e.connector)
	pool.SetMaxOpenConns(e.connections)
	pool.SetMaxIdleConns(e.connections)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(30 * time.Minute)
	e.readers, e.writers = pool, pool
	return nil
}

// OpenPostgres opens a pool on the database that a postgres:// name says (see
// ParsePostgres). Nothing is dialled yet.
func OpenPostgres(name string) (*sql.DB, error) {
	n, err := ParsePostgres(name)
	if err != nil {
		return nil, err
	}
	return n.Open()
}

func (n PostgresName) connector() *pgConnector {
	return &pgConnector{config: n.config, open: make(map[*pgSocket]struct{})}
}

// Open opens a pool on the database. Nothing is dialled yet.
func (n PostgresName) Open() (*sql.DB, error) {
	return sql.OpenDB(n.connector()), nil
}

// badName is a database's name that cannot be used. It does not repeat the
// name, in which a password may stand.
type badName struct{ err error }

func (e *badName) Error() string { return "the name of the database cannot be read" }
func (e *badName) Unwrap() error { return e.err }

// local reports whether a server is on this machine: a socket or a loopback
// address.
func local(host string) bool {
	if host == "" || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func (e *postgresEngine) fresh(ctx context.Context) (bool, error) {
	if err := e.open(); err != nil {
		return false, err
	}
	if err := e.tryPool(ctx); err != nil {
		return false, err
	}
	version, err := e.version(ctx)
	return version == 0, err
}

func (e *postgresEngine) connect(context.Context) error { return nil } // fresh has

func (e *postgresEngine) view(ctx context.Context) (*sql.Tx, querier, error) {
	tx, err := e.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	return tx, pgQuerier{tx}, err
}

func (e *postgresEngine) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, pgWithin)
}

// update runs f until it commits, as often as others are in its way.
func (e *postgresEngine) update(ctx context.Context, f func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	begun := context.WithoutCancel(ctx)
	start := time.Now()
	for try := 0; ; try++ {
		committing, err := e.updateOnce(begun, f)
		waited := time.Since(start)
		switch {
		case err == nil:
			return nil
		case isStale(err) && waited < pgRestart:
			e.connector.renew()
		case isConflict(err) && waited < pgConflicts:
		case errors.Is(classify(err), ErrUnreachable) && !committing && waited < pgRestart:
		case errors.Is(classify(err), ErrUnreachable) && committing:
			return fmt.Errorf("the database went away during a commit, which may or may not count: %w", classify(err))
		default:
			return classify(err)
		}
		time.Sleep(backOff(try))
	}
}

// updateOnce says with an error whether it came from the commit: then nobody
// knows what was written.
func (e *postgresEngine) updateOnce(ctx context.Context, f func(*Tx) error) (committing bool, err error) {
	ctx, cancel := e.within(ctx)
	defer cancel()
	tx, err := e.writers.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	if err := e.run(ctx, pgQuerier{tx}, f); err != nil {
		return false, err
	}
	return true, tx.Commit()
}

// backOff is how long to wait before a write or read is tried again: a chance
// pause that doubles up to a quarter of a second.
func backOff(try int) time.Duration {
	most := time.Millisecond << min(try, 8)
	return most/4 + rand.N(most)
}

// again lets a read be made again while the server restarts.
func (e *postgresEngine) again(ctx context.Context, err error, begun time.Time) bool {
	waited := time.Since(begun)
	stale := isStale(err)
	if waited >= pgRestart || ctx.Err() != nil || !stale && !errors.Is(classify(err), ErrUnreachable) {
		return false
	}
	if stale {
		e.connector.renew()
	}
	// The first pauses are short: a connection that was idle too long is replaced at once.
	time.Sleep(min(max(waited, 10*time.Millisecond), 250*time.Millisecond))
	return true
}

// pgQuerier passes PostgreSQL what it takes: no NUL and nothing that is not
// UTF-8 in a text, which SQLite keeps as it comes.
type pgQuerier struct{ querier }

func (q pgQuerier) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return q.querier.ExecContext(ctx, query, cleanTexts(args)...)
}

func (q pgQuerier) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return q.querier.QueryContext(ctx, query, cleanTexts(args)...)
}

func (q pgQuerier) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return q.querier.QueryRowContext(ctx, query, cleanTexts(args)...)
}

// cleanTexts changes args in place.
func cleanTexts(args []any) []any {
	for i, arg := range args {
		if s, ok := arg.(string); ok && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
		}
	}
	return args
}
