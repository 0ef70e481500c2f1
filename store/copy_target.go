package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// copyToFile writes the snapshot to a SQLite file that must not be there yet.
// It works on a file of another name until that is whole.
func copyToFile(ctx context.Context, s *source, path string, progress Progress) (Copied, error) {
	if _, err := os.Lstat(path); err == nil {
		return Copied{}, holds(ctx, path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Copied{}, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".gatelodge-copy-*")
	if err != nil {
		return Copied{}, fmt.Errorf("making a place for the copy: %w", err)
	}
	defer os.RemoveAll(tmp)
	c, err := writeFile(ctx, s, tmp, progress)
	if err != nil {
		return c, err
	}
	if err := publish(filepath.Join(tmp, databaseName), path); err != nil {
		return c, fmt.Errorf("naming the copy: %w", err)
	}
	return c, nil
}

// writeFile makes the file in a directory of its own.
func writeFile(ctx context.Context, s *source, dir string, progress Progress) (c Copied, err error) {
	e := &sqliteEngine{DB: &DB{dir: dir, log: slog.New(slog.DiscardHandler), now: time.Now}}
	if err := e.connect(ctx); err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, e.readers.Close(), e.writers.Close()) }()
	tables, err := e.emptySchema(ctx, s.version)
	if err != nil {
		return c, err
	}
	tx, err := e.writers.BeginTx(ctx, nil)
	if err != nil {
		return c, err
	}
	defer tx.Rollback()
	if c, err = copyRows(ctx, s, fileTarget{tx}, tables, progress); err != nil {
		return c, err
	}
	if err := errors.Join(wantWholeReferences(ctx, tx), tx.Commit()); err != nil {
		return c, classify(err)
	}
	return c, e.markClean() // folded into the one file
}

// emptySchema makes the schema of that version and returns its tables in an
// order in which none refers to a later one.
func (e *sqliteEngine) emptySchema(ctx context.Context, version int) ([]table, error) {
	steps, err := loadMigrations(migrationFiles, e.name())
	if err != nil {
		return nil, err
	}
	if version > len(steps) {
		return nil, &Problem{
			kind: ErrNewer, text: fmt.Sprintf("the database was written by a newer Gatelodge (schema %d; this one knows %d)", version, len(steps)),
			hint: "use the newer program",
		}
	}
	if _, err := e.version(ctx); err != nil {
		return nil, err
	}
	for _, step := range steps[:version] {
		if err := e.apply(ctx, step); err != nil {
			return nil, fmt.Errorf("migration %s: %w", step.name, err)
		}
	}
	return e.tables(ctx)
}

