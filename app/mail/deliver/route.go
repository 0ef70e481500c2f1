package deliver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gatelodge/app/mail/reach"
	"gatelodge/app/mail/resolve"
)

const (
	maxPerFamily = 2
	// confirmMissing is how long a domain must not have existed to be given up:
	// a zone that is being reloaded is away for a moment.
	confirmMissing = time.Minute
)

// server is one of a domain's.
type server struct {
	name       string
	preference uint16
	target     string // where CNAMEs lead from name
	aliased    bool   // DNSSEC vouches for name alone, not for where CNAMEs lead
	addresses  []netip.Addr
	secure     bool // DNSSEC vouches for name and addresses
}

// route finds the servers of the domain, best first, or says why mail cannot go
// there.
func (d *Direct) route(ctx context.Context, e *errand) ([]server, *Result) {
	list, secure, err := d.Resolver.MX(ctx, e.domain)
	switch {
	case errors.Is(err, resolve.ErrNoName):
		return nil, d.missing(e.domain)
	case err != nil:
		return nil, &Result{Class: Temporary, Enhanced: "4.4.3", Text: "the mail servers of " + e.domain + " could not be found: " + err.Error(), Err: err}
	}
	d.hosts.found(e.domain)
	// Beside others the null MX means nothing (RFC 7505, 3).
	named := slices.DeleteFunc(slices.Clone(list), func(mx resolve.MX) bool { return mx.Host == "" })
	if len(list) > 0 && len(named) == 0 {
		return nil, &Result{Class: Permanent, Enhanced: "5.1.10", Text: e.domain + " takes no mail: it says so in DNS"}
	}
	list = named
	if len(list) == 0 {
		// RFC 5321, 5.1: the domain itself is its server.
		list = []resolve.MX{{Host: e.domain}}
	}
	for _, mx := range list {
		e.note("%s has the mail server %s (preference %d)", e.domain, mx.Host, mx.Preference)
	}
	list = beforeUs(list, d.EHLO)
	if len(list) == 0 {
		return nil, &Result{Class: Permanent, Enhanced: "5.4.6", Text: "the mail server of " + e.domain + " is this one, and it takes no mail"}
	}
	return d.locate(ctx, e, list, secure)
}

// beforeUs drops what stands at our own preference or behind: mail would come
// round to us (RFC 5321, 5.1).
func beforeUs(list []resolve.MX, us string) []resolve.MX {
	for _, mx := range list {
		if strings.EqualFold(mx.Host, us) {
			return slices.DeleteFunc(list, func(other resolve.MX) bool { return other.Preference >= mx.Preference })
		}
	}
	return list
}

// missing is for a domain that does not exist: believed when it has not for a
// minute.
func (d *Direct) missing(domain string) *Result {
	text := "there is no domain " + domain
	if d.hosts.missingFor(domain, d.Now()) < confirmMissing {
		return &Result{Class: Temporary, Enhanced: "4.1.2", Text: text + ", as it seems; asking again in a moment"}
	}
	return &Result{Class: Permanent, Enhanced: "5.1.2", Text: text}
}

// locate finds the addresses of the servers. It returns a result when none has
// one that may be connected to.
func (d *Direct) locate(ctx context.Context, e *errand, list []resolve.MX, secure bool) ([]server, *Result) {
	var servers []server
	var failed, refused error
	last := math.MaxInt // preference, of those that may be tried
	ours := d.ours(ctx)
	for _, mx := range list[:min(len(list), 2*maxServers)] {
		if int(mx.Preference) > last {
			break
		}
		h, err := d.Resolver.Host(ctx, mx.Host)
		if err != nil {
			e.note("%s: %v", mx.Host, err)
			if !errors.Is(err, resolve.ErrNoName) {
				failed = err
			}
			continue
		}
		s := server{name: mx.Host, preference: mx.Preference, target: h.Name, secure: secure && h.Secure, aliased: secure && !h.Secure && h.Name != mx.Host}
		s.addresses, err = d.allowed(ctx, h, ours)
		if err != nil {
			e.note("%s: %v", mx.Host, err)
			refused = err
		}
		if errors.Is(err, reach.ErrOurs) {
			// That server is this machine: what stands behind it would come round to
			// it (RFC 5321, 5.1).
			last = int(mx.Preference) - 1
			servers = slices.DeleteFunc(servers, func(s server) bool { return int(s.preference) > last })
			continue
		}
		if len(s.addresses) > 0 {
			servers = append(servers, s)
		}
	}
	switch {
	case len(servers) > 0:
		return d.hosts.alive(servers, d.Port, d.Now()), nil
	case failed != nil:
		return nil, &Result{Class: Temporary, Enhanced: "4.4.3", Text: "the mail servers of " + e.domain + " could not be found: " + failed.Error(), Err: failed}
	case errors.Is(refused, reach.ErrRefused):
		return nil, &Result{Class: Permanent, Enhanced: "5.4.6", Text: fmt.Sprintf("the mail server of %s is at %v", e.domain, refused)}
	case errors.Is(refused, errFamily):
		return nil, &Result{Class: Temporary, Enhanced: "4.4.1", Text: fmt.Sprintf("the mail servers of %s have %v", e.domain, refused)}
	case refused != nil:
		return nil, &Result{Class: Temporary, Enhanced: "4.4.0", Text: refused.Error(), Err: refused}
	}
	return nil, &Result{Class: Permanent, Enhanced: "5.1.2", Text: "the mail servers of " + e.domain + " have no address"}
}

// errFamily means that a server has addresses that we do not connect to.
var errFamily = errors.New("no address of the family that mail.ip_family or mail.source_ip leaves")

// allowed returns the addresses of a host that may be connected to, IPv4 first.
// IPv6 counts only where our own address has a name that confirms it: big
// providers refuse what comes from any other. A host without IPv4 is tried
// anyway.
func (d *Direct) allowed(ctx context.Context, h resolve.Host, ours []netip.Addr) ([]netip.Addr, error) {
	if slices.ContainsFunc(slices.Concat(h.IPv4, h.IPv6), func(ip netip.Addr) bool { return slices.Contains(ours, ip) }) {
		return nil, reach.ErrOurs
	}
	var list []netip.Addr
	var refused error
	add := func(family []netip.Addr) {
		n := 0
		for _, ip := range family {
			if !d.Source.takes(ip) {
				refused = errFamily
				continue
			}
			if err := d.Guard.Check(ip); err != nil {
				refused = err
				continue
			}
			if n++; n > maxPerFamily {
				break
			}
			list = append(list, ip)
		}
	}
	add(h.IPv4)
	if len(h.IPv6) > 0 && (len(list) == 0 || d.hosts.hasIPv6(ctx, d.Resolver, d.Source, h.IPv6[0], d.Now())) {
		add(h.IPv6)
	}
	return list, refused
}

// ours returns the addresses under which others see us, which behind a router no
// interface of this machine has.
func (d *Direct) ours(ctx context.Context) []netip.Addr {
	if d.Guard.AllowPrivate {
		return nil // a laboratory, where all may share one
	}
	h, err := d.Resolver.Host(ctx, d.EHLO)
	if err != nil {
		return nil // then nothing leads there
	}
	return slices.Concat(h.IPv4, h.IPv6)
}
