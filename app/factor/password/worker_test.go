package password

import (
	"sync"
	"testing"
	"time"
)

// Whoever comes at the moment at which the last thread goes must not wait for one
// that is gone.
func TestNobodyWaitsForAThreadThatHasGone(t *testing.T) {
	t.Parallel()
	w := &workers{jobs: make(chan func()), most: 1, room: 10, idle: time.Microsecond}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var callers sync.WaitGroup
		for range 4 {
			callers.Go(func() {
				for range 250 {
					if err := w.do(t.Context(), func() {}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("somebody waits for a thread that does not come")
	}
}
