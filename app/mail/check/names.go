package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

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
	records, err := c.dkimRecords(ctx)
	if err != nil {
		return []Finding{{Level: Fail, Key: "dkim_keys", Answer: err.Error()}}
	}
	var list []Finding
	for _, want := range records {
		args := []any{"name", want.Name}
		texts, err := c.Resolver.TXT(ctx, want.Name)
		switch {
		case err != nil && !errors.Is(err, resolve.ErrNoName):
			list = append(list, unknown("TXT", want.Name, err))
		case len(texts) == 0:
			list = append(list, Finding{Level: Fail, Key: "dkim_missing", Args: args, Record: &want})
		case len(texts) > 1 || plain(texts[0]) != plain(want.Value):
			list = append(list, Finding{Level: Fail, Key: "dkim_other", Args: args, Record: &want, Answer: texts[0]})
		default:
			list = append(list, Finding{Level: OK, Key: "dkim", Args: args})
		}
	}
	return list
}

// plain is a record without the spaces and the last semicolon that panels add
// and that mean nothing.
func plain(record string) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(record), ""), ";")
}

func (c *Checker) dmarc(ctx context.Context) []Finding {
	name, texts, err := c.publishedDMARC(ctx)
	args := []any{"name", name}
	switch {
	case err != nil:
		return []Finding{unknown("TXT", name, err)}
	case len(texts) == 1:
		return []Finding{{Level: OK, Key: "dmarc", Args: args, Answer: texts[0]}}
	case len(texts) > 1:
		return []Finding{{Level: Fail, Key: "dmarc_twice", Args: args, Answer: strings.Join(texts, "\n")}}
	}
	record := c.dmarcRecord()
	return []Finding{{Level: Warn, Key: "dmarc_missing", Args: []any{"name", record.Name}, Record: &record}}
}

// publishedDMARC returns the policies that count for the sender's domain and the
// name they stand at. An error is about that name.
func (c *Checker) publishedDMARC(ctx context.Context) (name string, texts []string, err error) {
	// The organisation's record counts where the domain has none. Without a list
	// of public suffixes, that is looked for at every parent of two labels or more.
	for domain := c.domain(); strings.Contains(domain, "."); _, domain, _ = strings.Cut(domain, ".") {
		name = "_dmarc." + domain
		texts, err = c.Resolver.TXT(ctx, name)
		if err != nil && !errors.Is(err, resolve.ErrNoName) {
			return name, nil, err
		}
		texts = slices.DeleteFunc(texts, func(text string) bool { return !strings.HasPrefix(plain(text), "v=DMARC1") })
		if len(texts) > 0 {
			return name, texts, nil
		}
	}
	return name, nil, nil
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
