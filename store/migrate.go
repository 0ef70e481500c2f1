package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one forward step. There are no steps back: the way back is the
// backup that is made before.
type migration struct {
	version int
	name    string
	text    string
	// rebuilds says that the step makes a table anew, which SQLite needs where
	// other engines alter it. References to the table are not followed meanwhile.
	rebuilds bool
}

func (m migration) sum() string { return fmt.Sprintf("%x", sha256.Sum256([]byte(m.text))) }

// loadMigrations reads the steps of one engine in order and insists on 1, 2, 3
// and so on. A step is one text for all engines, 0001_start.sql, or where that
// cannot be one for each: 0002_name.sqlite.sql and 0002_name.postgres.sql.
func loadMigrations(files fs.FS, engine string) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var steps []migration
	for _, name := range names {
		base := strings.TrimPrefix(name, "migrations/")
		title, of, own := strings.Cut(strings.TrimSuffix(base, ".sql"), ".")
		if own && of != engine {
			continue
		}
		number, _, _ := strings.Cut(title, "_")
		if v, err := strconv.Atoi(number); err != nil || v != len(steps)+1 {
			return nil, fmt.Errorf("migration %s: want number %d", base, len(steps)+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, migration{version: len(steps) + 1, name: base, text: string(text), rebuilds: own})
	}
	return steps, nil
}

// migrate brings the database to the newest version this program knows, each
// step in a transaction with its record. fresh says that the file is new.
func (db *DB) migrate(ctx context.Context, fresh bool) error {
	steps, err := loadMigrations(migrationFiles, "sqlite")
	if err != nil {
		return err
	}
	return db.migrateTo(ctx, fresh, steps)
}

func (db *DB) migrateTo(ctx context.Context, fresh bool, steps []migration) error {
	if !fresh {
		// A first start that was killed may have left an empty database.
		var tables, id int
		err := db.writers.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM sqlite_schema), application_id FROM pragma_application_id").Scan(&tables, &id)
		if err != nil {
			return err
		}
		fresh = tables == 0 && id == 0
	}
	if fresh {
		if _, err := db.writers.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
			return err
		}
	}
	var id, version int
	if err := db.writers.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if id != applicationID {
		return &classified{kind: ErrForeign, err: fmt.Errorf("its application id is %#x", id)}
	}
	if err := db.writers.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(steps) {
		return &Problem{
			kind: ErrNewer,
			text: fmt.Sprintf("the database in %s was written by a newer Gatelodge (schema %d; this one knows %d)", db.dir, version, len(steps)),
			hint: fmt.Sprintf("run the newer program, or restore %s/%s/pre-v%d.db with this one", db.dir, backupsName, len(steps)+1),
		}
	}
	if err := db.checkApplied(ctx, steps[:version]); err != nil {
		return err
	}
	if version > 0 && version < len(steps) {
		if err := db.backupBefore(ctx, version+1); err != nil {
			return err
		}
	}
	for _, step := range steps[version:] {
		if err := db.apply(ctx, step); err != nil {
			return fmt.Errorf("migration %s: %w", step.name, err)
		}
	}
	return nil
}

// checkApplied compares the text of the steps taken with the text this program
// has. A difference is told, not refused: the house must open.
func (db *DB) checkApplied(ctx context.Context, steps []migration) error {
	for _, step := range steps {
		var sum string
		err := db.writers.QueryRowContext(ctx, `SELECT checksum FROM schema_migrations WHERE version = $1`, step.version).Scan(&sum)
		if err != nil {
			return fmt.Errorf("reading the record of migration %d: %w", step.version, err)
		}
		if sum != step.sum() {
			db.log.Warn("a migration was applied with another text", "migration", step.name)
		}
	}
	return nil
}

func (db *DB) backupBefore(ctx context.Context, version int) error {
	dir := filepath.Join(db.dir, backupsName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", dir, err)
	}
	path := filepath.Join(dir, fmt.Sprintf("pre-v%d.db", version))
	// One from an interrupted attempt holds the same, or less.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := vacuumInto(ctx, db.writers, path); err != nil {
		return fmt.Errorf("the backup before migrating: %w", err)
	}
	db.log.Info("backed up before migrating", "file", path)
	return nil
}

func (db *DB) apply(ctx context.Context, step migration) error {
	if step.rebuilds {
		// Only outside a transaction, and the pool has one connection.
		if _, err := db.writers.ExecContext(ctx, "PRAGMA foreign_keys = 0"); err != nil {
			return err
		}
		err := db.applyStep(ctx, step)
		_, on := db.writers.ExecContext(context.WithoutCancel(ctx), "PRAGMA foreign_keys = 1")
		return errors.Join(err, on)
	}
	return db.applyStep(ctx, step)
}

func (db *DB) applyStep(ctx context.Context, step migration) error {
	tx, err := db.writers.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if step.version == 1 {
		if err := db.begin(ctx, tx); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, step.text); err != nil {
		return err
	}
	if step.version == 1 {
		if _, err := tx.ExecContext(ctx, setMetaQuery, "canary", db.ring.Seal(canaryPlace, []byte(canaryText))); err != nil {
			return err
		}
	}
	const record = `INSERT INTO schema_migrations (version, checksum, applied_at) VALUES ($1, $2, $3)`
	if _, err := tx.ExecContext(ctx, record, step.version, step.sum(), ms(db.now())); err != nil {
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

// begin makes the table that records the steps, in the first step's own
// transaction.
func (db *DB) begin(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `
		CREATE TABLE schema_migrations (
		  version    INTEGER NOT NULL PRIMARY KEY,
		  checksum   TEXT    NOT NULL,
		  applied_at INTEGER NOT NULL
		) STRICT`)
	return err
}
