package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/lib/pq"
)

// postgresKind returns the kind of an error of PostgreSQL or of the way there,
// or nil. Codes are those of the manual's appendix A.
func postgresKind(err error) error {
	if p, ok := errors.AsType[*pq.Error](err); ok {
		switch {
		case p.Code == "23505":
			return ErrConflict
		case errors.As(err, new(*unconnected)):
			return ErrUnreachable
		case p.Code == "53100":
			return ErrFull
		case p.Code == "25006", p.Code == "0A000", p.Code == "42501":
			return ErrReadOnly // read-only, or a standby, where SERIALIZABLE is not supported; no privilege
		case p.Code == "XX001", p.Code == "XX002":
			return ErrCorrupt
		case p.Code == "58030", p.Code == "58P01", p.Code == "58000":
			return ErrIO
		case p.Code == "55P03", p.Code == "55006", isConflict(err):
			return ErrBusy // locked by others, or in their way for too long
		case slices.ContainsFunc(pgUnreachable, func(class string) bool { return strings.HasPrefix(string(p.Code), class) }),
			p.Code == "25P03", p.Code == "25P04", p.Code == "3D000":
			return ErrUnreachable
		}
		return nil
	}
	var network *net.OpError
	switch {
	case errors.As(err, &network), errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrUnreachable
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, new(*unconnected)):
		return ErrUnreachable
	}
	return nil
}

// isStale reports whether a statement failed because of the connection that it went
// over: the server at its other end has become a standby, or knows a prepared
// statement from before a migration.
func isStale(err error) bool {
	p, ok := errors.AsType[*pq.Error](err)
	return ok && (p.Code == "25006" || p.Code == "0A000")
}

// pgUnreachable are the classes of codes that mean that the server does not serve us
// now: connections, passwords, resources such as too many clients, and its operator's
// intervention, which covers shutdowns and statements that were cancelled because they
// took too long.
var pgUnreachable = []string{"08", "28", "53", "57"}

// isConflict reports whether a transaction lost against others and may run
// again.
func isConflict(err error) bool {
	p, ok := errors.AsType[*pq.Error](err)
	return ok && (p.Code == "40001" || p.Code == "40P01")
}

// explain says in words why the database cannot be used.
func (e *postgresEngine) explain(err error) error {
	if errors.As(err, new(*Problem)) || errors.Is(err, context.Canceled) {
		return err
	}
	shown := ShownDatabase(e.dsn)
	p := &Problem{kind: ErrUnreachable, text: "the database " + shown + " cannot be used", cause: err}
	pg, ok := errors.AsType[*pq.Error](err)
	if ok {
		p.cause = errors.New(pg.Message)
	}
	switch {
	case errors.As(err, new(*badName)):
		p.cause = nil // it would repeat the password
		p.text, p.hint = "the setting database cannot be read: it is no postgres:// address, or names a file that cannot be read", `write it as postgres://USER@HOST:5432/NAME?sslmode=verify-full&passfile=/etc/gatelodge/pgpass`
	case ok && strings.HasPrefix(pg.Message, "unsupported startup parameter"):
		p.text = "the connection pooler in front of the database " + shown + " refuses an option of the connection"
		p.hint = "remove the option from the setting database, or add it to ignore_startup_parameters in pgbouncer.ini"
	case ok && strings.Contains(pg.Message, "statement pooling mode"):
		return errTransactionPooling
	case !ok && (strings.Contains(err.Error(), "session is read-only") || strings.Contains(err.Error(), "hot standby mode")):
		p.kind, p.text, p.cause = ErrReadOnly, "the database "+shown+" takes no writes: it is a standby, or read-only", nil
		p.passing = true
		p.hint = "name the primary server in the setting database, or all servers: postgres://USER@ONE,OTHER/NAME"
	case ok && strings.HasPrefix(string(pg.Code), "28"):
		p.hint = "check user and password; passfile=PATH in database names a password file, and PGPASSFILE does"
	case ok && pg.Code == "3D000":
		p.hint = "make it first: createdb, owned by the user that Gatelodge connects as"
	case ok && pg.Code == "42501":
		p.kind = ErrPrivilege
		p.hint = "let the user make and use tables there: GRANT USAGE, CREATE ON SCHEMA public TO the user, or own the database and its tables"
	case errors.Is(classify(err), ErrUnreachable):
		p.text, p.passing = "the database "+shown+" cannot be reached", true
		p.hint = "start it, or fix the setting database in the configuration; nothing was changed"
	case errors.Is(classify(err), ErrForeign), errors.Is(classify(err), ErrFull), errors.Is(classify(err), ErrReadOnly):
		p.kind = classify(err)
		p.hint = "look at the database server"
	default:
		p.hint = "look at the database server's log"
	}
	return p
}
