package limit_test

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatelodge/app/limit"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// An attacker who spreads guesses over several servers has no more of them.
func TestServersOverOneDatabaseCountTogether(t *testing.T) {
	p := storetest.StartPostgres(t)
	name, dir := p.Name(t), t.TempDir()
	first, err := store.Open(t.Context(), store.Options{Dir: dir, Database: name})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	servers := []*limit.Limiter{limit.NewShared(clock, first, log), limit.NewShared(clock, first, log)}

	var passed atomic.Int32
	var trying sync.WaitGroup
	for i := range 20 {
		trying.Go(func() {
			wait, _ := servers[i%2].Take(
				limit.Ask{Key: "network:a", Rules: []limit.Rule{{Count: 100, Per: time.Hour}}},
				limit.Ask{Key: "address:b", Rules: []limit.Rule{{Count: 5, Per: time.Minute}}})
			if wait == 0 {
				passed.Add(1)
			}
		})
	}
	trying.Wait()
	if n := passed.Load(); n != 5 {
		t.Errorf("%d attempts passed, want 5", n)
	}
	now = now.Add(time.Minute)
	if wait, _ := servers[0].Take(limit.Ask{Key: "address:b", Rules: []limit.Rule{{Count: 5, Per: time.Minute}}}); wait != 0 {
		t.Errorf("a minute later one still waits %v", wait)
	}
	if n, err := first.Sweep(t.Context(), now.Add(2*time.Hour), 100); err != nil || n != 2 {
		t.Errorf("%d rows were swept, %v, want 2", n, err)
	}
}
