// Package check finds out whether mail of ours will arrive, and what to publish
// so that it does: what other people's servers look at, looked at as they do.
//
// A finding is a key and its values; who shows it says the sentence in the
// reader's language, and with it what to do.
package check

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/dkim"
	"gatelodge/app/mail/reach"
	"gatelodge/app/mail/resolve"
)

// within bounds all the checks together, which run side by side.
const within = 30 * time.Second

// keepFor is how long a report is worth showing without a new one being made.
const keepFor = time.Hour

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK   Level = "OK"
	Warn Level = "WARN" // mail may arrive, or be treated worse
	Fail Level = "FAIL" // mail will not arrive, or not everywhere
)

// Finding is one thing that was looked at.
type Finding struct {
	Level Level
	// Key names the sentence, mail.check.KEY; what to do is mail.check.KEY_fix,
	// where there is one.
	Key  string
	Args []any
	// Record is what to publish, where that is the fix.
	Record *Record
	// Answer is what a server or DNS said, word for word.
	Answer string
}

// Report is what was found, the worst first within the order of the checks.
type Report struct {
	At       time.Time
	Findings []Finding
}

// Passed returns how many findings are good.
func (r Report) Passed() int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == OK {
			n++
		}
	}
	return n
}

// Failures returns how many findings are bad.
func (r Report) Failures() int {
	n := 0
	for _, f := range r.Findings {
		if f.Level == Fail {
			n++
		}
	}
	return n
}

// Failed reports whether one is bad.
func (r Report) Failed() bool { return r.Failures() > 0 }

// Checker looks. Its fields do not change.
type Checker struct {
	Resolver  *resolve.Resolver
	DKIM      *dkim.Ring
	Guard     reach.Guard
	Direct    *deliver.Direct    // nil where mail does not go directly
	Smarthost *deliver.Smarthost // nil where there is none
	Source    deliver.Source
	From      string // the sender's address
	Contact   string // an address for reports, or ""
	EHLO      string
	Port      int
	Now       func() time.Time
	// Big are domains whose servers answer at port 25 if anything does.
	Big []string

	mu      sync.Mutex
	last    Report
	looking bool
}

// BigProviders are where most mail goes: who reaches none of them is blocked.
func BigProviders() []string { return []string{"gmail.com", "outlook.com", "yahoo.com"} }

// Last returns the newest report; one without findings when nothing was checked
// since the start.
func (c *Checker) Last() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Recent returns the newest report and, when it is older than an hour, begins to
// make a new one: looking says that it is on its way.
func (c *Checker) Recent() (r Report, looking bool) {
	if c.Captures() {
		return c.Run(context.Background(), ""), false // without DNS
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.looking && (c.last.At.IsZero() || c.Now().Sub(c.last.At) > keepFor) {
		c.looking = true
		go func() {
			c.Run(context.Background(), "")
			c.mu.Lock()
			defer c.mu.Unlock()
			c.looking = false
		}()
	}
	return c.last, c.looking
}

// Captures reports whether mail is captured, not sent.
func (c *Checker) Captures() bool { return c.Direct == nil && c.Smarthost == nil }

// Run looks at everything, and with an address tries to hand in a mail for it,
// stopping before any is sent.
func (c *Checker) Run(ctx context.Context, address string) Report {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	c.Resolver.Forget()
	if c.Captures() {
		// Nothing leaves, so nothing in DNS is a failing.
		r := Report{At: c.Now(), Findings: c.mode(ctx)}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.last = r
		return r
	}
	checks := []func(context.Context) []Finding{c.mode, c.resolver, c.name, c.dkim, c.dmarc, c.sender}
	if c.Smarthost == nil || c.Direct != nil {
		checks = append(checks, c.spf, c.port)
	}
	if c.Smarthost != nil {
		checks = append(checks, c.login)
	}
	if address != "" {
		checks = append(checks, func(ctx context.Context) []Finding { return c.dryRun(ctx, address) })
	}
	found := make([][]Finding, len(checks))
	var running sync.WaitGroup
	for i, look := range checks {
		running.Go(func() { found[i] = look(ctx) })
	}
	running.Wait()
	r := Report{At: c.Now(), Findings: slices.Concat(found...)}
	c.lessen(r.Findings)
	if address == "" {
		c.mu.Lock()
		c.last = r
		c.mu.Unlock()
	}
	return r
}

// lessen makes less of what other servers mind about our own address while the port
// is closed and a smarthost beside: they see the smarthost's.
func (c *Checker) lessen(list []Finding) {
	if !slices.ContainsFunc(list, func(f Finding) bool { return strings.HasSuffix(f.Key, beside) }) {
		return
	}
	for i, f := range list {
		if f.Level == Fail && slices.Contains([]string{"name_missing", "reverse_missing", "spf_missing", "spf_refuses"}, f.Key) {
			list[i].Level = Warn
		}
	}
}

func (c *Checker) mode(context.Context) []Finding {
	switch {
	case c.Captures():
		return []Finding{{Level: Fail, Key: "capture"}}
	case c.Direct == nil:
		return []Finding{{Level: OK, Key: "by_smarthost", Args: []any{"host", c.Smarthost.Host}}}
	case c.Smarthost != nil:
		return []Finding{{Level: OK, Key: "by_both", Args: []any{"host", c.Smarthost.Host}}}
	}
	return []Finding{{Level: OK, Key: "by_direct"}}
}

// addresses are those that other servers see us come from. known is false when
// this machine is behind a router and what the name points to is a guess.
func (c *Checker) addresses(ctx context.Context) (list []netip.Addr, known bool) {
	// Nothing is sent there: the system only says where from it would be.
	for _, to := range []string{"192.0.2.1", "2001:db8::1"} {
		ip, ok := c.Source.IP(netip.MustParseAddr(to))
		if ok && (reach.Public(ip) || c.Guard.AllowPrivate) {
			list = append(list, ip)
		}
	}
	if len(list) > 0 {
		return list, true
	}
	h, err := c.Resolver.Host(ctx, c.EHLO)
	if err != nil {
		return nil, false
	}
	return slices.Concat(h.IPv4, h.IPv6), false
}

// domain is that of the sender, which SPF and DMARC go by.
func (c *Checker) domain() string {
	return strings.ToLower(c.From[strings.LastIndexByte(c.From, '@')+1:])
}
