package mailtest

import (
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"
)

// Drop makes an address of this machine one whose connections nobody answers, as
// behind a firewall that drops them: a server whose queue of connections is full.
func Drop(t testing.TB, address string) {
	t.Helper()
	at := netip.MustParseAddrPort(address)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), address)
	t.Cleanup(func() { file.Close() })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return // full
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("this system answers however full the queue is")
}
