package store_test

import (
	"errors"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

// pgUnfit tries databases that are there and cannot be used.
func pgUnfit(t *testing.T, p *storetest.Postgres) {
	name := p.Name(t)
	schema := strings.Split(name, "search_path=")[1]
	admin, err := store.OpenPostgres(name)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for _, statement := range []string{
		"CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
		"CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0",
		"CREATE ROLE reader LOGIN", "CREATE ROLE looker LOGIN", "GRANT USAGE ON SCHEMA " + schema + " TO looker",
	} {
		if _, err := admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	with := func(change func(*url.URL)) string {
		u, err := url.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return u.String()
	}
	for what, tt := range map[string]struct {
		database   string
		kind       error
		says, hint string
	}{
		"LATIN1":    {with(func(u *url.URL) { u.Path = "/latin1" }), store.ErrEncoding, "LATIN1", "--encoding=UTF8"},
		"SQL_ASCII": {with(func(u *url.URL) { u.Path = "/ascii" }), store.ErrEncoding, "SQL_ASCII", "--encoding=UTF8"},
		"no USAGE":  {with(func(u *url.URL) { u.User = url.User("reader") }), store.ErrPrivilege, "may not use the schema " + schema, "GRANT USAGE"},
		"no CREATE": {with(func(u *url.URL) { u.User = url.User("looker") }), store.ErrPrivilege, "permission denied", "GRANT USAGE, CREATE"},
	} {
		_, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Database: tt.database})
		var problem *store.Problem
		if !errors.As(err, &problem) || !errors.Is(err, tt.kind) || errors.Is(err, store.ErrForeign) ||
			!strings.Contains(err.Error(), tt.says) || !strings.Contains(problem.Hint(), tt.hint) {
			t.Errorf("%s: got %v", what, err)
		}
	}
}

// pgNewer looks for the way back on a server that
// did not migrate, and on the one that did.
func pgNewer(t *testing.T, p *storetest.Postgres) {
	name, dir := p.Name(t), t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Dir: dir, Database: name})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Writers().ExecContext(t.Context(), "INSERT INTO schema_migrations (version, checksum, applied_at) SELECT MAX(version) + 1, '', 0 FROM schema_migrations")
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	hint := func() string {
		_, err := store.Open(t.Context(), store.Options{Dir: dir, Database: name})
		var problem *store.Problem
		if !errors.As(err, &problem) || !errors.Is(err, store.ErrNewer) {
			t.Fatalf("got %v", err)
		}
		return problem.Hint()
	}
	if got := hint(); !strings.Contains(got, "the server that migrated") || strings.Contains(got, dir) {
		t.Errorf("on another server: %s", got)
	}
	path := dir + "/backups/" + regexp.MustCompile(`pre-v\d+.db`).FindString(hint())
	if err := os.MkdirAll(dir+"/backups", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, nil, 0o600)
	if got := hint(); !strings.Contains(got, path) {
		t.Errorf("where it migrated: %s", got)
	}
}
