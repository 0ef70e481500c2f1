package submission

import (
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// How many connections may be open at once. Those that have not logged in count
// by themselves, so that strangers never keep an app out.
const (
	maxConns    = 100 // that logged in
	maxNewConns = 50  // that did not
	maxPerHost  = 20  // of either kind, but from this machine
	// loginWithin is how long a connection may take to log in.
	loginWithin = time.Minute
)

// guard is a listener that takes so many connections and no more, and can end
// them.
type guard struct {
	net.Listener
	mu    sync.Mutex
	conns map[*guarded]struct{}
}

func newGuard(l net.Listener) *guard {
	return &guard{Listener: l, conns: make(map[*guarded]struct{})}
}

// guarded is a connection that is counted, and closed behind its next word when
// it was hung up.
type guarded struct {
	net.Conn
	guard   *guard
	network string // from which it comes
	since   time.Time
	known   atomic.Bool // logged in
	last    atomic.Bool
	busy    atomic.Bool // a mail is being handed over
}

// Accept returns the next connection that there is room for. The others are answered
// so.
func (g *guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn, evicted := g.admit(c)
		if evicted != nil {
			evicted.Close()
		}
		if conn != nil {
			return conn, nil
		}
		// A few bytes into an empty buffer do not wait for anybody.
		_, _ = c.Write([]byte("421 4.7.0 too many connections; try again later\r\n"))
		c.Close()
	}
}

// admit counts a connection. Where there are too many that have not logged in,
// one of them is evicted: the oldest of the network that has the most. It
// returns nil where only those are left that logged in.
func (g *guard) admit(c net.Conn) (conn, evicted *guarded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ip := addrOf(c)
	conn = &guarded{Conn: c, guard: g, network: networkOf(ip), since: time.Now()}
	fresh := make(map[string][]*guarded) // by network
	known, strangers, same := 0, 0, 0
	for other := range g.conns {
		if other.network == conn.network {
			same++
		}
		if other.known.Load() {
			known++
			continue
		}
		strangers++
		fresh[other.network] = append(fresh[other.network], other)
	}
	var from []*guarded
	switch {
	case known >= maxConns:
		return nil, nil
	case same >= maxPerHost && !ip.IsLoopback():
		if from = fresh[conn.network]; len(from) == 0 {
			return nil, nil
		}
	case strangers >= maxNewConns:
		for _, list := range fresh {
			if len(list) > len(from) {
				from = list
			}
		}
	}
	if len(from) > 0 {
		evicted = slices.MinFunc(from, func(a, b *guarded) int { return a.since.Compare(b.since) })
		delete(g.conns, evicted)
	}
	g.conns[conn] = struct{}{}
	return conn, evicted
}

// loggedIn lets a connection stay as long as it likes.
func (g *guard) loggedIn(c net.Conn) { under(c).known.Store(true) }

// SetReadDeadline sets a deadline, which is never later than the one for logging
// in.
func (c *guarded) SetReadDeadline(t time.Time) error {
	if last := c.since.Add(loginWithin); !c.known.Load() && (t.IsZero() || t.After(last)) {
		t = last
	}
	return c.Conn.SetReadDeadline(t)
}

// Close ends the connection and makes room.
func (c *guarded) Close() error {
	c.guard.mu.Lock()
	delete(c.guard.conns, c)
	c.guard.mu.Unlock()
	return c.Conn.Close()
}

func (c *guarded) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.last.Load() {
		c.Close()
	}
	return n, err
}

// under finds the counted connection that c is, or goes over.
func under(c net.Conn) *guarded {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	conn, ok := c.(*guarded)
	if !ok {
		return &guarded{} // not one of ours: marking it changes nothing
	}
	return conn
}

// hangUp closes a connection behind the answer that follows.
func (g *guard) hangUp(c net.Conn) { under(c).last.Store(true) }

// busy spares a connection from closeIdle until the function it returns is
// called.
func (g *guard) busy(c net.Conn) (done func()) {
	conn := under(c)
	conn.busy.Store(true)
	return func() { conn.busy.Store(false) }
}

// closeIdle ends every connection that hands over no mail.
func (g *guard) closeIdle() { g.close(func(c *guarded) bool { return !c.busy.Load() }) }

// closeAll ends every connection.
func (g *guard) closeAll() { g.close(func(*guarded) bool { return true }) }

func (g *guard) close(which func(*guarded) bool) {
	g.mu.Lock()
	var list []*guarded
	for c := range g.conns {
		if which(c) {
			list = append(list, c)
		}
	}
	g.mu.Unlock()
	for _, c := range list {
		c.Close()
	}
}
