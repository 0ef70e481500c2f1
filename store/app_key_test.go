package store

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// A database of the last version that kept by an App's name what it holds: sessions of
// Apps, hand-offs under way and mailed links survive the change to ids.
func TestWhatAppsHoldSurvivesTheChangeFromNamesToIDs(t *testing.T) {
	steps, err := loadMigrations(migrationFiles, "sqlite")
	if err != nil {
		t.Fatal(err)
	}
	n := slices.IndexFunc(steps, func(m migration) bool { return strings.HasSuffix(m.name, "_app_ids.sql") })
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
	run := func(query string, args ...any) {
		t.Helper()
		if _, err := old.writers.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	hash := func(s string) []byte { return []byte(strings.Repeat(s, 32)[:32]) }
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	later := ms(now.Add(time.Hour))
	run(`INSERT INTO users (id, email, email_norm, created_at, updated_at) VALUES ('u', 'u@x.example', 'u@x.example', 1, 1)`)
	run(`INSERT INTO sessions (id, token_hash, user_id, amr, auth_at, created_at, seen_at, expires_at, max_expires_at, ip, device)
		VALUES ('s', $1, 'u', 'pwd', 1, 1, 1, $2, $2, '', '')`, hash("s"), later)
	names := map[string]string{"Wiki": "wiki", "Größe / Maß": "groesse", "notes": "kb", "日記 2": "diary"}
	for name := range names {
		run(`INSERT INTO app_sessions (token_hash, app, session_id, created_at) VALUES ($1, $2, 's', 1)`, hash("t"+name), name)
		run(`INSERT INTO handoffs (code_hash, app, session_id, browser_hash, expires_at) VALUES ($1, $2, 's', $3, $4)`, hash("c"+name), name, hash("b"), later)
		run(`INSERT INTO challenges (id, token_hash, purpose, email_norm, user_id, browser_hash, code_hash, ip, device, created_at, expires_at, code_expires_at)
			VALUES ($1, $2, $3, 'u@x.example', 'u', x'', x'', '', '', 1, $4, $4)`, "c"+name, hash("l"+name), "signin@"+name, later)
	}
	run(`INSERT INTO challenges (id, token_hash, purpose, email_norm, user_id, browser_hash, code_hash, ip, device, created_at, expires_at, code_expires_at)
		VALUES ('own', $1, 'signin', 'u@x.example', 'u', x'', x'', '', '', 1, $2, $2)`, hash("own"), later)
	if err := errors.Join(old.writers.Close(), old.readers.Close()); err != nil {
		t.Fatal(err)
	}

	db, err := Open(t.Context(), Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rekey := func() (changed int) {
		t.Helper()
		err := db.Update(t.Context(), func(tx *Tx) error {
			changed = 0
			for name, id := range names {
				n, err := tx.RekeyApp(AppNamed+name, id)
				if err != nil {
					return err
				}
				changed += n
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	// An App whose id is another one's earlier name gets nothing of it.
	if _, _, err := db.SessionByAppToken(t.Context(), "notes", hash("tnotes"), now); !errors.Is(err, ErrNotFound) {
		t.Errorf("the App with the id notes has the session of the App that was named so: %v", err)
	}
	if changed := rekey(); changed != 12 {
		t.Errorf("%d rows were changed, want 12", changed)
	}
	if changed := rekey(); changed != 0 {
		t.Errorf("%d rows were changed a second time", changed)
	}
	for name, id := range names {
		if s, _, err := db.SessionByAppToken(t.Context(), id, hash("t"+name), now); err != nil || s.ID != "s" {
			t.Errorf("%s: the session is %q, %v", name, s.ID, err)
		}
		err := db.Update(t.Context(), func(tx *Tx) error {
			if s, err := tx.SpendHandoff(hash("c"+name), id, hash("b"), now); err != nil || s != "s" {
				t.Errorf("%s: the hand-off leads to %q, %v", name, s, err)
			}
			if c, err := tx.SpendChallenge(hash("l"+name), "signin@"+id, now); err != nil || c.UserID != "u" {
				t.Errorf("%s: the link is %q's, %v", name, c.UserID, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	err = db.Update(t.Context(), func(tx *Tx) error {
		_, err := tx.SpendChallenge(hash("own"), "signin", now)
		return err
	})
	if err != nil {
		t.Errorf("a link that is for no App: %v", err)
	}
}
