package command

import (
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// outputMost is how much may wait for a reader that has stopped reading.
	outputMost = 1 << 20
	// outputWithin bounds how long the end of a run waits for such a reader.
	outputWithin = time.Second
)

// Output writes the log and notices of a server without ever waiting for
// their reader: a reader that stops, or that is gone, must not stop anyone from signing
// in. What does not fit is dropped and counted. Each Write is kept or dropped whole.
type Output struct {
	to io.Writer

	mu      sync.Mutex
	change  sync.Cond
	waiting []byte
	dropped int
	writing bool
	closed  bool
}

// NewOutput returns an Output to a file, a pipe or a terminal. Close it.
func NewOutput(to io.Writer) *Output {
	o := &Output{to: to}
	o.change.L = &o.mu
	go o.pass()
	return o
}

// Write keeps p for the reader. It never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.waiting)+len(p) > outputMost {
		o.dropped++
		return len(p), nil
	}
	o.waiting = append(o.waiting, p...)
	o.change.Broadcast()
	return len(p), nil
}

// pass writes what waits, in the order in which it came.
func (o *Output) pass() {
	var spare []byte
	for {
		o.mu.Lock()
		o.writing = false
		o.change.Broadcast()
		for len(o.waiting) == 0 && !o.closed {
			o.change.Wait()
		}
		if len(o.waiting) == 0 {
			o.mu.Unlock()
			return
		}
		text, dropped := o.waiting, o.dropped
		o.waiting, o.dropped, o.writing = spare[:0], 0, true
		o.mu.Unlock()
		if dropped > 0 {
			text = fmt.Appendf(text, "gatelodge: %d lines were dropped here, because nothing read them\n", dropped)
		}
		// A reader that is gone is not an error: there is nowhere left to report it.
		_, _ = o.to.Write(text)
		spare = text
	}
}

// Close writes what waits, for a second at most.
func (o *Output) Close() error {
	late := time.AfterFunc(outputWithin, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.waiting, o.writing = nil, false
		o.change.Broadcast()
	})
	defer late.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.change.Broadcast()
	for len(o.waiting) > 0 || o.writing {
		o.change.Wait()
	}
	return nil
}
