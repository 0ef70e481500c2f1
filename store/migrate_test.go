package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMigrationsGoForwardAfterABackup(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	steps, err := loadMigrations(migrationFiles)
	if err != nil {
		t.Fatal(err)
	}
	version := func() (v int) {
		t.Helper()
		if err := db.writers.QueryRow("PRAGMA user_version").Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	was := version()
	next := append(steps, migration{version: was + 1, name: "next.sql", text: "CREATE TABLE added (x TEXT) STRICT; INSERT INTO added VALUES ('a')"})
	if err := db.migrateTo(t.Context(), false, next); err != nil {
		t.Fatal(err)
	}
	var x string
	if err := db.writers.QueryRow("SELECT x FROM added").Scan(&x); err != nil || x != "a" || version() != was+1 {
		t.Errorf("got %q, %v, version %d", x, err, version())
	}
	backup := filepath.Join(dir, "backups", "pre-v2.db")
	if held, err := Inspect(t.Context(), backup); err != nil || held.Schema != was {
		t.Errorf("the backup: %+v, %v", held, err)
	}
	if info, err := os.Stat(filepath.Dir(backup)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the backups can be seen by others: %v, %v", info, err)
	}

	// One that fails half-way leaves nothing behind, and may be tried again.
	broken := append(next, migration{version: was + 2, name: "broken.sql", text: "CREATE TABLE half (x TEXT) STRICT; INSERT INTO nowhere VALUES (1)"})
	for range 2 {
		if err := db.migrateTo(t.Context(), false, broken); err == nil || !strings.Contains(err.Error(), "broken.sql") {
			t.Errorf("got %v", err)
		}
	}
	if err := db.writers.QueryRow("SELECT x FROM half").Scan(&x); err == nil || version() != was+1 {
		t.Errorf("half a migration is there, version %d", version())
	}
	if err := db.migrateTo(t.Context(), false, steps); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("an older program: got %v", err)
	}
}
