package resolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// MX is a mail server of a domain.
type MX struct {
	Preference uint16
	Host       string // "" is the null MX: the domain takes no mail (RFC 7505)
}

// MX returns the mail servers of a domain by preference, equal ones in random
// order, and whether DNSSEC vouches for them.
func (r *Resolver) MX(ctx context.Context, domain string) (list []MX, secure bool, err error) {
	a, err := r.Lookup(ctx, domain, dnsmessage.TypeMX)
	for _, body := range a.Records {
		if mx, ok := body.(*dnsmessage.MXResource); ok {
			list = append(list, MX{mx.Pref, strings.ToLower(bare(mx.MX))})
		}
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b MX) int { return cmp.Compare(a.Preference, b.Preference) })
	return list, a.Secure, err
}

// Host is where a name points.
type Host struct {
	IPv4, IPv6 []netip.Addr
	Name       string // at the end of the chain of CNAMEs
	// Secure says that DNSSEC vouches for all of that. A family that could not be
	// asked for adds nothing to it and takes nothing away: who can hold back one
	// answer must not make the other count for less.
	Secure bool
}

// Host returns the addresses of a name. Only when neither family could be asked
// for is it an error; without IPv6, or without IPv4, it is not.
func (r *Resolver) Host(ctx context.Context, name string) (Host, error) {
	four, err4 := r.Lookup(ctx, name, dnsmessage.TypeA)
	six, err6 := r.Lookup(ctx, name, dnsmessage.TypeAAAA)
	h := Host{Name: name, Secure: (err4 == nil || err6 == nil) && (err4 != nil || four.Secure) && (err6 != nil || six.Secure)}
	for _, body := range four.Records {
		if a, ok := body.(*dnsmessage.AResource); ok {
			h.IPv4 = append(h.IPv4, netip.AddrFrom4(a.A))
		}
	}
	for _, body := range six.Records {
		if a, ok := body.(*dnsmessage.AAAAResource); ok {
			h.IPv6 = append(h.IPv6, netip.AddrFrom16(a.AAAA))
		}
	}
	switch {
	case err4 == nil && four.Name != "":
		h.Name = four.Name
	case err6 == nil && six.Name != "":
		h.Name = six.Name
	}
	if len(h.IPv4)+len(h.IPv6) > 0 {
		return h, nil
	}
	// A failure outweighs "there is none": the other family may have had one.
	for _, err := range []error{err4, err6} {
		if err != nil && !errors.Is(err, ErrNoName) {
			return h, err
		}
	}
	return h, errors.Join(err4)
}

// TXT returns the texts of a name, the pieces of each joined.
func (r *Resolver) TXT(ctx context.Context, name string) ([]string, error) {
	a, err := r.Lookup(ctx, name, dnsmessage.TypeTXT)
	var list []string
	for _, body := range a.Records {
		if txt, ok := body.(*dnsmessage.TXTResource); ok {
			list = append(list, strings.Join(txt.TXT, ""))
		}
	}
	return list, err
}

// TLSA is a record of DANE (RFC 6698).
type TLSA struct {
	Usage, Selector, Matching byte
	Data                      []byte
}

// TLSA returns the records for a port of a host, and whether DNSSEC vouches for
// them: otherwise they say nothing.
func (r *Resolver) TLSA(ctx context.Context, host string, port int) (list []TLSA, secure bool, err error) {
	a, err := r.Lookup(ctx, fmt.Sprintf("_%d._tcp.%s", port, host), TypeTLSA)
	for _, body := range a.Records {
		raw, ok := body.(*dnsmessage.UnknownResource)
		if ok && len(raw.Data) > 3 {
			list = append(list, TLSA{raw.Data[0], raw.Data[1], raw.Data[2], raw.Data[3:]})
		}
	}
	return list, a.Secure, err
}

// PTR returns the names of an address.
func (r *Resolver) PTR(ctx context.Context, ip netip.Addr) ([]string, error) {
	a, err := r.Lookup(ctx, ReverseName(ip), dnsmessage.TypePTR)
	var list []string
	for _, body := range a.Records {
		if ptr, ok := body.(*dnsmessage.PTRResource); ok {
			list = append(list, strings.ToLower(bare(ptr.PTR)))
		}
	}
	return list, err
}

// Confirmed returns the names of an address that point back to it, as mail
// servers look for them.
func (r *Resolver) Confirmed(ctx context.Context, ip netip.Addr) ([]string, error) {
	names, err := r.PTR(ctx, ip)
	if err != nil {
		return nil, err
	}
	var good []string
	for _, name := range names {
		h, err := r.Host(ctx, name)
		if err != nil && !errors.Is(err, ErrNoName) {
			return nil, err
		}
		if slices.Contains(h.IPv4, ip.Unmap()) || slices.Contains(h.IPv6, ip) {
			good = append(good, name)
		}
	}
	return good, nil
}

// ReverseName returns the name under which an address has its PTR record.
func ReverseName(ip netip.Addr) string {
	ip = ip.Unmap()
	var b strings.Builder
	raw := ip.AsSlice()
	slices.Reverse(raw)
	for _, x := range raw {
		if ip.Is4() {
			fmt.Fprintf(&b, "%d.", x)
		} else {
			fmt.Fprintf(&b, "%x.%x.", x&0xf, x>>4)
		}
	}
	if ip.Is4() {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}
