package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"
)

// presenceEvery is how often a process looks whether its sign of life holds.
const presenceEvery = 10 * time.Second

// settle shows the other processes that this one lives, until close.
func (e *postgresEngine) settle(ctx context.Context) error {
	e.instance = rand.Int32()
	conn, err := e.appear(ctx)
	if err != nil {
		return err
	}
	living, leave := context.WithCancel(context.WithoutCancel(ctx))
	e.leave = leave
	e.present.Go(func() { e.stay(living, conn) })
	return nil
}

// appear takes this process's advisory lock on a connection of its own. The
// server frees it the moment the connection ends, however the process did.
func (e *postgresEngine) appear(ctx context.Context) (*sql.Conn, error) {
	ctx, cancel := e.within(ctx)
	defer cancel()
	conn, err := e.writers.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock(CAST(`+schemaID+` AS INTEGER), $1)`, e.instance); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// stay keeps the lock, and takes it again after the server was away. Meanwhile
// others may take over mail that is being sent here: the fence in its row keeps
// it from being sent twice.
func (e *postgresEngine) stay(ctx context.Context, conn *sql.Conn) {
	tick := time.NewTicker(presenceEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if conn != nil {
				e.disappear(conn)
			}
			return
		case <-tick.C:
		}
		if conn != nil && e.alive(ctx, conn) {
			continue
		}
		if conn != nil {
			_ = conn.Close() // it is broken: there is nothing left to lose
		}
		var err error
		if conn, err = e.appear(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("this process cannot show the others that it lives", "err", classify(err))
		}
	}
}

// alive reports whether the connection leads to a server that takes writes. When that
// has become a standby, every connection is replaced: reads there grow old unnoticed.
func (e *postgresEngine) alive(ctx context.Context, conn *sql.Conn) bool {
	ctx, cancel := e.within(ctx)
	defer cancel()
	var readOnly bool
	err := conn.QueryRowContext(ctx, `SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'`).Scan(&readOnly)
	if readOnly {
		e.connector.renew()
	}
	return err == nil && !readOnly
}

func (e *postgresEngine) disappear(conn *sql.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := conn.ExecContext(ctx, `SELECT pg_advisory_unlock(CAST(`+schemaID+` AS INTEGER), $1)`, e.instance)
	if err := errors.Join(err, conn.Close()); err != nil {
		e.log.Warn("leaving the database", "err", classify(err))
	}
}

func (e *postgresEngine) close() error {
	e.leave()
	e.present.Wait()
	e.connector.hurry()
	return nil
}

func (e *postgresEngine) owner() string { return strconv.Itoa(int(e.instance)) }

func (e *postgresEngine) orphans() string { return "lease_owner NOT IN (" + livingInstances + ")" }

func (e *postgresEngine) shared() bool { return true }

// schemaID is the class of the locks by which the processes over one schema know
// each other.
const schemaID = `(SELECT oid FROM pg_namespace WHERE nspname = current_schema())`

// livingInstances selects the processes that hold their lock now.
const livingInstances = `
	SELECT CAST(l.objid AS TEXT)
	  FROM pg_locks l
	  JOIN pg_database d ON d.oid = l.database
	 WHERE l.locktype = 'advisory' AND l.granted AND l.classid = ` + schemaID + ` AND d.datname = current_database()`
