// Package reach keeps other people's names from leading us to our own doors.
//
// Whoever may enter an address chooses the domain, and with its records the
// machine that we connect to. What is not on the public Internet is refused,
// and so is this machine itself. The address that was looked at is the one that
// is dialled: a name is never resolved twice.
package reach

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"gatelodge/app/mail/resolve"
)

// ErrRefused means that an address is not for strangers to choose.
var ErrRefused = errors.New("an address that mail does not go to")

// ErrOurs, which is ErrRefused too, means that an address is this machine's.
var ErrOurs = fmt.Errorf("%w: it is ours", ErrRefused)

// Guard says which addresses may be connected to.
type Guard struct {
	AllowPrivate bool // all of them
}

// special are the networks that are not on the public Internet besides those
// that netip knows (IANA special-purpose registries), and those that carry an
// IPv4 address in IPv6.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// Public reports whether an address is one of the public Internet.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Check returns an error with ErrRefused unless ip may be connected to.
func (g Guard) Check(ip netip.Addr) error {
	if g.AllowPrivate {
		return nil
	}
	if ip.Zone() != "" || !Public(ip) {
		return fmt.Errorf("%s: %w: it is in a private or reserved network", ip, ErrRefused)
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("reading our own addresses: %w", err)
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip.AsSlice()) {
			return fmt.Errorf("%s: %w", ip, ErrOurs)
		}
	}
	return nil
}

// Transport returns an HTTP transport that asks resolver and connects to what
// the guard allows. It knows no proxy.
func (g Guard) Transport(resolver *resolve.Resolver) *http.Transport {
	return &http.Transport{
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			h, err := resolver.Host(ctx, host)
			if err != nil {
				return nil, err
			}
			err = fmt.Errorf("%s has no address", host)
			for _, ip := range slices.Concat(h.IPv4, h.IPv6) {
				if err = g.Check(ip); err != nil {
					continue
				}
				var conn net.Conn
				if conn, err = (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(ip.String(), port)); err == nil {
					return conn, nil
				}
			}
			return nil, err
		},
	}
}
