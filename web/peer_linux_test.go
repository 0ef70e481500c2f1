package web

import (
	"net"
	"net/netip"
	"os"
	"testing"
)

func TestTheKernelTellsWhoseConnectionItIs(t *testing.T) {
	for _, network := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", network)
		if err != nil {
			t.Logf("%s: %v", network, err) // a machine without IPv6
			continue
		}
		defer l.Close()
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		peer := netip.MustParseAddrPort(conn.LocalAddr().String())
		if uid, err := peerUser(peer); err != nil || uid != os.Getuid() {
			t.Errorf("%s: got %d, %v, want %d", peer, uid, err, os.Getuid())
		}
	}
	if _, err := peerUser(netip.MustParseAddrPort("127.0.0.1:1")); err == nil {
		t.Error("a connection that is not there has an owner")
	}
}
