package deliver

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"gatelodge/app/email"
	"gatelodge/app/mail/mtasts"
	"gatelodge/app/mail/reach"
	"gatelodge/app/mail/resolve"
)

const (
	maxServers = 5 // of a domain that are tried
	// Sessions with one server at a time, whatever the domain. Mail that nobody
	// waits for leaves places to the rest, and a place is for sign-ins alone:
	// thousands of domains share the servers of one provider.
	maxPerHost     = 4
	noticesPerHost = 3
	patientPerHost = 2
	// leastShare is what a server gets of the session's time however many are
	// still to be tried.
	leastShare = 20 * time.Second
)

// Direct takes mail to the recipient's own server. Its fields do not change.
type Direct struct {
	Resolver *resolve.Resolver
	STS      *mtasts.Cache
	Memory   *Memory
	Guard    reach.Guard
	Port     int
	EHLO     string         // our name
	Roots    *x509.CertPool // nil for the system's
	Limits   Limits
	Retry    Limits // from the second try on; zero is Limits
	Patience Limits // for mail that nobody waits for; zero is Limits
	Now      func() time.Time
	Source   Source
	NoDANE   bool // TLSA records are not looked at
	// SignInNeedsTLS keeps sign-in mail from going in clear, whatever the domain.
	SignInNeedsTLS bool

	hosts hosts
	kept  keeper
}

// errand is one message on its way.
type errand struct {
	Envelope
	limits    Limits
	until     context.Context // ends a session, also behind the final dot
	domain    string          // of the recipient, as DNS knows it
	sts       mtasts.Policy
	ratchet   bool // the domain has spoken TLS before, so it must now
	remembers bool // that it has is known from lately
	beforeDot func() error
	trace     func(Step)
	start     time.Time
}

func (e *errand) note(format string, args ...any) {
	if e.trace != nil {
		e.trace(Step{At: time.Since(e.start), Note: fmt.Sprintf(format, args...)})
	}
}

// Deliver sends one message, as Smarthost.Deliver does.
func (d *Direct) Deliver(ctx context.Context, envelope Envelope, beforeDot func() error, trace func(Step)) Result {
	e := &errand{Envelope: envelope, beforeDot: beforeDot, trace: trace, start: time.Now()}
	if err := e.check(d.EHLO); err != nil {
		return Result{Class: Permanent, Stage: AtFrom, Enhanced: "5.6.0", Text: err.Error(), Err: err}
	}
	at := strings.LastIndexByte(e.To, '@')
	domain, ok := email.Domain(e.To[at+1:])
	if at <= 0 || !ok {
		return Result{Class: Permanent, Stage: AtRoute, Enhanced: "5.1.3", Text: "the address has no domain that a mail server could have"}
	}
	e.domain = domain
	e.To = e.To[:at+1] + e.domain // so that only the part before the @ can need SMTPUTF8
	e.limits, e.until = envelope.limits(d.Limits, d.Retry, d.Patience), ctx
	ctx, cancel := context.WithTimeout(ctx, e.limits.Session)
	defer cancel()

	if r, ok := d.again(ctx, e); ok {
		return r
	}
	servers, refused := d.route(ctx, e)
	if refused != nil {
		refused.Stage = AtRoute
		refused.Text = scrub(refused.Text, e.To)
		e.note("%s", refused.Text)
		return *refused
	}
	if refused = d.recall(ctx, e); refused != nil {
		e.note("%s", refused.Text)
		return *refused
	}
	return d.tryAll(ctx, e, servers)
}

// recall finds out how the domain wants to be spoken to. It returns a result when
// that is kept here and cannot be read: mail that waits is better than mail that
// goes where it must not.
func (d *Direct) recall(ctx context.Context, e *errand) *Result {
	e.ratchet, e.remembers = d.Memory.spokeTLS(ctx, e.domain)
	policy, err := d.STS.Policy(ctx, e.domain)
	if errors.Is(err, mtasts.ErrUnread) {
		return &Result{Class: Temporary, Stage: AtTLS, Enhanced: "4.3.0", Text: "how " + e.domain + " wants to be spoken to could not be read", Err: err}
	}
	if err != nil {
		d.Memory.count(ctx, e.domain, "sts", "", "sts-policy-fetch-error")
		e.note("%v", err)
	}
	e.sts = policy
	if policy.Mode == mtasts.Enforce || policy.Mode == mtasts.Testing {
		e.note("%s has the MTA-STS policy %q for %s", e.domain, policy.Mode, strings.Join(policy.MX, ", "))
	}
	if e.ratchet {
		e.note("%s has spoken TLS before, so nothing goes there in clear", e.domain)
	}
	return nil
}

