package password

import (
	"errors"
	"runtime/debug"
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

func TestTheCollectorIsLeftAsItWas(t *testing.T) {
	const percent = 87
	defer debug.SetGCPercent(debug.SetGCPercent(percent))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				hashing(func() {})
			}
		})
	}
	wg.Wait()
	if got := debug.SetGCPercent(percent); got != percent {
		t.Errorf("the collector runs at %d percent, want %d", got, percent)
	}
}
