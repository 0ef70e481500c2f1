package move

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gatelodge/store"
)

// connectWithin bounds how long a source may take to answer at first.
const connectWithin = 10 * time.Second

// Source is an Auth.js database, open for reading: one snapshot of it.
type Source struct {
	name     string // for people, without a password
	id       string // by which it is known when it is imported again
	warning  string
	postgres bool
	pool     *sql.DB
	tx       *sql.Tx
	shape    Shape
}

// Reading says how to read a source.
type Reading struct {
	Dir            string            // relative paths are from here
	Name           string            // by which the source is known when it is imported again; "" for its address
	Map            map[string]string // tables that have other names, by model: "User": "members"
	PasswordColumn string            // of users; "" for none
}

// Open opens the database that dsn names, "file:PATH" or "postgres://…", and
// finds out its shape. It changes nothing there.
func Open(ctx context.Context, dsn string, r Reading) (*Source, error) {
	s := &Source{postgres: store.IsPostgres(dsn)}
	err := s.dial(dsn, r.Dir)
	if err != nil {
		return nil, err
	}
	s.id = cmp.Or(r.Name, s.id)
	if err := s.begin(ctx, r); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Source) dial(dsn, dir string) (err error) {
	if s.postgres {
		s.name = store.ShownDatabase(dsn)
		name, err := store.ParsePostgres(dsn)
		if err != nil {
			return err
		}
		s.id, s.warning = name.Identity(), name.Warning()
		s.pool, err = name.Open()
		return err
	}
	path, ok := strings.CutPrefix(dsn, "file:")
	if !ok || path == "" {
		return &Refusal{text: "this names no database", hint: "write file:PATH for SQLite, or postgres://USER@HOST/NAME"}
	}
	// Prisma's connection strings carry options.
	path, _, _ = strings.Cut(path, "?")
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	s.name, s.id = path, "file:"+path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		s.id = "file:" + real
	}
	info, err := os.Stat(path)
	if err != nil {
		return &Refusal{text: "the database cannot be read", cause: err, hint: "a path is taken from the directory this command runs in"}
	}
	if info.IsDir() {
		return &Refusal{text: path + " is a directory", hint: "name the database file in it"}
	}
	s.pool, err = sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)&_pragma=trusted_schema(0)")
	return err
}

// begin takes the snapshot and looks at the tables.
func (s *Source) begin(ctx context.Context, r Reading) error {
	s.pool.SetMaxOpenConns(1)
	dialling, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	if err := s.pool.PingContext(dialling); err != nil {
		return s.refuse(err)
	}
	o := &sql.TxOptions{ReadOnly: true}
	if s.postgres {
		o.Isolation = sql.LevelRepeatableRead
	}
	var err error
	if s.tx, err = s.pool.BeginTx(ctx, o); err != nil {
		return s.refuse(err)
	}
	tables, err := s.tables(ctx)
	if err != nil {
		return s.refuse(err)
	}
	if s.shape, err = detect(tables, r.Map, r.PasswordColumn); err != nil {
		return err
	}
	return s.dropEmpty(ctx)
}

// dropEmpty forgets the tables that were not recognized and hold nothing.
func (s *Source) dropEmpty(ctx context.Context) error {
	var full []Unrecognized
	for _, u := range s.shape.unknown {
		var any bool
		if err := s.tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+quoted(u.Table)+")").Scan(&any); err != nil {
			return fmt.Errorf("reading %s: %w", u.Table, err)
		}
		if any {
			full = append(full, u)
		}
	}
	s.shape.unknown = full
	return nil
}

// Unrecognized returns the tables that hold something and are called like one of
// Auth.js's, but lack its columns.
func (s *Source) Unrecognized() []Unrecognized { return s.shape.unknown }

func (s *Source) refuse(err error) error {
	r := &Refusal{text: "the database " + s.name + " cannot be read", cause: err}
	if s.postgres {
		r.hint = "try the same connection string with psql"
	} else {
		r.hint = "it has to be a SQLite database; while its app is running, the directory must be writable too"
	}
	return r
}

// Warning says what was ignored in the source's name, or "".
func (s *Source) Warning() string { return s.warning }

// Close ends the reading.
func (s *Source) Close() error {
	if s.tx != nil {
		_ = s.tx.Rollback() // it has only read
	}
	return s.pool.Close()
}