// tryAll tries one server after the other until one decides about the message.
func (d *Direct) tryAll(ctx context.Context, e *errand, servers []server) Result {
	var last Result
	deadline, _ := ctx.Deadline()
	tried := 0
	for i, s := range servers {
		if tried == maxServers || ctx.Err() != nil {
			break
		}
		if d.hosts.rests(s.name, e.SignIn, d.Now()) {
			e.note("%s wants less mail of us for a while", s.name)
			last = worse(last, Result{Class: Temporary, Stage: AtConnect, Enhanced: "4.7.0", Text: s.name + " wants less mail of us for a while", Rests: true})
			continue
		}
		if !d.hosts.enter(s.name, places(e.Envelope)) && (!d.kept.evict(s.name) || !d.hosts.enter(s.name, places(e.Envelope))) {
			e.note("%s has enough sessions of ours", s.name)
			last = worse(last, Result{Class: Temporary, Stage: AtConnect, Text: s.name + " has enough sessions of ours", Busy: true})
			continue
		}
		tried++
		share := max(time.Until(deadline)/time.Duration(len(servers)-i), min(leastShare, e.limits.Session))
		r, decided := d.tryServer(ctx, e, s, share)
		d.hosts.leave(s.name)
		d.hosts.judge(s.name, r, d.Now())
		if decided {
			return r
		}
		last = worse(last, r)
	}
	return last
}

// worse returns the result that says more of two that decided nothing: what a
// server said outweighs that one was silent.
func worse(a, b Result) Result {
	if a.Stage == "" || a.Busy || b.Code != 0 || a.Code == 0 && !b.Busy && !b.Rests {
		return b
	}
	return a
}

// tryServer tries the addresses of one server, and reports whether what came of
// it decides about the message.
func (d *Direct) tryServer(ctx context.Context, e *errand, s server, share time.Duration) (Result, bool) {
	want, refused := d.demand(ctx, e, s)
	if refused != nil {
		e.note("%s: %s", s.name, refused.Text)
		return *refused, false
	}
	var last Result
	refusing := netip.Addr{} // the first address that refused us for reasons of policy
	for _, ip := range s.addresses {
		if ctx.Err() != nil {
			break
		}
		if refusing.IsValid() && ip.Is4() == refusing.Is4() {
			continue // what it minds is our address of that family
		}
		limits := e.limits
		limits.Session = share
		r := d.session(ctx, e, s.name, ip, want, limits)
		if r.Stage == AtTLS && !want.must && r.Class == Temporary && r.Code == 0 {
			e.note("once more, in clear: %s demands nothing better", e.domain)
			d.Memory.Log.Warn("mail goes in clear because TLS failed", "domain", e.domain, "server", s.name, "err", r.Text)
			clear := want
			clear.clear = true
			r = d.session(ctx, e, s.name, ip, clear, limits)
		}
		r = asDirect(r)
		if decides(r) {
			return r, true
		}
		last = worse(last, r)
		if r.Code != 0 && (!policyRefusal(r) || refusing.IsValid()) {
			break // it speaks; its other address says the same
		}
		if r.Code != 0 {
			refusing = ip
		}
	}
	return last, ofMessage(last)
}

// places returns how many sessions of ours at a server leave one to this mail.
func places(e Envelope) int {
	switch {
	case e.SignIn:
		return maxPerHost
	case e.Patient:
		return patientPerHost
	}
	return noticesPerHost
}

// asDirect reads a result that was written for a smarthost: a stranger's server
// knows no login of ours, and a recipient's server that refuses for reasons of
// policy says nothing of the address nor, for good, of the message (RFC 3463,
// X.7). Big providers say what they mind about us only at the end.
func asDirect(r Result) Result {
	if r.Class == Paused || r.Class == Permanent && r.Code >= 500 && strings.HasPrefix(r.Enhanced, "5.7.") {
		r.Class = Temporary
	}
	return r
}

// policyRefusal reports whether a server refuses us rather than the message.
func policyRefusal(r Result) bool {
	return r.Code >= 500 && (strings.HasPrefix(r.Enhanced, "5.7.") || r.Stage == AtGreeting || r.Stage == AtHello || r.Stage == AtFrom)
}

// decides reports whether a result is about the message, so that no other server
// is asked.
func decides(r Result) bool {
	switch r.Class {
	case Sent, Permanent, Ambiguous, Expired:
		return true
	}
	// What we broke off ourselves we would break off at the next server too.
	return r.Code < 500 && ofMessage(r) || errors.Is(r.Err, errNoDot)
}

// ofMessage reports whether a server spoke of the recipient or the message. All
// the domain's servers would greylist alike, and each would start anew, and what
// they refuse they refuse alike. 421 says that this one is going away.
func ofMessage(r Result) bool {
	return r.Code >= 400 && r.Code != 421 && (r.Stage == AtTo || r.Stage == AtData || r.Stage == AtDot)
}

