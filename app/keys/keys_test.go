package keys

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"gatelodge/app/audit"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// A rotation that was killed after the key had been written: the next run moves
// the rest over by itself, and records nothing it has not done.
func TestAnInterruptedRotationIsFinishedInTheBackground(t *testing.T) {
	db := storetest.Open(t)
	for _, id := range []string{"a", "b", "c"} {
		storetest.Message(t, db, id, 0, storetest.Now)
	}
	k := New(db, audit.New(db, time.Now, slog.New(slog.DiscardHandler)), slog.New(slog.DiscardHandler))
	id, err := k.Rotate(t.Context(), audit.Origin{Reference: "GL-TEST-TEST"}) // and no Reseal
	if err != nil {
		t.Fatal(err)
	}
	if n := old(t, db); n < 6 {
		t.Fatalf("%d values are sealed with the old key, want the messages at least", n)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { k.Run(ctx); close(ended) }()
	for deadline := time.Now().Add(5 * time.Second); old(t, db) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d values are still sealed with the old key", old(t, db))
		}
	}
	stop()
	<-ended
	storetest.Update(t, db, func(tx *store.Tx) error {
		events, err := tx.EventsByReference("GL-TEST-TEST")
		if len(events) != 1 || events[0].Kind != audit.KeyRotated || events[0].Detail != id {
			t.Errorf("the log has %+v", events)
		}
		return err
	})
}

// old counts what is not sealed with the first key.
func old(t *testing.T, db *store.DB) int {
	t.Helper()
	list, err := db.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, key := range list[1:] {
		n += key.Total()
	}
	return n
}
