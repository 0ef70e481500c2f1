package store_test

import (
	"errors"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

// mark writes something.
func mark(t *testing.T, db *store.DB) error {
	t.Helper()
	return db.Update(t.Context(), func(tx *store.Tx) error { return tx.SetMoment("x", time.Now()) })
}

// pgStale changes the type of a column under prepared
// statements, as a migration by another server does: the server refuses them with the
// code with which a standby refuses writes.
func pgStale(t *testing.T, p *storetest.Postgres) {
	db := p.Open(t)
	u := storetest.User(t, db, "mara@home.example")
	storetest.Session(t, db, u, "a")
	read := func() error {
		_, _, err := db.SessionByToken(t.Context(), storetest.Hash("a"), storetest.Now)
		return err
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Writers().ExecContext(t.Context(), `ALTER TABLE sessions ALTER COLUMN user_id TYPE VARCHAR(100)`); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	for range 20 {
		readers.Go(func() {
			if err := read(); err != nil {
				t.Error(err)
			}
		})
	}
	readers.Wait()
}

// pgFailover makes a server a standby under a running store, promotes it, and then names
// a standby before the primary.
func pgFailover(t *testing.T, primary *storetest.Postgres) {
	p := storetest.StartPostgres(t) // one that may be stopped
	if !p.Own() {
		t.Skip("the PostgreSQL server is not the test's own")
	}
	dir, name := t.TempDir(), p.Name(t)
	db, err := store.Open(t.Context(), store.Options{Dir: dir, Database: name})
	if err != nil {
		t.Fatal(err)
	}
	p.Demote(t)
	if err := mark(t, db); !errors.Is(err, store.ErrUnreachable) {
		t.Errorf("writing to a standby: %v", err)
	}
	_, err = store.Open(t.Context(), store.Options{Dir: keyOf(t, dir), Database: name})
	var problem *store.Problem
	if !errors.As(err, &problem) || !errors.Is(err, store.ErrReadOnly) || !store.Passing(err) || !strings.Contains(problem.Hint(), "primary") {
		t.Errorf("starting on a standby: %v", err)
	}

	u, err := url.Parse(primary.Name(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("host", p.Dir()+","+q.Get("host"))
	u.RawQuery = q.Encode()
	two, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Database: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(mark(t, two), two.Close()); err != nil {
		t.Errorf("with the standby named first: %v", err)
	}

	p.Promote(t)
	if err := mark(t, db); err != nil {
		t.Errorf("after it was promoted: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// keyOf returns a data directory with a copy of the key in another.
func keyOf(t *testing.T, dir string) string {
	t.Helper()
	key, err := os.ReadFile(dir + "/secret.key")
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	write(t, copied+"/secret.key", key, 0o600)
	return copied
}