// tables lists what is to be copied. The record of migrations is the target's
// own.
func (e *sqliteEngine) tables(ctx context.Context) ([]table, error) {
	const names = `
		SELECT m.name, (SELECT group_concat(name, ',') FROM pragma_table_info(m.name)),
		       COALESCE((SELECT group_concat(DISTINCT "table") FROM pragma_foreign_key_list(m.name) WHERE "table" <> m.name), '')
		  FROM sqlite_schema m
		 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.name <> 'schema_migrations'
		 ORDER BY m.name`
	rows, err := e.writers.QueryContext(ctx, names)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var waiting []table
	needs := make(map[string][]string)
	for rows.Next() {
		var name, columns, parents string
		if err := rows.Scan(&name, &columns, &parents); err != nil {
			return nil, err
		}
		waiting = append(waiting, table{name, strings.Split(columns, ",")})
		if parents != "" {
			needs[name] = strings.Split(parents, ",")
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return inOrder(waiting, needs)
}

// inOrder sorts tables so that each follows those it needs.
func inOrder(waiting []table, needs map[string][]string) ([]table, error) {
	var order []table
	done := make(map[string]bool)
	for len(waiting) > 0 {
		var later []table
	next:
		for _, t := range waiting {
			for _, parent := range needs[t.name] {
				if !done[parent] {
					later = append(later, t)
					continue next
				}
			}
			order = append(order, t)
			done[t.name] = true
		}
		if len(later) == len(waiting) {
			return nil, fmt.Errorf("tables refer to each other in a circle: %s", later[0].name)
		}
		waiting = later
	}
	return order, nil
}

// holds says what is in the way of a copy.
func holds(ctx context.Context, path string) error {
	what := "exists already"
	if c, err := Inspect(ctx, path); err == nil {
		what = fmt.Sprintf("holds a database with %d users and %d sessions already", c.Users, c.Sessions)
	}
	return &Problem{kind: ErrConflict, text: path + " " + what, hint: "choose another name, or move it away"}
}

type fileTarget struct{ tx *sql.Tx }

func (f fileTarget) rows(ctx context.Context, query string) (*sql.Rows, error) {
	return f.tx.QueryContext(ctx, query)
}

func (f fileTarget) load(ctx context.Context, t table, next func() ([]any, error)) error {
	places := make([]string, len(t.columns))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	insert, err := f.tx.PrepareContext(ctx, "INSERT INTO "+t.name+" ("+strings.Join(t.columns, ", ")+") VALUES ("+strings.Join(places, ", ")+")")
	if err != nil {
		return err
	}
	defer insert.Close()
	for {
		row, err := next()
		if row == nil || err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
}

// copyToPostgres fills an empty database in one transaction.
func copyToPostgres(ctx context.Context, s *source, dsn string, progress Progress) (Copied, error) {
	e := &postgresEngine{DB: &DB{log: slog.New(slog.DiscardHandler), now: time.Now}, dsn: dsn}
	if err := e.open(); err != nil {
		return Copied{}, e.explain(err)
	}
	defer e.readers.Close()
	tables, err := tablesOf(ctx, s.version)
	if err != nil {
		return Copied{}, err
	}
	if err := e.makeSchema(ctx, s.version); err != nil {
		return Copied{}, e.explain(err)
	}
	conn, err := e.writers.Conn(ctx)
	if err != nil {
		return Copied{}, e.explain(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return Copied{}, e.explain(err)
	}
	c, err := fillPostgres(ctx, s, conn, tables, progress)
	if err != nil {
		_, undone := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return c, errors.Join(err, undone)
	}
	return c, nil
}

func fillPostgres(ctx context.Context, s *source, conn *sql.Conn, tables []table, progress Progress) (Copied, error) {
	if err := wantEmpty(ctx, conn, tables); err != nil {
		return Copied{}, err
	}
	c, err := copyRows(ctx, s, pgTarget{conn}, tables, progress)
	if err != nil {
		return c, err
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		return c, fmt.Errorf("committing the copy: %w", classify(err))
	}
	// Its statistics are those of an empty database until this.
	_, err = conn.ExecContext(ctx, "ANALYZE")
	return c, err
}

// wantEmpty refuses a database with people in it, and clears what a first start
// has left in an empty one.
func wantEmpty(ctx context.Context, conn *sql.Conn, tables []table) error {
	var users, sessions int
	if err := conn.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM sessions)`).Scan(&users, &sessions); err != nil {
		return err
	}
	if users > 0 {
		return &Problem{
			kind: ErrConflict, text: fmt.Sprintf("the database to copy to holds %d users and %d sessions already", users, sessions),
			hint: "name an empty one",
		}
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.name
	}
	_, err := conn.ExecContext(ctx, "TRUNCATE "+strings.Join(names, ", "))
	return err
}

// makeSchema brings an empty database to the version of the one it is to be a
// copy of.
func (e *postgresEngine) makeSchema(ctx context.Context, version int) error {
	steps, err := loadMigrations(migrationFiles, e.name())
	if err != nil {
		return err
	}
	is, err := e.version(ctx)
	if err != nil {
		return err
	}
	if is > version {
		return &Problem{
			kind: ErrNewer, text: fmt.Sprintf("the database to copy to has schema %d, the one to copy has %d", is, version),
			hint: "start this program once on the one to copy, which brings it up to date",
		}
	}
	for _, step := range steps[is:version] {
		if err := e.apply(ctx, step); err != nil {
			return fmt.Errorf("migration %s: %w", step.name, err)
		}
	}
	return nil
}

// tablesOf lists the tables of a version of the schema.
func tablesOf(ctx context.Context, version int) ([]table, error) {
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	e := &sqliteEngine{DB: &DB{log: slog.New(slog.DiscardHandler), now: time.Now, writers: pool}}
	return e.emptySchema(ctx, version)
}

type pgTarget struct{ conn *sql.Conn }

func (p pgTarget) rows(ctx context.Context, query string) (*sql.Rows, error) {
	return p.conn.QueryContext(ctx, query)
}

// load sends the rows by COPY.
func (p pgTarget) load(ctx context.Context, t table, next func() ([]any, error)) error {
	send, err := p.conn.PrepareContext(ctx, "COPY "+t.name+" ("+strings.Join(t.columns, ", ")+") FROM STDIN")
	if err != nil {
		return err
	}
	defer send.Close()
	for {
		row, err := next()
		if err != nil {
			return err
		}
		// Nothing is sent for the last: it ends the COPY.
		if _, err := send.ExecContext(ctx, row...); err != nil || row == nil {
			return err
		}
	}
}
