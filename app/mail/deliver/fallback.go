package deliver

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

const (
	// directTries is how often direct delivery may put a message off before the
	// smarthost gets it. Four tries wait out a greylist.
	directTries = 4
	// RefusalsBelieved is how often a server may refuse us as a sender before it
	// is believed.
	RefusalsBelieved = 3
	// RefusedFor is how long a smarthost that refused our login is not asked again:
	// providers lock accounts.
	RefusedFor = 15 * time.Minute
)

// Fallback takes mail to the recipient's own server and, when that cannot be
// reached or keeps putting it off, to the smarthost.
type Fallback struct {
	Direct    *Direct
	Smarthost *Smarthost

	mu      sync.Mutex
	refused Refused
}

// Refused says that the smarthost which stands by refuses us. The zero value is
// that it does not.
type Refused struct {
	Since  time.Time
	Until  time.Time // it is not asked before
	Reason string
}

// Deliver sends one message, as Smarthost.Deliver does.
func (f *Fallback) Deliver(ctx context.Context, e Envelope, beforeDot func() error, trace func(Step)) Result {
	if f.Direct.hosts.blocked(f.Direct.Now()) {
		// Where neither way is open the domain's own servers are tried after all: a
		// domain that waits costs less than a login that is refused again and again.
		if r := f.relay(ctx, e, beforeDot, trace); r.Class != Paused {
			return r
		}
		return f.direct(ctx, e, beforeDot, trace)
	}
	first := f.direct(ctx, e, beforeDot, trace)
	if !f.handOver(first, e) {
		return first
	}
	r := f.relay(ctx, e, beforeDot, trace)
	if first.Code < 500 && (r.Class == Paused || r.TransportDown()) {
		return first // neither way works; the domain's own answer is the one to go by
	}
	return r
}

func (f *Fallback) direct(ctx context.Context, e Envelope, beforeDot func() error, trace func(Step)) Result {
	r := f.Direct.Deliver(ctx, e, beforeDot, trace)
	r.Way = "direct"
	return r
}

// relay sends the message through the smarthost, unless that has refused our
// login a while ago.
func (f *Fallback) relay(ctx context.Context, e Envelope, beforeDot func() error, trace func(Step)) Result {
	if reason, ok := f.turn(); !ok {
		return Result{Class: Paused, Stage: AtAuth, Text: reason, Way: "smarthost"}
	}
	if trace != nil {
		trace(Step{Note: "through the smarthost instead"})
	}
	r := f.Smarthost.Deliver(ctx, e, beforeDot, trace)
	r.Way = "smarthost"
	f.learn(r)
	return r
}

// turn reports whether the smarthost may be asked now. While it refuses us, of
// many one may, now and then.
func (f *Fallback) turn() (reason string, ok bool) {
	now := f.Direct.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refused == (Refused{}) {
		return "", true
	}
	if now.Before(f.refused.Until) {
		return f.refused.Reason, false
	}
	f.refused.Until = now.Add(RefusedFor)
	return "", true
}

func (f *Fallback) learn(r Result) {
	now := f.Direct.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Class != Paused && !r.TransportDown():
		f.refused = Refused{}
	case r.Class == Paused:
		if f.refused.Since.IsZero() {
			f.refused.Since = now
		}
		f.refused.Until, f.refused.Reason = now.Add(RefusedFor), r.Text
	}
}

// Refused returns whether the smarthost refuses us, and why.
func (f *Fallback) Refused() Refused {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused
}

// Resume forgets that the smarthost refused us.
func (f *Fallback) Resume() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused = Refused{}
}

// handOver reports whether the smarthost gets the message after that result.
// Where TLS is demanded and not to be had it does not: it might go on in clear.
func (f *Fallback) handOver(r Result, e Envelope) bool {
	tries := max(e.Attempt, f.Direct.hosts.putOff(e.To, r))
	if r.Class != Temporary || r.Stage == AtTLS || r.Busy || errors.Is(r.Err, errNoDot) {
		return false
	}
	silent := r.Code == 0 && r.Stage == AtConnect && !r.Rests
	return silent || r.Refusal() && e.Refusals+1 >= RefusalsBelieved || tries >= directTries
}

// putOff returns how often in a row the servers of a recipient's domain have put
// us off rather than a message, which does not count as a try of any.
func (h *hosts) putOff(to string, r Result) int {
	domain := strings.ToLower(to[strings.LastIndexByte(to, '@')+1:])
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case r.Busy:
	case !r.TransportDown() && !r.Throttled():
		delete(h.putOffs, domain)
	default:
		if h.putOffs == nil || len(h.putOffs) >= maxHosts {
			h.putOffs = make(map[string]int)
		}
		h.putOffs[domain]++
	}
	return h.putOffs[domain]
}
