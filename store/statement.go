package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// hotStatements are prepared once: preparing costs as much as running them.
type hotStatements struct {
	sessionByToken    *sql.Stmt
	sessionByAppToken *sql.Stmt
}

func (db *DB) prepare(ctx context.Context) error {
	var err error
	db.hot.sessionByToken, err = db.readers.PrepareContext(ctx, sessionByTokenQuery)
	if err != nil {
		return fmt.Errorf("preparing the session lookup: %w", err)
	}
	db.hot.sessionByAppToken, err = db.readers.PrepareContext(ctx, sessionByAppTokenQuery)
	if err != nil {
		return fmt.Errorf("preparing the lookup of App sessions: %w", err)
	}
	return nil
}

func (h hotStatements) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{h.sessionByToken, h.sessionByAppToken} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}
