package deliver

import "context"

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
		if !f.handOver(first, e.Attempt) {
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

// handOver reports whether the smarthost gets a message after that result. Where
// TLS is demanded and not to be had it does not: it might go on in clear.
func (f *Fallback) handOver(r Result, attempt int) bool {
	if r.Class != Temporary || r.Stage == AtTLS || r.Busy {
		return false
	}
	return r.Code == 0 && r.Stage == AtConnect || attempt >= directTries
}
