package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gatelodge/app/mail/dkim"
	"gatelodge/app/mail/resolve"
)

// Record is something to publish in DNS.
type Record struct {
	Name  string // whole, without the last dot
	Type  string // "A", "AAAA", "TXT" or "PTR"
	Value string
	// Key names the sentence that says what it is for, mail.dns.KEY.
	Key string
}

// ZoneLine returns the record as a zone file has it (RFC 1035, 5).
func (r Record) ZoneLine() string {
	value := r.Value
	switch r.Type {
	case "TXT":
		value = quoted(r.Value)
	case "PTR":
		value += "."
	}
	return fmt.Sprintf("%s. 3600 IN %s %s", r.Name, r.Type, value)
}

// quoted writes a text in pieces of at most 255 bytes, which is what one string
// of a TXT record holds.
func quoted(text string) string {
	var pieces []string
	for len(text) > 255 {
		pieces, text = append(pieces, text[:255]), text[255:]
	}
	for i, piece := range append(pieces, text) {
		piece = `"` + strings.ReplaceAll(strings.ReplaceAll(piece, `\`, `\\`), `"`, `\"`) + `"`
		if i < len(pieces) {
			pieces[i] = piece
		} else {
			pieces = append(pieces, piece)
		}
	}
	if len(pieces) == 1 {
		return pieces[0]
	}
	return "( " + strings.Join(pieces, " ") + " )"
}

// UnknownIPv4 stands where the public address could not be found out.
const UnknownIPv4 = "YOUR-IPV4-ADDRESS"

// Records returns everything to publish.
func (c *Checker) Records(ctx context.Context) ([]Record, error) {
	signs, err := c.dkimRecords(ctx)
	if err != nil {
		return nil, err
	}
	var list []Record
	if c.Smarthost == nil || c.Direct != nil {
		ours, _ := c.addresses(ctx)
		for _, ip := range ours {
			list = append(list, addressOf(c.EHLO, ip), Record{Name: resolve.ReverseName(ip), Type: "PTR", Value: c.EHLO, Key: "reverse"})
		}
		if len(ours) == 0 {
			list = append(list, Record{Name: c.EHLO, Type: "A", Value: UnknownIPv4, Key: "name"})
		}
		list = append(list, *c.spfRecord(ctx))
	}
	return append(append(list, signs...), c.dmarcRecord()), nil
}

func addressOf(name string, ip netip.Addr) Record {
	kind := "A"
	if ip.Is6() {
		kind = "AAAA"
	}
	return Record{Name: name, Type: kind, Value: ip.String(), Key: "name"}
}

// addressRecord gives our name our address, where that is known.
func (c *Checker) addressRecord(ctx context.Context) *Record {
	r := Record{Name: c.EHLO, Type: "A", Value: UnknownIPv4, Key: "name"}
	if ours, _ := c.addresses(ctx); len(ours) > 0 {
		r = addressOf(c.EHLO, ours[0])
	}
	return &r
}

// dkimRecords are those of the keys that sign, or soon will.
func (c *Checker) dkimRecords(ctx context.Context) ([]Record, error) {
	keys, err := c.DKIM.Keys(ctx)
	if err != nil {
		return nil, err
	}
	var list []Record
	for _, k := range keys {
		if k.State == dkim.Signing || k.State == dkim.Next {
			list = append(list, Record{Name: k.Name(), Type: "TXT", Value: k.Record, Key: "dkim"})
		}
	}
	return list, nil
}

func (c *Checker) dmarcRecord() Record {
	value := "v=DMARC1; p=none"
	if c.Contact != "" {
		value += "; rua=mailto:" + c.Contact
	}
	return Record{Name: "_dmarc." + c.domain(), Type: "TXT", Value: value, Key: "dmarc"}
}

// spfRecord returns the policy that lets us send, together with what the domain
// lets others do already: there may be one record only (RFC 7208, 3.2).
func (c *Checker) spfRecord(ctx context.Context) *Record {
	r := Record{Name: c.domain(), Type: "TXT", Key: "spf"}
	ours, _ := c.addresses(ctx)
	var we []string
	for _, ip := range ours {
		if ip.Is4() {
			we = append(we, "ip4:"+ip.String())
		} else {
			we = append(we, "ip6:"+ip.String())
		}
	}
	if we == nil {
		we = []string{"ip4:" + UnknownIPv4}
	}
	words := []string{"v=spf1", "-all"}
	texts, err := c.Resolver.TXT(ctx, c.domain())
	if err == nil {
		for _, text := range texts {
			if have := strings.Fields(text); len(have) > 0 && strings.EqualFold(have[0], "v=spf1") {
				words, r.Key = have, "spf_merged"
			}
		}
	}
	we = slices.DeleteFunc(we, func(term string) bool { return slices.Contains(words, term) })
	r.Value = strings.Join(slices.Insert(words, 1, we...), " ")
	return &r
}

// errUnpublished means that DNS does not have a key yet.
type errUnpublished struct{ name string }

func (e *errUnpublished) Error() string { return "DNS does not have the new key at " + e.name }

// Hint says what to do.
func (e *errUnpublished) Hint() string {
	return "publish what \"gatelodge mail dns\" prints, and wait until DNS has it"
}

// NextPublished returns an error unless DNS has the next DKIM keys. Mail that
// they sign before could not be verified.
func (c *Checker) NextPublished(ctx context.Context) error {
	keys, err := c.DKIM.Keys(ctx)
	if err != nil {
		return err
	}
	c.Resolver.Forget()
	for _, k := range keys {
		if k.State != dkim.Next {
			continue
		}
		texts, err := c.Resolver.TXT(ctx, k.Name())
		if err != nil && !errors.Is(err, resolve.ErrNoName) {
			return err
		}
		if len(texts) != 1 || plain(texts[0]) != plain(k.Record) {
			return &errUnpublished{k.Name()}
		}
	}
	return nil
}
