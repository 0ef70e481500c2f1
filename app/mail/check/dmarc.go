package check

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gatelodge/app/mail/resolve"
)

// dmarc finds the policy, and whether its reports can be sent.
func (c *Checker) dmarc(ctx context.Context) []Finding {
	name, texts, err := c.publishedDMARC(ctx)
	args := []any{"name", name}
	switch {
	case err != nil:
		return []Finding{unknown("TXT", name, err)}
	case len(texts) > 1:
		return []Finding{{Level: Fail, Key: "dmarc_twice", Args: args, Answer: strings.Join(texts, "\n")}}
	case len(texts) == 0:
		record := c.dmarcRecord()
		return []Finding{{Level: Warn, Key: "dmarc_missing", Args: []any{"name", record.Name}, Record: &record}}
	}
	list := []Finding{{Level: OK, Key: "dmarc", Args: args, Answer: texts[0]}}
	for _, r := range c.reportRecords(ctx, Record{Name: name, Value: texts[0]}) {
		_, domain, _ := strings.Cut(r.Name, reportLabels)
		list = append(list, Finding{Level: Warn, Key: "reports_elsewhere", Args: []any{"domain", domain, "name", r.Name}, Record: &r})
	}
	return list
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
		texts = slices.DeleteFunc(texts, func(text string) bool { return !isDMARC(text) })
		if len(texts) > 0 {
			return name, texts, nil
		}
	}
	return name, nil, nil
}

// isDMARC reports whether a text begins as a DMARC record does (RFC 7489, 6.4).
func isDMARC(text string) bool {
	version, _, _ := strings.Cut(text, ";")
	return strings.Join(strings.Fields(version), "") == "v=DMARC1"
}

// dmarcRecord returns the policy to begin with.
func (c *Checker) dmarcRecord() Record {
	value := "v=DMARC1; p=none"
	if c.Contact != "" {
		value += "; rua=mailto:" + c.Contact
	}
	return Record{Name: "_dmarc." + c.domain(), Type: "TXT", Value: value, Key: "dmarc"}
}

const reportLabels = "._report._dmarc."

// reportRecords returns what the domains of a policy's report addresses still have
// to publish: a domain gets reports about another one only if it says so (RFC 7489,
// 7.1). What DNS does not answer for is returned too.
func (c *Checker) reportRecords(ctx context.Context, policy Record) []Record {
	about := strings.TrimPrefix(policy.Name, "_dmarc.")
	var list []Record
	for _, domain := range reportDomains(policy.Value) {
		if sameOrganisation(domain, about) {
			continue
		}
		r := Record{Name: about + reportLabels + domain, Type: "TXT", Value: "v=DMARC1", Key: "reports_elsewhere"}
		texts, err := c.Resolver.TXT(ctx, r.Name)
		if err != nil || !slices.ContainsFunc(texts, isDMARC) {
			list = append(list, r)
		}
	}
	return list
}

// reportDomains returns the domains of the addresses in rua and ruf.
func reportDomains(policy string) []string {
	var list []string
	for tag := range strings.SplitSeq(policy, ";") {
		name, addresses, _ := strings.Cut(tag, "=")
		if name = strings.TrimSpace(name); name != "rua" && name != "ruf" {
			continue
		}
		for uri := range strings.SplitSeq(addresses, ",") {
			uri, _, _ = strings.Cut(strings.TrimSpace(uri), "!") // the largest size of a report
			_, domain, ok := strings.Cut(uri, "@")
			domain = strings.ToLower(strings.TrimSuffix(domain, "."))
			if ok && domain != "" && !slices.Contains(list, domain) {
				list = append(list, domain)
			}
		}
	}
	return list
}

// sameOrganisation reports whether one domain is the other or stands below it.
func sameOrganisation(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}
