package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
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
		case p.Code == "53100":
			return ErrFull
		case p.Code == "25006":
			return ErrReadOnly
		case p.Code == "XX001", p.Code == "XX002":
			return ErrCorrupt
		case strings.HasPrefix(string(p.Code), "08"), strings.HasPrefix(string(p.Code), "57P"), p.Code == "53300", p.Code == "25P03":
			return ErrUnreachable // connections, shutdowns, too many clients, idled too long
		}
		return nil
	}
	var network *net.OpError
	switch {
	case errors.As(err, &network), errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return ErrUnreachable
	case errors.Is(err, context.DeadlineExceeded):
		return ErrUnreachable
	}
	return nil
}

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
	case ok && strings.HasPrefix(string(pg.Code), "28"):
		p.hint = "check user and password; passfile=PATH in database names a password file, and PGPASSFILE does"
	case ok && pg.Code == "3D000":
		p.hint = "make it first: createdb, owned by the user that Gatelodge connects as"
	case ok && pg.Code == "42501":
		p.hint = "let the user make tables there: GRANT CREATE ON SCHEMA public TO the user, or own the database"
	case errors.Is(classify(err), ErrUnreachable):
		p.text = "the database " + shown + " cannot be reached"
		p.hint = "start it, or mend database in the configuration; nothing was changed"
	case errors.Is(classify(err), ErrForeign), errors.Is(classify(err), ErrFull), errors.Is(classify(err), ErrReadOnly):
		p.kind = classify(err)
		p.hint = "look at the database server"
	default:
		p.hint = "look at the database server's log"
	}
	return p
}
