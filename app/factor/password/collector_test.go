package password

import (
	"runtime/debug"
	"sync"
	"testing"
)

func TestTheCollectorIsLeftAsItWas(t *testing.T) {
	const percent = 87
	const limit = 1 << 40
	defer debug.SetGCPercent(debug.SetGCPercent(percent))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				hashing(1, func() {})
			}
		})
	}
	wg.Wait()
	if got := debug.SetGCPercent(percent); got != percent {
		t.Errorf("the collector runs at %d percent, want %d", got, percent)
	}
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("the limit of memory is %d, want %d", got, limit)
	}
}

// An operator's own limit may be lower than ours, and stays.
func TestALimitOfTheOperatorsStays(t *testing.T) {
	const limit = 1 << 20
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
	hashing(1<<20, func() {
		if got := debug.SetMemoryLimit(-1); got != limit {
			t.Errorf("the limit of memory is %d while one hashes, want %d", got, limit)
		}
	})
}
