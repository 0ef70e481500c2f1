package move_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/app/move"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// adapters returns the directory that holds the adapters of Auth.js from npm.
func adapters(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("GATELODGE_ADAPTERS")
	if _, err := os.Stat(filepath.Join(dir, "client-postgres", "index.js")); dir != "" && err == nil {
		return dir
	}
	const missing = "the npm packages of app/move/testdata/adapters are not installed, or GATELODGE_ADAPTERS does not name where"
	if os.Getenv("GATELODGE_PEERS") == "require" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}

// ask runs a program with an adapter over a database and reads what it prints.
func ask(t testing.TB, modules, program, kind, url string, answer any) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "adapters", program))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", path, kind, url)
	cmd.Dir = modules
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(modules, "node_modules"))
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s with %s: %v\n%s", program, kind, err, &problems)
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatalf("%s with %s printed %s: %v", program, kind, out, err)
	}
}

// tables returns a fixture without its rows.
func tables(t testing.TB, name string) string {
	t.Helper()
	text, _, _ := strings.Cut(fixture(t, name), "\nINSERT")
	return text
}

// What the adapters themselves write, in four databases.
func TestPeopleMadeByTheRealAdaptersAreTaken(t *testing.T) {
	modules := adapters(t)
	p := storetest.StartPostgres(t)
	inPostgres := func(t *testing.T, statements string) string {
		dsn := p.Name(t)
		pool, err := store.OpenPostgres(dsn)
		if err != nil {
			t.Fatal(err)
		}
		_, err = pool.Exec(statements)
		if err := errors.Join(err, pool.Close()); err != nil {
			t.Fatal(err)
		}
		return dsn
	}
	for kind, source := range map[string]struct {
		open  func(*testing.T) string
		shape string
	}{
		"prisma sqlite":    {func(t *testing.T) string { return database(t, tables(t, "prisma.sql")) }, "Auth.js, Prisma adapter"},
		"prisma postgres":  {func(t *testing.T) string { return inPostgres(t, tables(t, "prisma.postgres.sql")) }, "Auth.js, Prisma adapter"},
		"drizzle sqlite":   {func(t *testing.T) string { return database(t, tables(t, "drizzle.sql")) }, "Auth.js, Drizzle adapter"},
		"drizzle postgres": {func(t *testing.T) string { return inPostgres(t, fixture(t, "drizzle.postgres.sql")) }, "Auth.js, Drizzle adapter"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dsn := source.open(t)
			var ids [3]string
			ask(t, modules, "make.cjs", kind, dsn, &ids)
			wantShape(t, dsn, shape{source.shape, "", true, nil, verified, people{ids[0], ids[1], ids[2]}})
		})
	}
}

// An app that goes back opens the export with the adapter it had.
func TestAnExportIsReadByTheRealPrismaAdapter(t *testing.T) {
	modules := adapters(t)
	path := filepath.Join(t.TempDir(), "people.db")
	if _, err := (&move.Exporter{DB: furnished(t), Secrets: true}).Prisma(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	type user struct{ ID, Name, Email, EmailVerified, Image string }
	type passkey struct {
		CredentialID, UserID, ProviderAccountID, CredentialPublicKey string
		Counter                                                      int
		CredentialDeviceType                                         string
		CredentialBackedUp                                           bool
		Transports                                                   string
	}
	var got struct {
		ByEmail, ByGoogle, ByGitHub, ByPasskey user
		Passkey                                passkey
		Passkeys                               []passkey
		Session                                *struct{}
	}
	ask(t, modules, "read.cjs", "prisma sqlite", "file:"+path, &got)
	mara := user{"1", "Mara Okafor", "Mara@Home.example", "2025-03-01T10:00:00.123Z", "https://img.example/mara.png"}
	key := passkey{"AQIDBA==", "1", "AQIDBA==", "pQECAyYgASFYIA==", 7, "multiDevice", true, "internal,hybrid"}
	want := got
	want.ByEmail, want.ByGoogle, want.ByPasskey, want.ByGitHub = mara, mara, mara, user{ID: "2"}
	want.Passkey, want.Passkeys, want.Session = key, []passkey{key}, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
