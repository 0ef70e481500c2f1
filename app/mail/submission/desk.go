package submission

import (
	"context"
	"sync"
	"time"
)

const (
	// atOnce is how many mails are read at a time: each may be MaxBytes, and it is
	// in memory some times over.
	atOnce = 8
	// enterWithin is how long a mail waits for its turn, over SMTP and over HTTP.
	enterWithin     = time.Minute
	enterHTTPWithin = 10 * time.Second
)

// desk is where mails are read. Its zero value is ready.
type desk struct {
	once   sync.Once
	places chan struct{}
}

// enter waits for a place, and returns how to leave it, or errQueueFull.
func (d *desk) enter(ctx context.Context, within time.Duration) (leave func(), err error) {
	d.once.Do(func() { d.places = make(chan struct{}, atOnce) })
	waiting := time.NewTimer(within)
	defer waiting.Stop()
	select {
	case d.places <- struct{}{}:
		return func() { <-d.places }, nil
	case <-waiting.C:
	case <-ctx.Done():
	}
	return nil, errQueueFull
}

// Enter waits until a mail may be read that comes over HTTP. Whoever got in calls
// leave. The error is a Refusal.
func (s *Service) Enter(ctx context.Context) (leave func(), err error) {
	return s.desk.enter(ctx, enterHTTPWithin)
}
