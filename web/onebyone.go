package web

import "sync"

// oneByOne has requests with the same key wait for each other: a browser that comes
// back twice at once is asked about at the upstream once.
type oneByOne struct {
	mu   sync.Mutex
	busy map[string]chan struct{}
}

// enter waits for its turn. The caller calls leave.
func (o *oneByOne) enter(key string) (leave func()) {
	for {
		o.mu.Lock()
		before, taken := o.busy[key]
		if !taken {
			if o.busy == nil {
				o.busy = make(map[string]chan struct{})
			}
			done := make(chan struct{})
			o.busy[key] = done
			o.mu.Unlock()
			return func() {
				o.mu.Lock()
				defer o.mu.Unlock()
				delete(o.busy, key)
				close(done)
			}
		}
		o.mu.Unlock()
		<-before
	}
}
