package check

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"

	"blitiri.com.ar/go/spf"

	"gatelodge/app/mail/resolve"
)

// spf evaluates the sender's policy for each of our addresses as a server that
// gets our mail does.
func (c *Checker) spf(ctx context.Context) []Finding {
	ours, _ := c.addresses(ctx)
	var list []Finding
	for _, ip := range ours {
		args := []any{"domain", c.domain(), "ip", ip.String()}
		result, err := c.evaluate(ctx, ip, spfResolver{c.Resolver})
		f := Finding{Level: Fail, Args: args}
		if err != nil {
			f.Answer = err.Error()
		}
		switch result {
		case spf.Pass:
			f = Finding{Level: OK, Key: "spf", Args: args}
			if texts, _ := c.Resolver.TXT(ctx, c.domain()); slices.ContainsFunc(policiesOf(texts), malformed) {
				f = Finding{Level: Fail, Key: "spf_broken", Args: args, Record: c.spfRecord(ctx)}
			}
		case spf.None:
			f.Key, f.Record = "spf_missing", c.spfRecord(ctx)
		case spf.Fail, spf.SoftFail, spf.Neutral:
			f.Key, f.Record = "spf_refuses", c.spfRecord(ctx)
			if result == spf.Neutral {
				f.Level = Warn
			}
		case spf.TempError:
			f.Level, f.Key = Warn, "spf_unknown"
		default:
			f.Key, f.Record = "spf_broken", c.spfRecord(ctx)
		}
		list = append(list, f)
	}
	return list
}

// evaluate returns what a server finds that gets our mail from ip.
func (c *Checker) evaluate(ctx context.Context, ip netip.Addr, dns spf.DNSResolver) (spf.Result, error) {
	return spf.CheckHostWithSender(ip.AsSlice(), c.EHLO, "postmaster@"+c.domain(), spf.WithContext(ctx), spf.WithResolver(dns))
}

// spfResolver lets package spf ask our resolver.
type spfResolver struct{ r *resolve.Resolver }

// notFound says no such name as the standard library does.
func notFound(name string, err error) error {
	if errors.Is(err, resolve.ErrNoName) {
		return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	if err != nil {
		return &net.DNSError{Err: err.Error(), Name: name, IsTemporary: true}
	}
	return nil
}

func (s spfResolver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	list, err := s.r.TXT(ctx, name)
	return list, notFound(name, err)
}

func (s spfResolver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	found, _, err := s.r.MX(ctx, name)
	var list []*net.MX
	for _, mx := range found {
		list = append(list, &net.MX{Host: mx.Host, Pref: mx.Preference})
	}
	return list, notFound(name, err)
}

func (s spfResolver) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	h, err := s.r.Host(ctx, host)
	var list []net.IPAddr
	for _, ip := range slices.Concat(h.IPv4, h.IPv6) {
		list = append(list, net.IPAddr{IP: ip.AsSlice()})
	}
	return list, notFound(host, err)
}

func (s spfResolver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, err
	}
	list, err := s.r.PTR(ctx, ip)
	return list, notFound(addr, err)
}
