package password

import (
	"errors"
	"sync"
	"testing"
)

// Whoever finds the queue full is sent away at once, and nobody who waits is lost.
func TestSoManyHashAndSoManyWait(t *testing.T) {
	turns := &turns{places: make(chan struct{}, 2), room: 3}
	begun, end := make(chan struct{}, 2), make(chan struct{})
	var callers sync.WaitGroup
	hash := func() {
		callers.Go(func() {
			if err := turns.do(t.Context(), func() { begun <- struct{}{}; <-end }); err != nil {
				t.Error(err)
			}
		})
	}
	hash()
	hash()
	<-begun
	<-begun
	for range 3 {
		hash()
	}
	for turns.waiting.Load() < 3 {
	}
	if err := turns.do(t.Context(), func() { t.Error("a third hashes") }); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	close(end)
	go func() {
		for range begun {
		}
	}()
	callers.Wait()
	close(begun)
	if n := turns.waiting.Load(); n != 0 {
		t.Errorf("%d are still thought to wait", n)
	}
}
