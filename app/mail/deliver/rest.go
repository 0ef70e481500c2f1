package deliver

import "time"

const (
	// A server that wants less mail of us is left alone for a minute, then twice
	// as long each time, to an hour; a sign-in may ask once a minute.
	firstRest = time.Minute
	lastRest  = time.Hour
	askAgain  = time.Minute
)

// rest is that of a server which said, of whatever domain, that it wants less
// mail: many domains share the servers of one provider, which counts us as one.
type rest struct {
	times int
	until time.Time
	ask   time.Time // but for a sign-in
}

// rests reports whether a server is to be left alone. A sign-in that may ask
// takes that turn.
func (h *hosts) rests(name string, signIn bool, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, known := h.resting[name]
	if !known || !now.Before(r.until) {
		return false
	}
	if !signIn || now.Before(r.ask) {
		return true
	}
	r.ask = now.Add(askAgain)
	h.resting[name] = r
	return false
}

// judge takes in how a session with a server ended.
func (h *hosts) judge(name string, r Result, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !r.Throttled() {
		if r.Code != 0 {
			delete(h.resting, name)
		}
		return
	}
	if h.resting == nil || len(h.resting) >= maxHosts {
		h.resting = make(map[string]rest)
	}
	known := h.resting[name]
	if now.Before(known.until) && now.Before(known.ask) && known.times > 0 {
		return // another session of the same moment has reported it already
	}
	h.resting[name] = rest{
		times: known.times + 1, until: now.Add(min(firstRest<<min(known.times, 10), lastRest)), ask: now.Add(askAgain),
	}
}
