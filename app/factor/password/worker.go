package password

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A worker hashes on a thread of its own that gives way to all others, so that the
// server answers whoever is signed in before it hashes on. It ends when there was
// nothing to do for a while.
const workerIdle = 5 * time.Second

// workers are the threads of a Hasher.
type workers struct {
	jobs    chan func()
	most    int64
	running atomic.Int64
	waiting atomic.Int64
	room    int64
}

// do runs f on a worker, or returns ErrBusy when too many wait already.
func (w *workers) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	job := func() { defer close(done); f() }
	select {
	case w.jobs <- job:
		<-done
		return nil
	default:
	}
	if n := w.running.Add(1); n <= w.most {
		go w.work(job)
		<-done
		return nil
	}
	w.running.Add(-1)
	if w.waiting.Add(1) > w.room {
		w.waiting.Add(-1)
		return ErrBusy.After(busyFor)
	}
	defer w.waiting.Add(-1)
	select {
	case w.jobs <- job:
		<-done
		return nil
	case <-ctx.Done():
		return ErrBusy.After(busyFor).Because(ctx.Err())
	}
}

func (w *workers) work(job func()) {
	// The thread ends with the goroutine: its priority cannot be raised again.
	runtime.LockOSThread()
	yield()
	tight()
	defer loose()
	defer w.running.Add(-1)
	idle := time.NewTimer(workerIdle)
	defer idle.Stop()
	for {
		job()
		idle.Reset(workerIdle)
		select {
		case job = <-w.jobs:
		case <-idle.C:
			return
		}
	}
}

// The collector lets garbage grow to as much as is in use, and a hash in the making
// is in use: it would let the server grow by twice the memory of a hash. While
// somebody hashes it collects sooner, and afterwards all is given back to the system.
const tightPercent = 20

var collector struct {
	sync.Mutex
	workers int
	percent int // what to go back to
}

func tight() {
	collector.Lock()
	defer collector.Unlock()
	if collector.workers++; collector.workers == 1 {
		collector.percent = debug.SetGCPercent(tightPercent)
		if collector.percent >= 0 && collector.percent < tightPercent {
			debug.SetGCPercent(collector.percent)
		}
	}
}

func loose() {
	collector.Lock()
	defer collector.Unlock()
	if collector.workers--; collector.workers == 0 {
		debug.SetGCPercent(collector.percent)
		debug.FreeOSMemory()
	}
}
