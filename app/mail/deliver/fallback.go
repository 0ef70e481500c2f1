package deliver

import (
	"context"
	"strings"
)

// directTries is how often direct delivery may put a message off before the
// smarthost gets it. Four tries wait out a greylist.
const directTries = 4

// Fallback takes mail to the recipient's own server and, when that cannot be
// reached or keeps putting it off, to the smarthost.
type Fallback struct {
	Direct    *Direct
	Smarthost *Smarthost
}

// Deliver sends one message, as Smarthost.Deliver does.
func (f *Fallback) Deliver(ctx context.Context, e Envelope, beforeDot func() error, trace func(Step)) Result {
	var first Result
	if !f.Direct.hosts.blocked(f.Direct.Now()) {
		first = f.Direct.Deliver(ctx, e, beforeDot, trace)
		first.Way = "direct"
		if !f.handOver(first, max(e.Attempt, f.Direct.hosts.putOff(e.To, first))) {
			return first
		}
	}
	if trace != nil {
		trace(Step{Note: "through the smarthost instead"})
	}
	r := f.Smarthost.Deliver(ctx, e, beforeDot, trace)
	r.Way = "smarthost"
	if first.Way != "" && (r.Class == Paused || r.TransportDown()) {
		return first // neither way works; the domain's own answer is the one to go by
	}
	return r
}

// handOver reports whether the smarthost gets a message after that result, the
// tries of the message or of its domain being so many. Where TLS is demanded and
// not to be had it does not: it might go on in clear.
func (f *Fallback) handOver(r Result, tries int) bool {
	if r.Class != Temporary || r.Stage == AtTLS || r.Busy {
		return false
	}
	return r.Code == 0 && r.Stage == AtConnect && !r.Rests || tries >= directTries
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
