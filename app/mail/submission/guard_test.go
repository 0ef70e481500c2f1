package submission

import (
	"net"
	"testing"
	"time"
)

// guest is a connection from an address that notes its deadline.
type guest struct {
	net.Conn
	from     string
	deadline time.Time
	closed   bool
}

func (g *guest) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(g.from), Port: 4000}
}
func (g *guest) SetReadDeadline(t time.Time) error { g.deadline = t; return nil }
func (g *guest) Close() error                      { g.closed = true; return nil }

func TestALoginIsDueWithinAMinute(t *testing.T) {
	g := newGuard(nil)
	c := &guest{from: "192.0.2.1"}
	conn, _ := g.admit(c)
	for _, asked := range []time.Time{{}, conn.since.Add(stepWithin)} {
		if err := conn.SetReadDeadline(asked); err != nil || !c.deadline.Equal(conn.since.Add(loginWithin)) {
			t.Errorf("asked for %v: the deadline is %v, %v", asked, c.deadline, err)
		}
	}
	g.loggedIn(conn)
	later := conn.since.Add(time.Hour)
	if err := conn.SetReadDeadline(later); err != nil || !c.deadline.Equal(later) {
		t.Errorf("after the login the deadline is %v, %v", c.deadline, err)
	}
}

func TestANetworkHasItsShareOfConnections(t *testing.T) {
	g := newGuard(nil)
	add := func(from string) (*guarded, *guarded) { return g.admit(&guest{from: from}) }
	app, _ := add("198.51.100.1") // the oldest, of a network with few
	for i := range maxPerHost {
		if _, evicted := add("192.0.2.1"); evicted != nil {
			t.Fatalf("connection %d of a network evicts another", i)
		}
	}
	first, evicted := add("192.0.2.1")
	if first == nil || evicted == nil || evicted.network != "192.0.2.1" {
		t.Fatalf("one too many: got %v, %v", first, evicted)
	}
	// One IPv6 network has as many addresses as it likes.
	for i := range 2 * maxNewConns {
		conn, evicted := add("2001:db8::" + string(rune('1'+i%9)))
		if conn == nil || evicted == app {
			t.Fatalf("connection %d: got %v, evicts the app: %v", i, conn, evicted == app)
		}
	}
	if len(g.conns) > maxNewConns {
		t.Errorf("%d strangers at once", len(g.conns))
	}
	// Those that logged in are never evicted, and have a share of their own.
	for range maxPerHost + 1 {
		if conn, _ := add("203.0.113.1"); conn != nil {
			g.loggedIn(conn)
		}
	}
	if conn, evicted := add("203.0.113.1"); conn != nil || evicted != nil {
		t.Errorf("one more than a network's share: got %v, %v", conn, evicted)
	}
}
