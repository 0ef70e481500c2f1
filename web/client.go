package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"gatelodge/app/audit"
	"gatelodge/app/device"
)

// maxHops bounds how much of X-Forwarded-For is read.
const maxHops = 20

// clientIP returns the address a request comes from: the peer's, or, when the
// peer is a trusted proxy, the last address in X-Forwarded-For that is not one.
// What stands left of that was written by the client and proves nothing.
func clientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	ip := peerIP(r)
	if !isTrusted(ip, trusted) {
		return ip
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for n := range min(len(hops), maxHops) {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1-n]))
		if err != nil {
			return ip
		}
		ip = hop.Unmap().WithZone("")
		if !isTrusted(ip, trusted) {
			return ip
		}
	}
	return ip
}

// peerIP returns the address at the other end of the connection. A Unix socket
// has none; its peer is a process of this machine.
func peerIP(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}

func isTrusted(ip netip.Addr, trusted []netip.Prefix) bool {
	for _, p := range trusted {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// network returns what limits count by: an IPv4 address, or the /64 an IPv6
// address is in, since one host has all of that.
func network(ip netip.Addr) string {
	if ip.Is6() {
		p, err := ip.Prefix(64)
		if err == nil {
			return p.String()
		}
	}
	return ip.String()
}

// from says who sends a request, for limits and for the audit log.
func (s *Server) from(r *http.Request) audit.From {
	ip := clientIP(r, s.trusted)
	return audit.From{IP: ip.String(), Network: network(ip), Device: device.Label(r.UserAgent()), Reference: reference(r), AdminID: adminOf(r)}
}

// forwarded reports whether a request bears the marks of a proxy.
func forwarded(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	return false
}
