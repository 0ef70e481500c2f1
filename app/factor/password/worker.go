package password

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// A worker hashes on a thread of its own that gives way to all others, so that the
// server answers whoever is signed in before it hashes on. It ends when there was
// nothing to do for a while.
const workerIdle = 5 * time.Second

// workers are the threads of a Hasher.
type workers struct {
	jobs chan func()
	most int           // threads
	room int           // for those who wait
	idle time.Duration // that a thread stays without a job

	mu      sync.Mutex
	running int
	waiting int
}

// do runs f on a worker, or returns ErrBusy when too many wait already.
func (w *workers) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	job := func() { defer close(done); f() }
	w.mu.Lock()
	select {
	case w.jobs <- job:
		w.mu.Unlock()
		<-done
		return nil
	default:
	}
	switch {
	case w.running < w.most:
		w.running++
		w.mu.Unlock()
		go w.work(job)
		<-done
		return nil
	case w.waiting >= w.room:
		w.mu.Unlock()
		return ErrBusy.After(busyFor)
	}
	w.waiting++
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting--
	}()
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
	idle := time.NewTimer(w.idle)
	defer idle.Stop()
	for {
		if job != nil {
			job()
		}
		idle.Reset(w.idle)
		select {
		case job = <-w.jobs:
		case <-idle.C:
			if w.leave() {
				return
			}
			job = nil
		}
	}
}

// leave ends a worker, unless somebody has begun to wait for one meanwhile: they
// count on it.
func (w *workers) leave() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting > 0 {
		return false
	}
	w.running--
	return true
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