// tables returns each table's columns.
func (s *Source) tables(ctx context.Context) (map[string][]string, error) {
	query := `
		SELECT m.name, p.name
		  FROM sqlite_schema m, pragma_table_info(m.name) p
		 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	if s.postgres {
		query = `
		SELECT table_name::text, column_name::text
		  FROM information_schema.columns
		 WHERE table_schema = current_schema()`
	}
	rows, err := s.tx.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	tables := make(map[string][]string)
	for rows.Next() {
		var name, column string
		if err := rows.Scan(&name, &column); err != nil {
			return nil, err
		}
		tables[name] = append(tables[name], column)
	}
	return tables, rows.Err()
}

// record is a row of the source by plain names. What its table lacks is nil.
type record map[string]any

// read returns rows of a role with the columns given, by a condition on them.
func (s *Source) read(ctx context.Context, r role, columns []string, where string, args ...any) ([]record, error) {
	t := s.shape.tables[r]
	var real, list []string
	for _, c := range columns {
		if t.columns[c] != "" {
			real, list = append(real, c), append(list, s.column(t.columns[c]))
		}
	}
	rows, err := s.tx.QueryContext(ctx, "SELECT "+strings.Join(list, ", ")+" FROM "+quoted(t.name)+where, args...)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", t.name, err)
	}
	defer rows.Close()
	var all []record
	for rows.Next() {
		values, into := make([]any, len(real)), make([]any, len(real))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("reading %s: %w", t.name, err)
		}
		one := make(record, len(real))
		for i, c := range real {
			one[c] = values[i]
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", t.name, err)
	}
	return all, nil
}

// column selects a column. On SQLite the sign makes it an expression, which has
// no declared type, so that the driver does not guess at times.
func (s *Source) column(name string) string {
	if s.postgres {
		return quoted(name)
	}
	return "+" + quoted(name)
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// bound is how an id that was read is given back: PostgreSQL takes text for
// any type.
func (s *Source) bound(id any) any {
	if s.postgres {
		return textOf(id)
	}
	return id
}

// users returns the users whose ids come after one, by id; nil is before all.
func (s *Source) users(ctx context.Context, after any, columns []string) ([]record, error) {
	id := quoted(s.shape.tables[userRole].columns["id"])
	tail := fmt.Sprintf(" ORDER BY %s LIMIT %d", id, batchSize)
	if after == nil {
		return s.read(ctx, userRole, columns, " WHERE "+id+" IS NOT NULL"+tail)
	}
	return s.read(ctx, userRole, columns, " WHERE "+id+" > $1"+tail, s.bound(after))
}

// of returns the rows of a role that belong to the users, by user id.
func (s *Source) of(ctx context.Context, r role, users []record) (map[string][]record, error) {
	t := s.shape.tables[r]
	if t.name == "" || len(users) == 0 {
		return nil, nil
	}
	places, ids := make([]string, len(users)), make([]any, len(users))
	for i, u := range users {
		places[i], ids[i] = fmt.Sprintf("$%d", i+1), s.bound(u["id"])
	}
	rows, err := s.read(ctx, r, parts[r].columns, " WHERE "+quoted(t.columns["userid"])+" IN ("+strings.Join(places, ", ")+")", ids...)
	if err != nil {
		return nil, err
	}
	theirs := make(map[string][]record)
	for _, row := range rows {
		id := textOf(row["userid"])
		theirs[id] = append(theirs[id], row)
	}
	return theirs, nil
}

// count returns how many rows a role has.
func (s *Source) count(ctx context.Context, r role) (n int, err error) {
	if s.shape.tables[r].name == "" {
		return 0, nil
	}
	err = s.tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+quoted(s.shape.tables[r].name)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting %s: %w", s.shape.tables[r].name, err)
	}
	return n, nil
}

// Sessions returns how many sessions the source has, be they expired.
func (s *Source) Sessions(ctx context.Context) (int, error) { return s.count(ctx, sessionRole) }

// orphans counts the rows of a role whose user there is none of.
func (s *Source) orphans(ctx context.Context, r role) (n int, err error) {
	t, u := s.shape.tables[r], s.shape.tables[userRole]
	if t.name == "" {
		return 0, nil
	}
	query := fmt.Sprintf("SELECT COUNT(*) FROM %s t WHERE NOT EXISTS (SELECT 1 FROM %s u WHERE u.%s = t.%s)",
		quoted(t.name), quoted(u.name), quoted(u.columns["id"]), quoted(t.columns["userid"]))
	if err := s.tx.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("counting %s: %w", t.name, err)
	}
	return n, nil
}
