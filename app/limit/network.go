package limit

import "net/netip"

// level is one of the networks that an address is in, and how many times the
// rules of a single host it has.
type level struct {
	bits  int
	times int
}

// A provider gives a customer one IPv4 address, or an IPv6 network of /64, /56 or
// /48. The owner of a larger network must not have as many attempts as there are
// hosts in it.
var (
	levels4 = []level{{32, 1}, {24, 3}}
	levels6 = []level{{64, 1}, {56, 2}, {48, 3}}
)

// About what a provider has in one piece: the region of an address.
const (
	region4 = 16
	region6 = 32
)

// Networks returns the asks of a request that comes from a network, as audit.Origin
// names it: by the rules for the host, and by several times as much for each
// larger network around it. Keys begin with kind.
//
// most is what everyone together may do, nil where there is no such bound. Then no
// network has more than half of it, and neither has the whole region, so that one
// stranger cannot use it up and keep everyone else out.
func Networks(kind, network string, rules, most []Rule) []Ask {
	ip, ok := address(network)
	if !ok {
		return []Ask{{Key: kind + network, Rules: rules}}
	}
	levels, region := levels4, region4
	if ip.Is6() {
		levels, region = levels6, region6
	}
	var asks []Ask
	add := func(bits int, rules []Rule) {
		if p, err := ip.Prefix(bits); err == nil {
			asks = append(asks, Ask{Key: kind + p.String(), Rules: rules})
		}
	}
	var halves []Rule
	for _, m := range most {
		halves = append(halves, half(m))
	}
	for _, l := range levels {
		var more []Rule
		for _, r := range rules {
			more = append(more, Rule{Count: r.Count * l.times, Per: r.Per})
		}
		add(l.bits, append(more, halves...))
	}
	if most != nil {
		add(region, halves)
	}
	return asks
}

func half(r Rule) Rule { return Rule{Count: max(1, r.Count/2), Per: r.Per} }

// Shares returns the places that a request from a network takes out of that many,
// for Gate: those of one site are a quarter, those of its region are half.
func Shares(network string, places int) []Share {
	ip, ok := address(network)
	if !ok {
		return []Share{{network, max(1, places/4)}}
	}
	site, region := levels4[len(levels4)-1].bits, region4
	if ip.Is6() {
		site, region = levels6[len(levels6)-1].bits, region6
	}
	var shares []Share
	if p, err := ip.Prefix(site); err == nil {
		shares = append(shares, Share{p.String(), max(1, places/4)})
	}
	if p, err := ip.Prefix(region); err == nil {
		shares = append(shares, Share{p.String(), max(1, places/2)})
	}
	return shares
}

// address returns an address in the network: any of them tells all around it.
func address(network string) (netip.Addr, bool) {
	if p, err := netip.ParsePrefix(network); err == nil {
		return p.Addr().Unmap(), true
	}
	ip, err := netip.ParseAddr(network)
	return ip.Unmap().WithZone(""), err == nil
}
