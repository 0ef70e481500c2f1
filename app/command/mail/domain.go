package mail

import (
	"context"
	"flag"
	"fmt"
	"time"

	"gatelodge/app"
	"gatelodge/app/command/line"
	"gatelodge/app/mail/outbox"
	"gatelodge/store"
)

func mailDomainVerb() *line.Verb {
	return &line.Verb{
		Words: "mail domain", Args: "DOMAIN", Min: 1, Max: 1, Place: line.Server, JSON: true,
		About: "Shows what is known of a domain that mail goes to: whether it waits, and how\nconnections to it have to be and were protected.",
		Flags: func(fs *flag.FlagSet) {
			fs.Bool("forget", false, "forget it: mail goes at once, and in clear where the domain no longer speaks TLS")
		},
		Run: mailDomain,
	}
}

type tlsJSON struct {
	Day    string `json:"day"`
	Policy string `json:"policy"`
	Server string `json:"server"`
	Result string `json:"result"` // "" went well
	Count  int    `json:"count"`
}

type domainJSON struct {
	Domain    string     `json:"domain"`
	TLSSince  *time.Time `json:"tlsSeenAt,omitempty"`
	Policy    string     `json:"mtaSTS,omitempty"`
	PolicyTil *time.Time `json:"mtaSTSUntil,omitempty"`
	Failures  int        `json:"failures"`
	Until     *time.Time `json:"waitsUntil,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	TLS       []tlsJSON  `json:"tls"`
}

func mailDomain(ctx context.Context, c *line.Call) error {
	name, err := outbox.DomainName(c.Args[0])
	if err != nil {
		return err
	}
	if c.Bool("forget") {
		was, err := c.App.Outbox.ForgetDomain(ctx, app.Operator(), name)
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return c.PrintJSON(struct {
				Domain    string `json:"domain"`
				Forgotten bool   `json:"forgotten"`
			}{name, was})
		}
		if !was {
			fmt.Fprintln(c.Out, "nothing was known of it")
			return nil
		}
		fmt.Fprintln(c.Out, "forgotten")
		return nil
	}
	d, err := c.App.Outbox.Domain(ctx, name)
	if err != nil {
		return err
	}
	now := c.App.Now()
	if c.Bool("json") {
		return c.PrintJSON(describeDomain(d, now))
	}
	fmt.Fprintf(c.Out, "domain:   %s\n", d.Domain)
	if d.Until.After(now) {
		fmt.Fprintf(c.Out, "waits:    until %s, after %s: %s\n", line.Stamp(d.Until), line.Count(d.Failures, "failure", "failures"), d.Reason)
	}
	if d.TLSSeenAt.IsZero() {
		fmt.Fprintln(c.Out, "TLS:      never seen, so mail may go in clear")
	} else {
		fmt.Fprintf(c.Out, "TLS:      seen first at %s, so nothing goes in clear\n", line.Stamp(d.TLSSeenAt))
	}
	if d.STSUntil.After(now) {
		fmt.Fprintf(c.Out, "MTA-STS:  policy %s until %s\n%s\n", d.STSID, line.Stamp(d.STSUntil), d.STSPolicy)
	}
	if len(d.TLS) == 0 {
		return nil
	}
	fmt.Fprintln(c.Out)
	w := c.Table("DAY\tPOLICY\tSERVER\tSESSIONS\tRESULT")
	for _, r := range d.TLS {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", r.Day.UTC().Format(time.DateOnly), r.Policy, r.MX, r.Count, orWell(r))
	}
	return w.Flush()
}

func orWell(r store.TLSResult) string {
	if r.Result == "" {
		return "went well"
	}
	return r.Result
}

func describeDomain(d outbox.Domain, now time.Time) domainJSON {
	j := domainJSON{Domain: d.Domain, Failures: d.Failures, TLS: make([]tlsJSON, len(d.TLS))}
	if !d.TLSSeenAt.IsZero() {
		j.TLSSince = &d.TLSSeenAt
	}
	if d.STSUntil.After(now) {
		j.Policy, j.PolicyTil = d.STSPolicy, &d.STSUntil
	}
	if d.Until.After(now) {
		j.Until, j.Reason = &d.Until, d.Reason
	}
	for i, r := range d.TLS {
		j.TLS[i] = tlsJSON{Day: r.Day.UTC().Format(time.DateOnly), Policy: r.Policy, Server: r.MX, Result: r.Result, Count: r.Count}
	}
	return j
}
