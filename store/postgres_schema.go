package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// postgresWords turn our DDL, which is SQLite's, into PostgreSQL's. Texts are
// compared byte by byte in both.
var postgresWords = strings.NewReplacer(
	" BLOB", " BYTEA",
	" INTEGER", " BIGINT",
	" TEXT", ` TEXT COLLATE "C"`,
	") STRICT", ")",
)

// migrationLock is the advisory lock that migrations run under, whatever the
// number of processes that start at once.
const migrationLock = 0x67617465

// version returns the version of the schema, 0 when the database has no tables.
func (e *postgresEngine) version(ctx context.Context) (int, error) {
	ctx, cancel := e.within(ctx)
	defer cancel()
	return pgVersion(ctx, e.writers)
}

// closedSchemas selects, where no schema of search_path can be used, the names of those
// that exist.
const closedSchemas = `
	CASE WHEN current_schema() IS NULL
	     THEN (SELECT COALESCE(string_agg(quote_ident(nspname), ', '), '')
	             FROM pg_namespace
	            WHERE nspname = ANY (string_to_array(replace(current_setting('search_path'), '"', ''), ', '))
	              AND NOT has_schema_privilege(oid, 'USAGE'))
	     ELSE '' END`

func pgVersion(ctx context.Context, q querier) (int, error) {
	const query = `
		SELECT COUNT(*) FILTER (WHERE relname IN ('schema_migrations', 'meta')) = 2, COUNT(*), current_schema(), current_database(),
		       current_setting('server_encoding'), ` + closedSchemas + `
		  FROM pg_class
		 WHERE relkind IN ('r', 'p', 'v', 'f') AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())`
	var ours bool
	var tables, version int
	var schema sql.NullString
	var database, encoding, closed string
	if err := q.QueryRowContext(ctx, query).Scan(&ours, &tables, &schema, &database, &encoding, &closed); err != nil {
		return 0, err
	}
	switch {
	case encoding != "UTF8":
		return 0, &Problem{
			kind: ErrEncoding, text: fmt.Sprintf("the database %s keeps texts in %s, which has not every character", database, encoding),
			hint: "make one in UTF-8: createdb --encoding=UTF8 --template=template0 NAME",
		}
	case closed != "":
		return 0, &Problem{
			kind: ErrPrivilege, text: fmt.Sprintf("the user of the database %s may not use the schema %s", database, closed),
			hint: "GRANT USAGE, CREATE ON SCHEMA " + closed + " TO the user",
		}
	case !schema.Valid:
		return 0, &Problem{
			kind: ErrForeign, text: "the schema that search_path names is not in the database " + database,
			hint: "make it with CREATE SCHEMA, or leave search_path out",
		}
	case !ours && tables > 0:
		return 0, &Problem{
			kind: ErrForeign, text: fmt.Sprintf("the database %s holds %d tables of another program", database, tables),
			hint: "give Gatelodge a database of its own, or a schema of its own with search_path=NAME in database",
		}
	case !ours:
		return 0, nil
	}
	err := q.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_migrations`).Scan(&version)
	return version, err
}

// apply takes the step under a lock that all processes share.
func (e *postgresEngine) apply(ctx context.Context, step migration) error {
	tx, err := e.writers.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, migrationLock); err != nil {
		return err
	}
	version, err := pgVersion(ctx, tx)
	if err != nil || version >= step.version {
		return err
	}
	text := step.text
	if step.version == 1 {
		text = migrationsTable + ";" + text
	}
	// Without arguments several statements go at once.
	if _, err := tx.ExecContext(ctx, postgresWords.Replace(text)); err != nil {
		return err
	}
	if err := e.record(ctx, tx, step); err != nil {
		return err
	}
	return tx.Commit()
}

// backup writes the database as it is, in its old schema, to a SQLite file, from
// which restore can bring it back.
func (e *postgresEngine) backup(ctx context.Context, version int) error {
	path, err := e.backupPath(version)
	if err != nil {
		return err
	}
	if err := e.copyOut(ctx, path); err != nil {
		return err
	}
	e.log.Info("backed up before migrating", "file", path)
	return nil
}

// copyOut writes a snapshot of the database to a SQLite file.
func (e *postgresEngine) copyOut(ctx context.Context, path string) error {
	s := &source{name: ShownDatabase(e.dsn), engine: e}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.tx.Rollback()
	_, err := copyToFile(ctx, s, path, func(string, int, int) {})
	return err
}
