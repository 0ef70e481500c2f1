package deliver

import (
	"net"
	"net/netip"
)

// Source says from where we connect. The zero Source leaves it to the system.
type Source struct {
	Address netip.Addr // only where its family leads
	Family  int        // 4 or 6 alone; 0 is both
}

// takes reports whether an address of that family may be connected to.
func (s Source) takes(ip netip.Addr) bool {
	switch {
	case s.Address.IsValid():
		return s.Address.Is4() == ip.Is4()
	case s.Family == 4:
		return ip.Is4()
	case s.Family == 6:
		return ip.Is6()
	}
	return true
}

func (s Source) dialer(to netip.Addr) *net.Dialer {
	if !s.Address.IsValid() || s.Address.Is4() != to.Is4() {
		return &net.Dialer{}
	}
	return &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.Address, 0))}
}

// IP returns the address we would connect from. Nothing is sent.
func (s Source) IP(to netip.Addr) (netip.Addr, bool) {
	if !s.takes(to) {
		return netip.Addr{}, false
	}
	if s.Address.IsValid() {
		return s.Address, true
	}
	conn, err := net.Dial("udp", netip.AddrPortFrom(to, 25).String())
	if err != nil {
		return netip.Addr{}, false
	}
	defer conn.Close()
	at, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return at.Addr().Unmap(), err == nil
}
