package check

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"gatelodge/app/mail/dkim"
	"gatelodge/app/mail/resolve"
)

// Record is something to publish in DNS.
type Record struct {
	Name  string // whole, without the last dot
	Type  string // "A", "AAAA", "TXT", "PTR" or "MX"
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
	case "PTR", "MX":
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

// UnknownServer stands where it is for somebody else to say who takes mail.
const UnknownServer = "YOUR-MAIL-SERVER"

// Records returns everything to publish, with what is published already and has
// to stay.
func (c *Checker) Records(ctx context.Context) ([]Record, error) {
	signs, err := c.dkimRecords(ctx)
	if err != nil {
		return nil, err
	}
	c.Resolver.Forget()
	// Each waits some seconds when DNS is silent: side by side.
	var list, policies, servers []Record
	var asking sync.WaitGroup
	asking.Go(func() { policies = c.dmarcRecords(ctx) })
	asking.Go(func() { servers = c.mxRecords(ctx) })
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
	asking.Wait()
	return slices.Concat(list, signs, policies, servers), nil
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

// dkimKeys returns our keys that are in one of the states.
func (c *Checker) dkimKeys(ctx context.Context, states ...dkim.State) ([]dkim.Key, error) {
	keys, err := c.DKIM.Keys(ctx)
	return slices.DeleteFunc(keys, func(k dkim.Key) bool { return !slices.Contains(states, k.State) }), err
}

func dkimRecord(k dkim.Key, key string) Record {
	return Record{Name: k.Name(), Type: "TXT", Value: k.Record, Key: key}
}

// dkimRecords returns the records of the keys that sign now or next, and of retired
// keys whose mail may still be under way.
func (c *Checker) dkimRecords(ctx context.Context) ([]Record, error) {
	signing, err := c.dkimKeys(ctx, dkim.Signing, dkim.Next)
	if err != nil {
		return nil, err
	}
	retired, err := c.dkimKeys(ctx, dkim.Retired)
	var list []Record
	for _, k := range signing {
		list = append(list, dkimRecord(k, "dkim"))
	}
	for _, k := range retired {
		list = append(list, dkimRecord(k, "dkim_retired"))
	}
	return list, err
}

// dmarcRecords are the policies that are published, which are their owner's to
// choose, or the one to begin with.
func (c *Checker) dmarcRecords(ctx context.Context) []Record {
	name, texts, err := c.publishedDMARC(ctx)
	var list []Record
	for _, text := range texts {
		list = append(list, Record{Name: name, Type: "TXT", Value: text, Key: "dmarc_kept"})
	}
	if list == nil {
		r := c.dmarcRecord()
		if err != nil {
			r.Key = "dmarc_unread"
		}
		list = []Record{r}
	}
	for _, policy := range slices.Clone(list) {
		list = append(list, c.reportRecords(ctx, policy)...)
	}
	return list
}

// mxRecords are the servers that refusals come back to, or where they are missing.
func (c *Checker) mxRecords(ctx context.Context) []Record {
	r := Record{Name: c.domain(), Type: "MX", Value: "10 " + UnknownServer, Key: "mx_missing"}
	mx, _, err := c.Resolver.MX(ctx, c.domain())
	if err != nil && !errors.Is(err, resolve.ErrNoName) {
		r.Key = "mx_unread"
	}
	var list []Record
	for _, server := range mx {
		if server.Host != "" {
			list = append(list, Record{Name: c.domain(), Type: "MX", Value: fmt.Sprintf("%d %s", server.Preference, server.Host), Key: "mx_kept"})
		}
	}
	if list == nil {
		list = append(list, r)
	}
	return list
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
	keys, err := c.dkimKeys(ctx, dkim.Next)
	if err != nil {
		return err
	}
	c.Resolver.Forget()
	for _, k := range keys {
		texts, err := c.Resolver.TXT(ctx, k.Name())
		if err != nil && !errors.Is(err, resolve.ErrNoName) {
			return err
		}
		if len(texts) != 1 || !k.PublishedAs(texts[0]) {
			return &errUnpublished{k.Name()}
		}
	}
	return nil
}
