package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// hotStatements are prepared once: preparing costs as much as running them.
type hotStatements struct {
	sessionByToken *sql.Stmt
}

func (db *DB) prepare(ctx context.Context) error {
	var err error
	db.hot.sessionByToken, err = db.readers.PrepareContext(ctx, sessionByTokenQuery)
	if err != nil {
		return fmt.Errorf("preparing the session lookup: %w", err)
	}
	return nil
}

func (h hotStatements) close() error {
	if h.sessionByToken == nil {
		return nil
	}
	return errors.Join(h.sessionByToken.Close())
}
