package store

import (
	"context"
	"crypto/sha256"
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
// step in a transaction with its record.
func (db *DB) migrate(ctx context.Context) error {
	steps, err := loadMigrations(migrationFiles, db.engine.name())
	if err != nil {
		return err
	}
	return db.migrateTo(ctx, steps)
}

func (db *DB) migrateTo(ctx context.Context, steps []migration) error {
	version, err := db.engine.version(ctx)
	if err != nil {
		return err
	}
	if version > len(steps) {
		return db.newer(version, len(steps))
	}
	if err := db.checkApplied(ctx, steps[:version]); err != nil {
		return err
	}
	if version > 0 && version < len(steps) {
		if err := db.engine.backup(ctx, version+1); err != nil {
			return fmt.Errorf("the backup before migrating: %w", err)
		}
	}
	for _, step := range steps[version:] {
		if err := db.engine.apply(ctx, step); err != nil {
			return fmt.Errorf("migration %s: %w", step.name, err)
		}
	}
	return nil
}

// newer is what a database that a newer program wrote gets. The backup from before the
// migration is where that program ran.
func (db *DB) newer(version, known int) *Problem {
	p := &Problem{
		kind: ErrNewer,
		text: fmt.Sprintf("%s was written by a newer Gatelodge (schema %d; this one knows %d)", db.shownDatabase(), version, known),
	}
	name := fmt.Sprintf("pre-v%d.db", known+1)
	path := filepath.Join(db.dir, backupsName, name)
	_, err := os.Stat(path)
	switch {
	case err == nil:
		p.hint = "run the newer program, or restore " + path + " with this one"
	case db.Shared():
		p.hint = "run the newer program on every server; to go back, restore " + backupsName + "/" + name + " from the data directory of the server that migrated"
	default:
		p.hint = "run the newer program, or restore a backup from before it with this one"
	}
	return p
}

// checkApplied compares the text of the steps taken with the text this program
// has. A difference is logged, not refused: the server must start.
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

// backupPath is where the backup before a migration goes. One from an
// interrupted attempt is removed: it holds the same, or less.
func (db *DB) backupPath(version int) (string, error) {
	dir := filepath.Join(db.dir, backupsName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making %s: %w", dir, err)
	}
	path := filepath.Join(dir, fmt.Sprintf("pre-v%d.db", version))
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return path, nil
}

const migrationsTable = `
	CREATE TABLE schema_migrations (
	  version    INTEGER NOT NULL PRIMARY KEY,
	  checksum   TEXT    NOT NULL,
	  applied_at INTEGER NOT NULL
	) STRICT`

// record writes that a step was taken, and with the first one the canary. It is
// part of the step's own transaction.
func (db *DB) record(ctx context.Context, tx querier, step migration) error {
	if step.version == 1 && db.ring != nil { // a copy brings its own
		if _, err := tx.ExecContext(ctx, setMetaQuery, "canary", db.ring.Seal(canaryPlace, []byte(canaryText))); err != nil {
			return err
		}
	}
	const query = `INSERT INTO schema_migrations (version, checksum, applied_at) VALUES ($1, $2, $3)`
	_, err := tx.ExecContext(ctx, query, step.version, step.sum(), ms(db.now()))
	return err
}
