package deliver

import (
	"context"
	"sync"
	"time"
)

const (
	// A session is kept a moment for the next message: connecting, TLS and what
	// the domain demands cost more than the message itself.
	keepFor    = 3 * time.Second
	maxKeptFor = time.Minute // then all that is asked of a domain is asked anew
	maxTaken   = 20          // messages by one connection; servers count them
	maxKept    = 32
	takesLeave = 2 * time.Second // that a server gets to answer QUIT
)

// keeper keeps sessions that have just delivered a message, by where they lead.
// The zero keeper is ready.
type keeper struct {
	mu   sync.Mutex
	idle map[string][]*keptSession
	n    int
}

type keptSession struct {
	*conversation
	host  string
	since time.Time // it was opened
	timer *time.Timer
	gone  func() // it was closed for nobody came
}

// put keeps a session, and reports whether it does. gone is called when nobody
// has taken it and it is closed.
func (k *keeper) put(key string, s *keptSession, gone func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.taken >= maxTaken || time.Since(s.since) > maxKeptFor || k.n >= maxKept {
		return false
	}
	if k.idle == nil {
		k.idle = make(map[string][]*keptSession)
	}
	s.gone = gone
	s.timer = time.AfterFunc(keepFor, func() {
		if k.remove(key, s) {
			s.leave()
			s.gone()
		}
	})
	k.idle[key] = append(k.idle[key], s)
	k.n++
	return true
}

// take returns a session that was kept, the newest, or nil.
func (k *keeper) take(key string) *keptSession {
	k.mu.Lock()
	list := k.idle[key]
	k.mu.Unlock()
	for i := len(list) - 1; i >= 0; i-- {
		if k.remove(key, list[i]) {
			return list[i]
		}
	}
	return nil
}

// evict ends one session with a host, and reports whether there was one.
func (k *keeper) evict(host string) bool {
	k.mu.Lock()
	var found *keptSession
	var at string
	for key, list := range k.idle {
		for _, s := range list {
			if s.host == host {
				found, at = s, key
			}
		}
	}
	k.mu.Unlock()
	if found == nil || !k.remove(at, found) {
		return false
	}
	go found.leave()
	found.gone()
	return true
}

// remove reports whether s was still there: of many who want it, one gets it.
func (k *keeper) remove(key string, s *keptSession) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.idle[key]
	for i := range list {
		if list[i] != s {
			continue
		}
		rest := append(append([]*keptSession(nil), list[:i]...), list[i+1:]...)
		if k.idle[key] = rest; len(rest) == 0 {
			delete(k.idle, key)
		}
		k.n--
		s.timer.Stop()
		return true
	}
	return false
}

// again offers a message in a session that was kept. ok is false when the
// session turns out to have ended meanwhile: the message was not offered.
func (s *keptSession) again(ctx context.Context, e Envelope, limits Limits, now func() time.Time, beforeDot func() error) (r Result, ok bool) {
	detach := s.attach(ctx, limits)
	s.hidden = e.To
	refused, err := s.transfer(e, now, beforeDot)
	if s.stage == AtFrom && (err != nil || refused.Code == 421) && ctx.Err() == nil {
		detach()
		s.conn.Close()
		return Result{}, false
	}
	if err != nil {
		r = s.broken(e, err)
	} else {
		r = s.finished(*refused)
	}
	detach()
	return r, true
}

// leave takes leave of the server and closes.
func (c *conversation) leave() {
	c.trace = nil
	c.expires = time.Now().Add(takesLeave)
	c.quit()
	c.conn.Close()
}
