package check

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"blitiri.com.ar/go/spf"

	"gatelodge/app/mail/resolve"
)

// spfRecord returns the policy that lets us send, together with what the domain
// lets others do already: there may be one record only (RFC 7208, 3.2). What it
// returns passes for every address of ours.
func (c *Checker) spfRecord(ctx context.Context) *Record {
	r := Record{Name: c.domain(), Type: "TXT", Key: "spf"}
	texts, err := c.Resolver.TXT(ctx, c.domain())
	if err != nil && !errors.Is(err, resolve.ErrNoName) {
		r.Key = "spf_unread" // there may be one, and a second would undo both
	}
	policies := policiesOf(texts)
	ours, _ := c.addresses(ctx)
	if len(policies) == 1 && !malformed(policies[0]) && c.passes(ctx, ours, spfResolver{c.Resolver}) {
		r.Key, r.Value = "spf_kept", strings.Join(policies[0], " ")
		return &r
	}
	we := addressTerms(ours)
	r.Value = mergePolicies(we, policies)
	if len(policies) > 0 {
		r.Key = "spf_merged"
	}
	proposed := proposal{spfResolver{c.Resolver}, c.domain(), r.Value}
	if len(ours) > 0 && !c.passes(ctx, ours, proposed) {
		r.Key, r.Value = "spf", mergePolicies(we, nil)
	} else if _, err := c.evaluate(ctx, noSender, proposed); errors.Is(err, spf.ErrLookupLimitReached) {
		r.Key = "spf_many"
	}
	return &r
}

// noSender is an address that sends no mail (RFC 5737): all of a record is evaluated
// for it.
var noSender = netip.AddrFrom4([4]byte{192, 0, 2, 255})

// passes reports whether there are addresses and all may send.
func (c *Checker) passes(ctx context.Context, ours []netip.Addr, dns spf.DNSResolver) bool {
	for _, ip := range ours {
		if result, _ := c.evaluate(ctx, ip, dns); result != spf.Pass {
			return false
		}
	}
	return len(ours) > 0
}

// policiesOf returns the words of each text that is an SPF record, without its
// version.
func policiesOf(texts []string) [][]string {
	var list [][]string
	for _, text := range texts {
		if words := strings.Fields(text); len(words) > 0 && strings.EqualFold(words[0], "v=spf1") {
			list = append(list, words)
		}
	}
	return list
}

func addressTerms(ours []netip.Addr) []string {
	var list []string
	for _, ip := range ours {
		if ip.Is4() {
			list = append(list, "ip4:"+ip.String())
		} else {
			list = append(list, "ip6:"+ip.String())
		}
	}
	if list == nil {
		list = []string{"ip4:" + UnknownIPv4}
	}
	return list
}

// mergePolicies writes one record that allows us and all that the policies allow. Our
// terms come first: no later one can refuse us, or use up the lookups before.
func mergePolicies(ours []string, policies [][]string) string {
	words, all, modifiers := slices.Clone(ours), "", []string(nil)
	seen := make(map[string]bool) // terms, and names of modifiers (RFC 7208, 6: each once)
	for _, term := range ours {
		seen[term] = true
	}
	for _, policy := range policies {
		for _, term := range policy[1:] {
			if domain, ok := cutFold(term, "redirect="); ok && len(policies) > 1 {
				term = "include:" + domain // a redirect would hide the other record
			}
			key := strings.ToLower(term)
			modifier := modifierForm.FindString(key)
			if modifier != "" {
				key = modifier
			}
			if seen[key] || key == "v=" || !valid(term) {
				continue
			}
			seen[key] = true
			switch {
			case modifier != "":
				modifiers = append(modifiers, term)
			case strings.TrimLeft(key, "+-?~") != "all":
				words = append(words, term)
			case all == "":
				all = term
			}
		}
	}
	switch {
	case len(policies) == 0:
		all = "-all"
	case len(policies) > 1 && all == "":
		all = "~all"
	}
	// What stands behind "all" is never evaluated (RFC 7208, 5.1).
	if all != "" {
		words = append(words, all)
	}
	return strings.Join(slices.Concat([]string{"v=spf1"}, words, modifiers), " ")
}

var modifierForm = regexp.MustCompile(`^[a-z][a-z0-9_.-]*=`)

// cutFold is strings.CutPrefix that takes a prefix in any case.
func cutFold(s, prefix string) (after string, found bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// malformed reports whether a record holds a word that no server can evaluate. Some
// find it before they look at what stands in front of it.
func malformed(policy []string) bool {
	return slices.ContainsFunc(policy, func(term string) bool { return !valid(term) })
}

// valid reports whether a term can be evaluated. One that cannot makes the whole
// record void (RFC 7208, 4.6).
func valid(term string) bool {
	if address, ok := cutFold(strings.TrimLeft(term, "+-?~"), "ip4:"); ok && strings.Contains(address, ":") {
		return false // package spf takes an IPv6 address there
	}
	if strings.HasSuffix(term, ":") || strings.HasSuffix(term, "=") || !ascii(term) {
		return false
	}
	result, _ := spf.CheckHostWithSender(noSender.AsSlice(), "x.invalid", "x@x.invalid", spf.WithResolver(anyDomain{"v=spf1 " + term}))
	return result != spf.PermError
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// anyDomain is a DNS for judging the form of a record alone: it is that of x.invalid,
// every other domain has an empty one, and there are no addresses.
type anyDomain struct{ record string }

func (d anyDomain) LookupTXT(_ context.Context, name string) ([]string, error) {
	if strings.TrimSuffix(name, ".") == "x.invalid" {
		return []string{d.record}, nil
	}
	return []string{"v=spf1 ?all"}, nil
}

func (anyDomain) LookupMX(context.Context, string) ([]*net.MX, error) { return nil, nil }

func (anyDomain) LookupIPAddr(context.Context, string) ([]net.IPAddr, error) { return nil, nil }

func (anyDomain) LookupAddr(context.Context, string) ([]string, error) { return nil, nil }

// proposal is DNS with another SPF record for one domain.
type proposal struct {
	spfResolver
	domain, record string
}

func (p proposal) LookupTXT(ctx context.Context, name string) ([]string, error) {
	if strings.EqualFold(strings.TrimSuffix(name, "."), p.domain) {
		return []string{p.record}, nil
	}
	return p.spfResolver.LookupTXT(ctx, name)
}
