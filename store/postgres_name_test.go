package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestNamesThatOtherProgramsWriteAreTaken tries what libpq, Prisma, node-postgres and
// hosting companies put into a postgres:// name.
func TestNamesThatOtherProgramsWriteAreTaken(t *testing.T) {
	for name, want := range map[string]struct {
		config  string // host port database sslmode search_path
		ignored []string
	}{
		"postgresql://me@db/app?schema=public&connection_limit=5&pgbouncer=true": {`db 5432 app require "public"`, []string{"pgbouncer"}},
		"postgres://me@db/app?sslmode=require&channel_binding=require":           {"db 5432 app require ", []string{"channel_binding"}},
		`postgres://me@db/app?schema=a"b`:                                        {`db 5432 app require "a""b"`, nil},
		"postgres://me@db/app?keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3": {
			"db 5432 app require ", []string{"keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval"},
		},
		"postgres://me@db/app?sslmode=no-verify":                                    {"db 5432 app require ", nil},
		"postgres://me@db/app?sslmode=verify-full&uselibpqcompat=true":              {"db 5432 app verify-full ", []string{"uselibpqcompat"}},
		"postgres://me@db/app?ssl=true":                                             {"db 5432 app require ", nil},
		"postgres://me@localhost/app?ssl=false":                                     {"localhost 5432 app disable ", nil},
		"postgres://me@localhost/app?sslaccept=strict":                              {"localhost 5432 app verify-full ", nil},
		"postgres://me@localhost/app?gssencmode=disable&require_auth=scram-sha-256": {"localhost 5432 app disable ", []string{"gssencmode", "require_auth"}},
		"postgres://me@db/app?pool_max_conns=10&default_query_exec_mode=exec":       {"db 5432 app require ", []string{"default_query_exec_mode"}},
		"postgres://me@db/app?currentSchema=auth&ApplicationName=x&encoding=utf8":   {`db 5432 app require "auth"`, nil},
		"postgres://me@db/app?TimeZone=UTC&statement_timeout=5000&my.setting=1":     {"db 5432 app require ", nil},
		"postgres://me@db/app?client_encoding=auto":                                 {"db 5432 app require ", nil},
		"postgres://me@a:5433,b:5434/app?target_session_attrs=read-write":           {"a 5433 app require ", nil},
		"postgres://me@a,b/app":                                                     {"a 5432 app require ", nil},
		"postgres://me@[::1]:5433,localhost/app":                                    {"::1 5433 app disable ", nil},
		"postgres://me@%2Frun%2Fpostgresql/app":                                     {"/run/postgresql 5432 app disable ", nil},
		"postgres://me@%2Frun%2Fpostgresql:5433/app":                                {"/run/postgresql 5433 app disable ", nil},
		"postgres:///app?host=/run/postgresql&user=me":                              {"/run/postgresql 5432 app disable ", nil},
	} {
		n, err := ParsePostgres(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := n.config
		got := fmt.Sprintf("%s %d %s %s %s", c.Host, c.Port, c.Database, c.SSLMode, c.Runtime["search_path"])
		if got != want.config || c.User != "me" {
			t.Errorf("%s: got %s as %s, want %s", name, got, c.User, want.config)
		}
		if !slices.Equal(n.Ignored, want.ignored) {
			t.Errorf("%s: ignored %q, want %q", name, n.Ignored, want.ignored)
		}
		if warning := n.Warning(); (warning != "") != (len(want.ignored) > 0) || len(want.ignored) > 0 && !strings.Contains(warning, want.ignored[0]) {
			t.Errorf("%s: warns %q", name, warning)
		}
		for setting := range c.Runtime {
			if !slices.Contains(pgSettings, setting) && setting != "my.setting" {
				t.Errorf("%s: the server is sent %s", name, setting)
			}
		}
	}
}

func TestNamesOfOneDatabaseHaveOneIdentity(t *testing.T) {
	same := []string{
		"postgres://me@db/app", "postgresql://other:secret@db:5432/app?sslmode=verify-full", "postgres://db/app?user=me&connection_limit=1",
	}
	for i, name := range append(same, "postgres://me@db/app2", "postgres://me@db:5433/app", "postgres://me@db/app?schema=x", "postgres://me@b/app") {
		n, err := ParsePostgres(name)
		if err != nil {
			t.Fatal(err)
		}
		if equal := n.Identity() == "postgres://db/app?port=5432"; equal != (i < len(same)) {
			t.Errorf("%s is %s", name, n.Identity())
		}
	}
}

func TestAPasswordIsShownOfNoName(t *testing.T) {
	for _, name := range []string{"postgres://me:secret@db/app", "postgres://me:secret@a:1,b:2/app", "postgres://me:secret@%2Frun/app", "postgres://db/app?password=secret"} {
		if shown := ShownDatabase(name); strings.Contains(shown, "secret") {
			t.Errorf("%s is shown as %s", name, shown)
		}
	}
}

// TestALimitOfThePoolIsKept reads the options of Prisma and pgx.
func TestALimitOfThePoolIsKept(t *testing.T) {
	for options, want := range map[string]int{"": 10, "?connection_limit=5": 5, "?pool_max_conns=4": 4, "?connection_limit=1": 3, "?connection_limit=500": 10} {
		n, err := ParsePostgres("postgres://me@db/app" + options)
		if err != nil || n.connections != want {
			t.Errorf("%s: %d connections, %v", options, n.connections, err)
		}
	}
	if _, err := ParsePostgres("postgres://me@db/app?connection_limit=many"); err == nil {
		t.Error("a limit that is no number is taken")
	}
}
