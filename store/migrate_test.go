package store

import (
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMigrationsGoForwardAfterABackup(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	steps, err := loadMigrations(migrationFiles, "sqlite")
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
	if err := db.migrateTo(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	var x string
	if err := db.writers.QueryRow("SELECT x FROM added").Scan(&x); err != nil || x != "a" || version() != was+1 {
		t.Errorf("got %q, %v, version %d", x, err, version())
	}
	backup := filepath.Join(dir, "backups", fmt.Sprintf("pre-v%d.db", was+1))
	if held, err := Inspect(t.Context(), backup); err != nil || held.Schema != was {
		t.Errorf("the backup: %+v, %v", held, err)
	}
	if info, err := os.Stat(filepath.Dir(backup)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the backups can be seen by others: %v, %v", info, err)
	}

	// One that fails half-way leaves nothing behind, and may be tried again.
	broken := append(next, migration{version: was + 2, name: "broken.sql", text: "CREATE TABLE half (x TEXT) STRICT; INSERT INTO nowhere VALUES (1)"})
	for range 2 {
		if err := db.migrateTo(t.Context(), broken); err == nil || !strings.Contains(err.Error(), "broken.sql") {
			t.Errorf("got %v", err)
		}
	}
	if err := db.writers.QueryRow("SELECT x FROM half").Scan(&x); err == nil || version() != was+1 {
		t.Errorf("half a migration is there, version %d", version())
	}
	if err := db.migrateTo(t.Context(), steps); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("an older program: got %v", err)
	}
}

// What refers to a table that is made anew must still refer to it.
func TestATableMadeAnewKeepsWhatRefersToIt(t *testing.T) {
	steps, err := loadMigrations(migrationFiles, "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	old := &DB{dir: dir, log: slog.New(slog.DiscardHandler), now: time.Now}
	e := &sqliteEngine{DB: old}
	old.engine = e
	if err := errors.Join(old.loadKey(true), e.connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := old.migrateTo(t.Context(), steps[:1]); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`INSERT INTO users (id, email, email_norm, created_at, updated_at) VALUES ('u', 'u@x.example', 'u@x.example', 1, 1)`,
		`INSERT INTO challenges (id, token_hash, purpose, email_norm, user_id, browser_hash, code_hash, ip, device, created_at, expires_at, code_expires_at)
		 VALUES ('c', x'01', 'signin', 'u@x.example', 'u', x'', x'', '', '', 1, 2, 3)`,
		`INSERT INTO messages (id, class, purpose, challenge_id, addressed, domain, rcpt_hash, rcpt, env_from, state, due_at, next_at, not_after, msgid, reference, created_at, body)
		 VALUES ('m', 0, 'signin', 'c', 1, '', x'', x'', '', 'queued', 1, 1, 1, '', '', 1, x'')`,
	} {
		if _, err := old.writers.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(old.writers.Close(), old.readers.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var user, challenge string
	err = db.readers.QueryRow(`SELECT c.user_id, m.challenge_id FROM challenges c JOIN messages m ON m.challenge_id = c.id`).Scan(&user, &challenge)
	if err != nil || user != "u" || challenge != "c" {
		t.Errorf("got %q, %q, %v", user, challenge, err)
	}
	if err := db.Update(t.Context(), func(tx *Tx) error { return tx.RemoveUser("u") }); err != nil {
		t.Fatal(err)
	}
	var left int
	var still sql.NullString
	err = db.readers.QueryRow(`SELECT (SELECT COUNT(*) FROM challenges), (SELECT challenge_id FROM messages)`).Scan(&left, &still)
	if err != nil || left != 0 || still.Valid {
		t.Errorf("references are not followed any more: %d challenges, %v, %v", left, still, err)
	}
}

// The log said who was added by an admin. Whoever was imported under an id was not,
// though the id was somebody else's once.
func TestWhoWasAddedByAnAdminIsTakenFromTheLogOnce(t *testing.T) {
	steps, err := loadMigrations(migrationFiles, "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	n := slices.IndexFunc(steps, func(m migration) bool { return strings.HasSuffix(m.name, "_added_by_admin.sql") })
	if n < 0 {
		t.Fatal("there is no such step")
	}
	dir := t.TempDir()
	old := &DB{dir: dir, log: slog.New(slog.DiscardHandler), now: time.Now}
	e := &sqliteEngine{DB: old}
	old.engine = e
	if err := errors.Join(old.loadKey(true), e.connect(t.Context()), old.migrateTo(t.Context(), steps[:n])); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"added", "imported", "removed and imported", "came"} {
		if _, err := old.writers.Exec(`INSERT INTO users (id, email, email_norm, created_at, updated_at) VALUES ($1, $1, $1, 1, 1)`, id); err != nil {
			t.Fatal(err)
		}
	}
	for i, event := range [][2]string{
		{"added", "user.added"},
		{"added", "signin.done"},
		{"imported", "user.imported"},
		{"removed and imported", "user.added"},
		{"removed and imported", "user.imported"},
		{"came", "user.came"},
		{"", "user.added"},
	} {
		_, err := old.writers.Exec(`INSERT INTO events (id, at, kind, user_id, actor, ip, device, reference, detail) VALUES ($1, 1, $3, $2, 'admin', '', '', '', '')`, i, event[0], event[1])
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(old.writers.Close(), old.readers.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(t.Context(), func(tx *Tx) error {
		users, err := tx.Users("", 10)
		if len(users) != 4 {
			t.Errorf("%d users", len(users))
		}
		for _, u := range users {
			if want := u.ID == "added"; u.AddedByAdmin != want {
				t.Errorf("%s: added by an admin: %v, want %v", u.ID, u.AddedByAdmin, want)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
