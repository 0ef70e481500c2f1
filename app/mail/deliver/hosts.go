package deliver

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"gatelodge/app/mail/resolve"
)

const (
	deadFor      = 5 * time.Minute // a server that did not answer is tried last
	maxHosts     = 10_000          // remembered
	ipv6For      = 24 * time.Hour
	ipv6AgainFor = time.Hour
	// blockedAfter servers that are silent, while none answers, mean that the
	// provider of this machine blocks the port.
	blockedAfter = 3
	blockedFor   = 30 * time.Minute
	// absentFor is longer than from one look at a domain to the next while mail to
	// it waits for its first two.
	absentFor = time.Hour
)

// hosts is what was seen of servers since the start. The zero hosts is ready.
type hosts struct {
	mu      sync.Mutex
	busy    map[string]int       // sessions by name
	dead    map[string]time.Time // until when, by address
	resting map[string]rest      // by name
	putOffs map[string]int       // how often in a row, by domain
	gone    map[string]absence   // domains that do not exist
	silent  map[string]bool      // addresses that were silent since one answered
	quiet   time.Time            // when the last of them was
	ipv6    bool                 // our address has a name that confirms it
	ipv6Due time.Time
}

// enter takes a place at a server, unless there are so many of ours.
func (h *hosts) enter(name string, most int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy == nil {
		h.busy = make(map[string]int)
	}
	if h.busy[name] >= most {
		return false
	}
	h.busy[name]++
	return true
}

func (h *hosts) leave(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy[name]--; h.busy[name] == 0 {
		delete(h.busy, name)
	}
}

// dial connects to an address and remembers whether somebody answered.
func (h *hosts) dial(ctx context.Context, dialer *net.Dialer, address string, within time.Duration, now time.Time) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := dialer.DialContext(limited, "tcp", address)
	if err != nil && ctx.Err() != nil {
		return nil, err // we gave up, not the server
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.dead, address)
		h.silent = nil
		return conn, nil
	}
	if h.dead == nil || len(h.dead) >= maxHosts {
		h.dead = make(map[string]time.Time)
	}
	h.dead[address] = now.Add(deadFor)
	if limited.Err() != nil {
		if h.silent == nil {
			h.silent = make(map[string]bool)
		}
		if len(h.silent) < blockedAfter {
			h.silent[address] = true
		}
		h.quiet = now
	}
	return nil, err
}

// blocked reports whether it seems that nothing gets out. It is looked at again
// now and then.
func (h *hosts) blocked(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.silent) >= blockedAfter && now.Sub(h.quiet) < blockedFor
}

// alive puts the servers last that did not answer lately.
func (h *hosts) alive(servers []server, port int, now time.Time) []server {
	h.mu.Lock()
	defer h.mu.Unlock()
	isDead := func(s server) int {
		for _, ip := range s.addresses {
			if !now.Before(h.dead[net.JoinHostPort(ip.String(), strconv.Itoa(port))]) {
				return 0
			}
		}
		return 1
	}
	slices.SortStableFunc(servers, func(a, b server) int { return isDead(a) - isDead(b) })
	return servers
}

// absence is that of a domain: from when to when it was not there.
type absence struct{ since, seen time.Time }

// missingFor returns how long ago a domain was first found not to exist. What was
// seen long ago is another absence.
func (h *hosts) missingFor(domain string, now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, known := h.gone[domain]
	if !known || now.Sub(a.seen) > absentFor {
		if h.gone == nil || len(h.gone) >= maxHosts {
			h.gone = make(map[string]absence)
		}
		a.since = now
	}
	a.seen = now
	h.gone[domain] = a
	return now.Sub(a.since)
}

func (h *hosts) found(domain string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.gone, domain)
}

// hasIPv6 reports whether our IPv6 address has a name that points back to it.
// It is looked at once a day, and more often while it has not.
func (h *hosts) hasIPv6(ctx context.Context, resolver *resolve.Resolver, source Source, to netip.Addr, now time.Time) bool {
	h.mu.Lock()
	if now.Before(h.ipv6Due) {
		defer h.mu.Unlock()
		return h.ipv6
	}
	h.mu.Unlock()
	good := false
	if ip, ok := source.IP(to); ok {
		names, err := resolver.Confirmed(ctx, ip)
		good = err == nil && len(names) > 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ipv6, h.ipv6Due = good, now.Add(ipv6AgainFor)
	if good {
		h.ipv6Due = now.Add(ipv6For)
	}
	return good
}
