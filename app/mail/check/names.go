package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"gatelodge/app/mail/dkim"
	"gatelodge/app/mail/resolve"
)

// resolver asks for the root, which everybody can tell and sign.
func (c *Checker) resolver(ctx context.Context) []Finding {
	servers := strings.Join(c.Resolver.Servers(), ", ")
	a, err := c.Resolver.Lookup(ctx, "", dnsmessage.TypeNS)
	switch {
	case err != nil:
		return []Finding{{Level: Fail, Key: "resolver", Args: []any{"servers", servers}, Answer: err.Error()}}
	case !a.Secure:
		return []Finding{{Level: OK, Key: "resolver_plain", Args: []any{"servers", servers}}}
	}
	return []Finding{{Level: OK, Key: "resolver_secure", Args: []any{"servers", servers}}}
}

// name looks at our name and address from both sides.
func (c *Checker) name(ctx context.Context) []Finding {
	h, err := c.Resolver.Host(ctx, c.EHLO)
	points := slices.Concat(h.IPv4, h.IPv6)
	switch {
	case err != nil && !errors.Is(err, resolve.ErrNoName):
		return []Finding{unknown("name", c.EHLO, err)}
	case len(points) == 0:
		return []Finding{{Level: Fail, Key: "name_missing", Args: []any{"name", c.EHLO}, Record: c.addressRecord(ctx)}}
	}
	ours, known := c.addresses(ctx)
	if !known {
		ours = points
	}
	var list []Finding
	if !known {
		list = append(list, Finding{Level: Warn, Key: "behind_router", Args: []any{"name", c.EHLO, "ip", fmt.Sprint(points[0])}})
	}
	for _, ip := range ours {
		args := []any{"name", c.EHLO, "ip", ip.String()}
		if !slices.Contains(points, ip) {
			list = append(list, Finding{Level: Warn, Key: "name_elsewhere", Args: append(args, "points", fmt.Sprint(points[0]))})
		}
		names, err := c.Resolver.Confirmed(ctx, ip)
		switch {
		case err != nil && !errors.Is(err, resolve.ErrNoName):
			list = append(list, unknown("PTR", ip.String(), err))
		case slices.Contains(names, strings.ToLower(c.EHLO)):
			list = append(list, Finding{Level: OK, Key: "reverse", Args: args})
		case len(names) > 0:
			list = append(list, Finding{Level: Warn, Key: "reverse_other", Args: append(args, "other", names[0])})
		case ip.Is6() && len(ours) > 1:
			list = append(list, Finding{Level: Warn, Key: "reverse_ipv6", Args: args})
		default:
			list = append(list, Finding{Level: Fail, Key: "reverse_missing", Args: args})
		}
	}
	return list
}

// unknown is a question that DNS did not answer.
func unknown(what, name string, err error) Finding {
	return Finding{Level: Warn, Key: "unknown", Args: []any{"what", what, "name", name}, Answer: err.Error()}
}

// dkim compares what is published with our keys.
func (c *Checker) dkim(ctx context.Context) []Finding {
	keys, err := c.dkimKeys(ctx, dkim.Signing, dkim.Next)
	if err != nil {
		return []Finding{{Level: Fail, Key: "dkim_keys", Answer: err.Error()}}
	}
	var list []Finding
	for _, k := range keys {
		want := dkimRecord(k, "dkim")
		args := []any{"name", want.Name}
		texts, err := c.Resolver.TXT(ctx, want.Name)
		switch {
		case err != nil && !errors.Is(err, resolve.ErrNoName):
			list = append(list, unknown("TXT", want.Name, err))
		case len(texts) == 0:
			list = append(list, Finding{Level: Fail, Key: "dkim_missing", Args: args, Record: &want})
		case len(texts) > 1 || !k.PublishedAs(texts[0]):
			list = append(list, Finding{Level: Fail, Key: "dkim_other", Args: args, Record: &want, Answer: texts[0]})
		default:
			list = append(list, Finding{Level: OK, Key: "dkim", Args: args})
		}
	}
	return list
}

// sender looks whether the sender's domain takes mail: refusals come back there.
func (c *Checker) sender(ctx context.Context) []Finding {
	domain := c.domain()
	args := []any{"address", c.From, "domain", domain}
	mx, _, err := c.Resolver.MX(ctx, domain)
	if err != nil && !errors.Is(err, resolve.ErrNoName) {
		return []Finding{unknown("MX", domain, err)}
	}
	if len(mx) > 0 && mx[0].Host != "" {
		return []Finding{{Level: OK, Key: "bounces", Args: append(args, "server", mx[0].Host)}}
	}
	h, err := c.Resolver.Host(ctx, domain)
	switch {
	case err != nil && !errors.Is(err, resolve.ErrNoName):
		return []Finding{unknown("A", domain, err)}
	case len(mx) > 0 || len(h.IPv4)+len(h.IPv6) == 0:
		// RFC 5321, 4.4 and many servers: a sender one cannot answer is refused.
		return []Finding{{Level: Fail, Key: "bounces_nowhere", Args: args}}
	}
	return []Finding{{Level: Warn, Key: "bounces_unlikely", Args: args}}
}
