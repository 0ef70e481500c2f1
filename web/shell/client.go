package shell

import (
	"net/http"
	"net/netip"

	"gatelodge/app/audit"
	"gatelodge/app/device"
)

// network returns what limits count by: an IPv4 address, or the /64 an IPv6
// address is in, since one host has all of that.
func Network(ip netip.Addr) string {
	if ip.Is6() {
		p, err := ip.Prefix(64)
		if err == nil {
			return p.String()
		}
	}
	return ip.String()
}

// from says who sends a request, for limits and for the audit log.
func (s *Shell) From(r *http.Request) audit.Origin {
	ip := s.Proxies.Client(r)
	return audit.Origin{IP: ip.String(), Network: Network(ip), Device: device.Label(r.UserAgent()), Reference: Reference(r), TimeZone: s.Cookies.ZoneName(r)}
}
