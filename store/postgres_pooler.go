package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// pgConnectionWithin is how long a start waits for one more connection, after the
// server has answered on the first.
const pgConnectionWithin = 2 * time.Second

// tryPool opens the connections that the pool may have. A pooler that gives each
// transaction another server connection is refused, because advisory locks, settings
// and prepared statements belong to a connection. One that has fewer connections for
// us than we may use would let requests wait for the rest.
func (e *postgresEngine) tryPool(ctx context.Context) (err error) {
	first, err := e.writers.Conn(ctx)
	if err != nil {
		return err
	}
	defer first.Close()
	server, err := serverProcess(ctx, first)
	if err != nil {
		return err
	}
	open := 1
	for ; open < e.connections; open++ {
		conn, other, err := e.another(ctx)
		if errors.Is(classify(err), ErrUnreachable) && ctx.Err() == nil {
			// The first connection got an answer, so this one is too many.
			break
		}
		if err != nil {
			return err
		}
		defer func() {
			_, rolledBack := conn.ExecContext(ctx, "ROLLBACK")
			err = errors.Join(err, rolledBack, conn.Close())
		}()
		if other == server {
			return errTransactionPooling
		}
	}
	now, err := serverProcess(ctx, first)
	if err != nil {
		return err
	}
	if now != server {
		return errTransactionPooling
	}
	if open < pgFewest {
		return &Problem{
			kind: ErrUnreachable, text: fmt.Sprintf("the database gives Gatelodge %d connections, and it needs %d", open, pgFewest),
			hint: "raise default_pool_size in pgbouncer.ini, or max_connections in postgresql.conf",
		}
	}
	if open < e.connections {
		e.connections = open
		e.writers.SetMaxOpenConns(open)
		e.log.Warn("the database gives fewer connections than Gatelodge uses at most", "connections", open,
			"hint", "raise default_pool_size in pgbouncer.ini, or add connection_limit=N to the setting database")
	}
	return nil
}

// another begins a transaction on a connection of its own and returns the server
// process that runs it.
func (e *postgresEngine) another(ctx context.Context) (*sql.Conn, int, error) {
	ctx, cancel := context.WithTimeout(ctx, pgConnectionWithin)
	defer cancel()
	conn, err := e.writers.Conn(ctx)
	if err != nil {
		return nil, 0, err
	}
	_, err = conn.ExecContext(ctx, "BEGIN")
	var process int
	if err == nil {
		process, err = serverProcess(ctx, conn)
	}
	if err != nil {
		return nil, 0, errors.Join(err, conn.Close())
	}
	return conn, process, nil
}

// serverProcess returns the id of the server process that answers.
func serverProcess(ctx context.Context, conn *sql.Conn) (int, error) {
	var pid int
	err := conn.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&pid)
	return pid, err
}

var errTransactionPooling = &Problem{
	kind: ErrUnreachable, text: "the database is behind a connection pooler in transaction mode, which Gatelodge cannot use",
	hint: "set pool_mode=session for this database in pgbouncer.ini, or connect to PostgreSQL itself",
}
