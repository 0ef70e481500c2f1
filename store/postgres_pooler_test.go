package store_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gatelodge/store"
	"gatelodge/store/storetest"
)

// pgPooler opens stores through a real pooler in each of its modes.
func pgPooler(t *testing.T, p *storetest.Postgres) {
	pooled := storetest.StartPgBouncer(t, p)

	for _, mode := range []string{"transaction", "statement", "few", "roundrobin"} {
		t.Run(mode, func(t *testing.T) {
			_, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Database: pooled(mode, p.Name(t))})
			want := "session"
			if mode == "few" {
				want = "default_pool_size"
			}
			var problem *store.Problem
			if !errors.As(err, &problem) || !errors.Is(err, store.ErrUnreachable) || !strings.Contains(problem.Hint(), want) {
				t.Errorf("a pooler of the kind %q: got %v", mode, err)
			}
		})
	}
	t.Run("session", func(t *testing.T) { servesThrough(t, pooled("session", p.Name(t)), "") })
	t.Run("six connections", func(t *testing.T) { servesThrough(t, pooled("six", p.Name(t)), "connections=6") })
	t.Run("options", func(t *testing.T) {
		_, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Database: pooled("session", p.Name(t)) + "&options=-c%20jit=off"})
		var problem *store.Problem
		if !errors.As(err, &problem) || !strings.Contains(problem.Hint(), "ignore_startup_parameters") {
			t.Errorf("got %v", err)
		}
	})
}

// servesThrough writes and reads with many more callers than there are connections.
func servesThrough(t *testing.T, name, logged string) {
	var log strings.Builder
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Database: name, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), logged) || logged == "" && log.Len() > 0 {
		t.Errorf("the log says:\n%s", &log)
	}
	u := storetest.User(t, db, "mara@home.example")
	storetest.Session(t, db, u, "a")
	var callers sync.WaitGroup
	for i := range 40 {
		callers.Go(func() {
			if _, _, err := db.SessionByToken(t.Context(), storetest.Hash("a"), storetest.Now); err != nil {
				t.Error(err)
			}
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				return tx.AddEvent(store.Event{ID: fmt.Sprint(i), At: storetest.Now, UserID: u.ID})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
