package password

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// turns are the places of those who hash at once, and the queue before them.
type turns struct {
	places  chan struct{}
	room    int64 // for those who wait
	waiting atomic.Int64
}

// do runs f when its turn has come, or returns ErrBusy when too many wait already
// or ctx ends first.
func (t *turns) do(ctx context.Context, f func()) error {
	select {
	case t.places <- struct{}{}:
	default:
		defer t.waiting.Add(-1)
		if t.waiting.Add(1) > t.room {
			return ErrBusy.After(busyFor)
		}
		select {
		case t.places <- struct{}{}:
		case <-ctx.Done():
			return ErrBusy.After(busyFor).Because(ctx.Err())
		}
	}
	defer func() { <-t.places }()
	f()
	return nil
}

// collector is the process's own, whoever hashes.
var collector struct {
	sync.Mutex
	hashing int
	percent int         // what to go back to
	over    *time.Timer // since nobody hashes
}

// hashing runs f, which takes the memory of a hash, and then has it collected by
// hand: before the next hash takes as much, or the server would grow by twice what it
// may. In between the collector is held back. To it the memory of a hash is reason
// enough to run, and it would find nothing.
func hashing(f func()) {
	collect(1)
	f()
	runtime.GC()
	collect(-1)
}

// worthCollecting is the memory of a hash, in KiB, from which on it is.
const worthCollecting = 1 << 10

// heldBack is the percentage for each hash in the making. It lets the heap grow to
// 40 MB of which a hash takes half, and a hash is soon over.
const heldBack = 1000

func collect(change int) {
	collector.Lock()
	defer collector.Unlock()
	first := collector.hashing == 0
	collector.hashing += change
	percent := collector.percent
	if collector.hashing > 0 {
		percent = heldBack * collector.hashing
	}
	if before := debug.SetGCPercent(percent); first {
		collector.percent = before
	}
	switch {
	case collector.hashing > 0 && collector.over != nil:
		collector.over.Stop()
	case collector.hashing == 0 && collector.over == nil:
		collector.over = time.AfterFunc(giveBackAfter, giveBack)
	case collector.hashing == 0:
		collector.over.Reset(giveBackAfter)
	}
}

// giveBackAfter is when nobody is expected to hash soon.
const giveBackAfter = 5 * time.Second

// giveBack returns the memory of the last hash to the system.
func giveBack() {
	collector.Lock()
	defer collector.Unlock()
	if collector.hashing == 0 {
		debug.FreeOSMemory()
	}
}
