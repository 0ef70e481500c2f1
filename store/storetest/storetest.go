// Package storetest gives any test a store with people in it, and holds the
// suite of promises that every engine has to keep.
package storetest

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"gatelodge/store"
)

// Now is the moment at which the suite takes place.
var Now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// Open returns a new store that is closed when the test ends.
func Open(t testing.TB) *store.DB {
	t.Helper()
	return open(t, store.Options{Dir: t.TempDir()})
}

func open(t testing.TB, o store.Options) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Update runs f in a transaction, which has to succeed.
func Update(t testing.TB, db *store.DB, f func(*store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// User adds a user with that address.
func User(t testing.TB, db *store.DB, email string) store.User {
	t.Helper()
	u := store.User{ID: store.NewID(Now), Email: email, EmailNorm: email, CreatedAt: Now, UpdatedAt: Now}
	Update(t, db, func(tx *store.Tx) error { return tx.AddUser(u) })
	return u
}

// Session adds a session of u that lasts an hour.
func Session(t testing.TB, db *store.DB, u store.User, token string) store.Session {
	t.Helper()
	s := store.Session{
		ID: store.NewID(Now), TokenHash: Hash(token), UserID: u.ID, AMR: "email", AuthAt: Now, CreatedAt: Now, SeenAt: Now,
		ExpiresAt: Now.Add(time.Hour), MaxExpiresAt: Now.Add(2 * time.Hour), IP: "127.0.0.1", Device: "Firefox on Linux",
	}
	Update(t, db, func(tx *store.Tx) error { return tx.AddSession(s) })
	return s
}

// Hash returns 32 bytes that stand for a token.
func Hash(token string) []byte {
	b := make([]byte, 32)
	copy(b, token)
	return b
}

// Challenge adds one for an address; user may be "".
func Challenge(t testing.TB, db *store.DB, token, user, browser string) store.Challenge {
	t.Helper()
	c := store.Challenge{
		ID: "challenge " + token, TokenHash: Hash(token), Purpose: "signin", EmailNorm: "mara@home.example", UserID: user,
		BrowserHash: Hash(browser), CodeHash: Hash("code"), Sends: 1, CreatedAt: Now, ExpiresAt: Now.Add(2 * time.Hour),
		CodeExpiresAt: Now.Add(15 * time.Minute),
	}
	Update(t, db, func(tx *store.Tx) error { return tx.AddChallenge(c) })
	return c
}

// Message queues one that is due at a moment.
func Message(t testing.TB, db *store.DB, id string, class int, due time.Time) {
	t.Helper()
	Update(t, db, func(tx *store.Tx) error {
		return tx.AddMessage(store.Message{
			ID: id, Class: class, Purpose: "signin", Addressed: true, Domain: "home.example", RcptHash: Hash("mara"), Rcpt: "mara@home.example",
			EnvFrom: "login@home.example", DueAt: due, NotAfter: Now.Add(time.Hour), MessageID: id, CreatedAt: Now,
		}, []byte("the body of "+id))
	})
}

// PagesOf returns the pages of a table or index of a database file.
func PagesOf(t testing.TB, path, name string) []int {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	rows, err := pool.QueryContext(t.Context(), "SELECT pageno FROM dbstat WHERE name = $1 ORDER BY pageno", name)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var pages []int
	for rows.Next() {
		var page int
		if err := rows.Scan(&page); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
	}
	if err := rows.Err(); err != nil || len(pages) == 0 {
		t.Fatalf("%s has the pages %v, %v", name, pages, err)
	}
	return pages
}

// Spoil runs a statement on a store of SQLite behind its back, as damage does.
func Spoil(t testing.TB, db *store.DB, query string, args ...any) {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+filepath.Join(db.Dir(), "gatelodge.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}
