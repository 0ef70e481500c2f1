package submission

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// How many connections may be open at once.
const (
	maxConns   = 100
	maxPerHost = 20 // but from this machine
)

// guard is a listener that takes so many connections and no more, and can end
// them.
type guard struct {
	net.Listener
	mu    sync.Mutex
	conns map[*guarded]netip.Addr
}

func newGuard(l net.Listener) *guard {
	return &guard{Listener: l, conns: make(map[*guarded]netip.Addr)}
}

// guarded is a connection that is counted, and closed behind its next word when
// it was hung up.
type guarded struct {
	net.Conn
	guard *guard
	last  atomic.Bool
	busy  atomic.Bool // a mail is being handed over
}

// Accept returns the next connection that there is room for. The others are told
// so.
func (g *guard) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if conn, ok := g.admit(c); ok {
			return conn, nil
		}
		// A few bytes into an empty buffer do not wait for anybody.
		_, _ = c.Write([]byte("421 4.7.0 too many connections; try again later\r\n"))
		c.Close()
	}
}

func (g *guard) admit(c net.Conn) (*guarded, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	ip, same := addrOf(c), 0
	for _, other := range g.conns {
		if other == ip {
			same++
		}
	}
	if len(g.conns) >= maxConns || same >= maxPerHost && !ip.IsLoopback() {
		return nil, false
	}
	conn := &guarded{Conn: c, guard: g}
	g.conns[conn] = ip
	return conn, true
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