// session is one connection to one address.
func (d *Direct) session(ctx context.Context, e *errand, host string, ip netip.Addr, want demand, limits Limits) Result {
	address := net.JoinHostPort(ip.String(), strconv.Itoa(d.Port))
	e.note("connecting to %s at %s", host, address)
	conn, err := d.hosts.dial(ctx, d.Source.dialer(ip), address, limits.Connect, d.Now())
	if err != nil {
		r := (&conversation{stage: AtConnect}).broken(e.Envelope, err)
		r.RemoteIP = ip.String()
		e.note("%s", r.Text)
		return r
	}
	c := &conversation{raw: conn, trace: e.trace, stage: AtGreeting, hidden: e.To}
	c.use(conn)
	detach := c.attach(e.until, limits)
	k := &keptSession{conversation: c, host: host, since: c.start}
	c.start = e.start
	refused, err := d.begin(ctx, c, e, host, want)
	if err == nil && refused == nil {
		refused, err = c.transfer(e.Envelope, d.Now, e.beforeDot)
	}
	var r Result
	if err != nil {
		r = c.broken(e.Envelope, err)
	} else {
		r = c.finished(*refused)
	}
	if e.trace != nil && err == nil {
		c.quit()
	}
	detach()
	d.end(e, k, r)
	return r
}

// again offers the message in a session with the domain that was kept. That
// session came about under all that the domain demands, a moment ago.
func (d *Direct) again(ctx context.Context, e *errand) (Result, bool) {
	for e.trace == nil && !e.Dry {
		k := d.kept.take(e.domain)
		if k == nil {
			break
		}
		if e.SignIn && d.SignInNeedsTLS && k.tls == "" {
			go k.leave()
			k.gone()
			continue
		}
		r, ok := k.again(e.until, e.Envelope, e.limits, d.Now, e.beforeDot)
		k.gone()
		if !ok {
			continue
		}
		d.end(e, k, r)
		d.hosts.judge(k.host, r, d.Now())
		if r = asDirect(r); decides(r) || ofMessage(r) {
			return r, true
		}
		break // the domain's servers get their turn, from the best
	}
	return Result{}, false
}

// end keeps a session that took a message for the domain's next, with its place
// at the server, and closes any other. The message has been decided: nobody
// waits for the answer to QUIT.
func (d *Direct) end(e *errand, k *keptSession, r Result) {
	if r.Class == Sent && e.trace == nil && !e.Dry && d.hosts.enter(k.host, places(e.Envelope)) {
		if d.kept.put(e.domain, k, func() { d.hosts.leave(k.host) }) {
			return
		}
		d.hosts.leave(k.host)
	}
	if r.Code == 0 || e.trace != nil {
		k.conn.Close()
		return
	}
	go k.leave()
}

// begin brings the session to the point where a message can be offered, under
// as much TLS as is wanted or can be had.
func (d *Direct) begin(ctx context.Context, c *conversation, e *errand, host string, want demand) (*Result, error) {
	r, err := c.greet()
	if err != nil || r.code != 220 {
		return refusal(Temporary, r), err
	}
	c.stage = AtHello
	if r, err = c.hello(d.EHLO); err != nil || r.code != 250 {
		return refusal(Temporary, r), err
	}
	if want.clear {
		return nil, nil
	}
	c.stage = AtTLS
	if _, offered := c.offers["STARTTLS"]; !offered {
		return d.noTLS(ctx, e, host, want, "the server offers no STARTTLS, and nothing goes there without")
	}
	if r, err = c.command("STARTTLS", "", c.limits.Command); err != nil {
		return nil, err
	}
	if r.code != 220 {
		return d.noTLS(ctx, e, host, want, fmt.Sprintf("the server refuses STARTTLS: %d %s", r.code, r.text()))
	}
	config, level := want.config(host, d.Roots)
	if err := c.handshake(ctx, config, level); err != nil {
		d.Memory.count(ctx, e.domain, want.policy, host, tlsFailure(err, want))
		return nil, err
	}
	d.Memory.count(ctx, e.domain, want.policy, host, want.outcome(c.tls))
	if !e.remembers {
		d.Memory.rememberTLS(ctx, e.domain)
	}
	// What was offered in clear proves nothing: ask again.
	c.stage = AtHello
	if r, err = c.hello(d.EHLO); err != nil || r.code != 250 {
		return refusal(Temporary, r), err
	}
	return nil, nil
}

// noTLS goes on without, unless TLS is demanded.
func (d *Direct) noTLS(ctx context.Context, e *errand, host string, want demand, why string) (*Result, error) {
	d.Memory.count(ctx, e.domain, want.policy, host, "starttls-not-supported")
	if want.must {
		return &Result{Class: Temporary, Enhanced: "4.7.5", Text: why + " (" + want.reason + ")"}, nil
	}
	if e.SignIn && !e.Dry {
		d.Memory.Log.Warn("a sign-in link goes in clear", "domain", e.domain, "server", host, "why", why)
	}
	return nil, nil
}
