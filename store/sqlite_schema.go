package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// version marks a new file as ours and returns the version of its schema.
func (e *sqliteEngine) version(ctx context.Context) (int, error) {
	var tables, id, version int
	err := e.writers.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM sqlite_schema), application_id FROM pragma_application_id").Scan(&tables, &id)
	if err != nil {
		return 0, err
	}
	// Empty when it is new, or when a first start was killed.
	if tables == 0 && id == 0 {
		_, err := e.writers.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
		return 0, err
	}
	if id != applicationID {
		return 0, &classified{kind: ErrForeign, err: fmt.Errorf("its application id is %#x", id)}
	}
	err = e.writers.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	return version, err
}

func (e *sqliteEngine) backup(ctx context.Context, version int) error {
	path, err := e.backupPath(version)
	if err != nil {
		return err
	}
	if err := vacuumInto(ctx, e.writers, path); err != nil {
		return err
	}
	e.log.Info("backed up before migrating", "file", path)
	return nil
}

func (e *sqliteEngine) apply(ctx context.Context, step migration) error {
	if !step.rebuilds {
		return e.applyStep(ctx, step)
	}
	// Only outside a transaction, and the pool has one connection.
	if _, err := e.writers.ExecContext(ctx, "PRAGMA foreign_keys = 0"); err != nil {
		return err
	}
	err := e.applyStep(ctx, step)
	_, on := e.writers.ExecContext(context.WithoutCancel(ctx), "PRAGMA foreign_keys = 1")
	return errors.Join(err, on)
}

func (e *sqliteEngine) applyStep(ctx context.Context, step migration) error {
	tx, err := e.writers.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	text := step.text
	if step.version == 1 {
		text = migrationsTable + ";" + text
	}
	if _, err := tx.ExecContext(ctx, text); err != nil {
		return err
	}
	if err := e.record(ctx, tx, step); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", step.version)); err != nil {
		return err
	}
	if step.rebuilds {
		if err := wantWholeReferences(ctx, tx); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// wantWholeReferences fails when a row refers to one that is not there.
func wantWholeReferences(ctx context.Context, tx *sql.Tx) error {
	var table string
	err := tx.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("rows of %s refer to rows that are not there", table)
	}
	return err
}
