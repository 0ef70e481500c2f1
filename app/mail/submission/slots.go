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

// slots bound how many mails are read at a time. Its zero value is ready.
type slots struct {
	once   sync.Once
	places chan struct{}
}

// enter waits for a place, and returns how to leave it, or errQueueFull.
func (s *slots) enter(ctx context.Context, within time.Duration) (leave func(), err error) {
	s.once.Do(func() { s.places = make(chan struct{}, atOnce) })
	waiting := time.NewTimer(within)
	defer waiting.Stop()
	select {
	case s.places <- struct{}{}:
		return func() { <-s.places }, nil
	case <-waiting.C:
	case <-ctx.Done():
	}
	return nil, errQueueFull
}

// Enter waits until a mail that comes over HTTP may be read. Call leave afterwards. The error is a Refusal.
func (s *Service) Enter(ctx context.Context) (leave func(), err error) {
	return s.slots.enter(ctx, enterHTTPWithin)
}
