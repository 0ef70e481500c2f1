package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// firstVersion makes a data directory as the first version left it, with people
// in it.
func firstVersion(t *testing.T, dir string, users, challenges int) {
	t.Helper()
	db := &DB{dir: dir, log: slog.New(slog.DiscardHandler), now: time.Now}
	var err error
	if db.lock, err = lock(filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	e := &sqliteEngine{DB: db}
	db.engine = e
	steps, err := loadMigrations(migrationFiles, e.name())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.loadKey(true), e.connect(t.Context()), db.migrateTo(t.Context(), steps[:1])); err != nil {
		t.Fatal(err)
	}
	const fill = `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		INSERT INTO `
	for _, query := range []string{
		fmt.Sprintf(fill+`users (id, email, email_norm, created_at, updated_at) SELECT 'u' || i, 'u' || i, 'u' || i, 1, 1 FROM n`, users),
		fmt.Sprintf(fill+`challenges (id, token_hash, purpose, email_norm, browser_hash, code_hash, ip, device, created_at, expires_at, code_expires_at)
			SELECT 'c' || i, CAST('c' || i AS BLOB), 'signin', 'u1', X'01', X'02', '', '', 1, 1, 1 FROM n`, challenges),
	} {
		if _, err := db.writers.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(e.markClean(), db.closeFiles()); err != nil {
		t.Fatal(err)
	}
}

// migrateAndWait opens the store, which brings it up to date, and waits to be
// killed.
func migrateAndWait(dir string) {
	os.Stdout.WriteString("begin\n")
	if _, err := Open(context.Background(), Options{Dir: dir}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	select {}
}

// The process is killed at any moment of an update of the database, its backup
// included. The next start finishes it, and nobody is missing.
func TestKilledWhileMigrating(t *testing.T) {
	rounds := 4
	if n, err := strconv.Atoi(os.Getenv("GATELODGE_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	const users, challenges = 200, 3000
	template := t.TempDir()
	firstVersion(t, template, users, challenges)
	steps, err := loadMigrations(migrationFiles, "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	reached := make(map[int]int)
	for range rounds {
		dir := t.TempDir()
		for _, name := range []string{databaseName, keyName} {
			b, err := os.ReadFile(filepath.Join(template, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		killWhileMigrating(t, dir)
		reached[versionIn(t, dir)]++

		db := openAt(t, dir)
		var version, u, c int
		err := db.writers.QueryRow(`SELECT (SELECT user_version FROM pragma_user_version), (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM challenges)`).Scan(&version, &u, &c)
		if err != nil || version != len(steps) || u != users || c != challenges {
			t.Errorf("after the kill: version %d, %d users, %d challenges, %v; want %d, %d, %d", version, u, c, err, len(steps), users, challenges)
		}
		if err := errors.Join(db.Check(t.Context()), db.Close()); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d kills, by the version at which they hit: %v of %d; everybody is there", rounds, reached, len(steps))
}

func killWhileMigrating(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "GATELODGE_TEST_MIGRATOR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(rand.IntN(120_000)) * time.Microsecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		t.Fatalf("the migrator ended by itself: %v", err)
	}
}

// versionIn returns the version of the schema as a killed process left it.
func versionIn(t *testing.T, dir string) (version int) {
	t.Helper()
	pool, err := openPool(filepath.Join(dir, databaseName), true, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := pool.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}
