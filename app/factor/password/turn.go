package password

import (
	"context"
	"sync/atomic"
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
