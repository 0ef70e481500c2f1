package store

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"time"
)

// engine is what differs between SQLite and PostgreSQL. The rest of this
// package is one text for both.
type engine interface {
	// name is the engine's in the names of migrations.
	name() string
	// fresh reports whether there is no database yet, without making one.
	fresh(ctx context.Context) (bool, error)
	// connect opens the pools.
	connect(ctx context.Context) error
	// version returns the version of the schema, 0 for a new database. It refuses
	// a database that is not ours.
	version(ctx context.Context) (int, error)
	// backup makes the way back before a migration to that version.
	backup(ctx context.Context, version int) error
	// copyOut writes a snapshot to a SQLite file that is not there yet.
	copyOut(ctx context.Context, path string) error
	// apply takes a step in a transaction with its record, unless another process
	// has taken it in the meantime.
	apply(ctx context.Context, step migration) error
	// settle looks, once the schema is right, whether the data is, and takes this
	// process's place among others.
	settle(ctx context.Context) error
	// view begins a snapshot.
	view(ctx context.Context) (*sql.Tx, querier, error)
	// update runs f in a transaction and returns when it is on the disk.
	update(ctx context.Context, f func(*Tx) error) error
	// ready reports what stands in the way of the next writes.
	ready() error
	// again reports whether a read that was begun then and failed may be made again,
	// after a pause.
	again(ctx context.Context, err error, begun time.Time) bool
	// within bounds one lookup whose caller cannot wait for ever.
	within(ctx context.Context) (context.Context, context.CancelFunc)
	// owner names this process as the holder of leases.
	owner() string
	// orphans is the condition under which a lease has lost its holder.
	orphans() string
	// shared reports whether other processes may change the database.
	shared() bool
	// close ends a run well.
	close() error
	// skipLocked is what a claim appends to the search for its row.
	skipLocked() string
	// explain says in words why the store cannot open.
	explain(err error) error
}

// IsPostgres reports whether a database's name says PostgreSQL:
// postgres://… or postgresql://….
func IsPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

// ShownDatabase returns a database's name without the password in it, for logs
// and errors.
func ShownDatabase(database string) string {
	u, err := url.Parse(hostsApart(database))
	if err != nil {
		return "postgres://…" // it may hold a password at an unknown place
	}
	q := u.Query()
	for _, secret := range []string{"password", "sslpassword"} {
		if q.Has(secret) {
			q.Set(secret, "…")
		}
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "%E2%80%A6", "…")
	if _, set := u.User.Password(); set {
		u.User = url.User(u.User.Username())
	}
	return u.String()
}
