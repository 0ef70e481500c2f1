package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

// A bad sector under a running server: from the moment that somebody meets it
// nothing more is written, who is signed in stays so, and the next start says
// what to do.
func TestADamagedPageThatIsMetStopsAllWriting(t *testing.T) {
	dir := t.TempDir()
	reference := func(i int) string { return fmt.Sprintf("GL-%04d", i) }
	open := func(log *slog.Logger) *store.DB {
		db, err := store.Open(t.Context(), store.Options{Dir: dir, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := open(nil)
	u := storetest.User(t, db, "mara@home.example")
	storetest.Session(t, db, u, "mara")
	storetest.Update(t, db, func(tx *store.Tx) error {
		for i := range 3000 {
			if err := tx.AddEvent(store.Event{ID: reference(i), At: storetest.Now, Kind: "k", Reference: reference(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := db.Close(); err != nil { // so that the pages are in the file, not in the log
		t.Fatal(err)
	}
	path := filepath.Join(dir, "gatelodge.db")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range storetest.PagesOf(t, path, "events_reference") {
		if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 64)), int64(page-1)*4096); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	var log bytes.Buffer
	db = open(slog.New(slog.NewTextHandler(&log, nil)))
	write := func() error {
		return db.Update(t.Context(), func(tx *store.Tx) error { return tx.SetMoment("seen", storetest.Now.Add(time.Hour)) })
	}
	if err := write(); err != nil {
		t.Fatalf("before anybody met the page: %v", err)
	}
	for range 2 {
		err := db.View(t.Context(), func(tx *store.Tx) error {
			_, err := tx.EventsByReference(reference(1500))
			return err
		})
		if !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("reading the page gives %v", err)
		}
	}
	if err := write(); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "is damaged and only read") {
		t.Errorf("writing afterwards gives %v", err)
	}
	if err := db.Ready(t.Context()); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("it is ready: %v", err)
	}
	if _, _, err := db.SessionByToken(t.Context(), storetest.Hash("mara"), storetest.Now); err != nil {
		t.Errorf("who is signed in: %v", err)
	}
	if n := strings.Count(log.String(), "put back a backup"); n != 1 {
		t.Errorf("it was logged %d times:\n%s", n, &log)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, dir, store.ErrCorrupt, "is damaged")
}

// TestDamageThatABackupMetIsFoundAgain damages a page of rows that only a backup reads:
// nothing is written any more, and the next start finds it although the stop was clean.
func TestDamageThatABackupMetIsFoundAgain(t *testing.T) {
	for name, meet := range map[string]func(*store.DB) error{
		"a backup": func(db *store.DB) error {
			return db.Backup(t.Context(), filepath.Join(t.TempDir(), "backup.db"))
		},
		"a check": func(db *store.DB) error { return db.Check(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db, err := store.Open(t.Context(), store.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			storetest.Update(t, db, func(tx *store.Tx) error {
				for i := range 3000 {
					id := fmt.Sprintf("GL-%04d", i)
					if err := tx.AddEvent(store.Event{ID: id, At: storetest.Now, Kind: "k", Reference: id}); err != nil {
						return err
					}
				}
				return nil
			})
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "gatelodge.db")
			pages := storetest.PagesOf(t, path, "events")
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteAt([]byte(strings.Repeat("\xff", 64)), int64(pages[len(pages)/2]-1)*4096)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			if db, err = store.Open(t.Context(), store.Options{Dir: dir}); err != nil {
				t.Fatal(err)
			}
			if err := meet(db); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			if err := db.Ready(t.Context()); !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("it is ready: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			wantProblem(t, dir, store.ErrCorrupt, "is damaged")
		})
	}
}
