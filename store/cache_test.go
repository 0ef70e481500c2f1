package store

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A session that was ended must not be found by any lookup that begins after
// the call that ended it has returned, however many have remembered it.
func TestTheCacheForgetsAnEndedSessionAtOnce(t *testing.T) {
	db, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.Now()
	add := func(tx *Tx, hash []byte, id string) error {
		return tx.AddSession(Session{
			ID: id, TokenHash: hash, UserID: "u", AuthAt: now, CreatedAt: now, SeenAt: now,
			ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour),
		})
	}
	if err := db.Update(t.Context(), func(tx *Tx) error {
		return tx.AddUser(User{ID: "u", Email: "u@x.example", EmailNorm: "u@x.example", CreatedAt: now, UpdatedAt: now})
	}); err != nil {
		t.Fatal(err)
	}
	for round := range 50 {
		hash := make([]byte, 32)
		hash[0] = byte(round)
		id := NewID(now)
		if err := db.Update(t.Context(), func(tx *Tx) error { return add(tx, hash, id) }); err != nil {
			t.Fatal(err)
		}
		var ended atomic.Bool
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for range 200 {
					over := ended.Load()
					_, _, err := db.SessionByToken(t.Context(), hash, now)
					switch {
					case over && !errors.Is(err, ErrNotFound):
						t.Errorf("after its end the session is found: %v", err)
						return
					case err != nil && !errors.Is(err, ErrNotFound):
						t.Error(err)
						return
					}
				}
			})
		}
		if err := db.Update(t.Context(), func(tx *Tx) error { return tx.EndSession("u", id) }); err != nil {
			t.Fatal(err)
		}
		ended.Store(true)
		readers.Wait()
	}
}

func TestTheCacheMindsTheClock(t *testing.T) {
	db, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := time.UnixMilli(1_800_000_000_000)
	hash := make([]byte, 32)
	if err := db.Update(t.Context(), func(tx *Tx) error {
		if err := tx.AddUser(User{ID: "u", Email: "u@x.example", EmailNorm: "u@x.example", CreatedAt: now, UpdatedAt: now}); err != nil {
			return err
		}
		return tx.AddSession(Session{
			ID: "s", TokenHash: hash, UserID: "u", AuthAt: now, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(time.Hour),
		})
	}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		after time.Duration
		want  error
	}{{0, nil}, {time.Hour - time.Millisecond, nil}, {time.Hour, ErrNotFound}, {2 * time.Hour, ErrNotFound}} {
		if _, _, err := db.SessionByToken(t.Context(), hash, now.Add(tt.after)); !errors.Is(err, tt.want) {
			t.Errorf("after %v: got %v, want %v", tt.after, err, tt.want)
		}
	}
}
