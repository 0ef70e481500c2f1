package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/resolve"
)

// knockFor is how long a big provider's server gets to answer: they do in a
// fraction of that.
const knockFor = 5 * time.Second

// knocks is at how many servers of each provider we knock.
const knocks = 2

// errNoWay means that the network leads nowhere near a server.
var errNoWay = errors.New("no way leads there from this machine")

// knock is what came of knocking at a provider's servers.
type knock struct {
	domain string
	err    error
	took   time.Duration
}

// port tries to reach big providers: their servers answer, so silence from all
// is somebody in between.
func (c *Checker) port(ctx context.Context) []Finding {
	answers := make(chan knock, len(c.Big))
	for _, domain := range c.Big {
		go func() { answers <- c.knock(ctx, domain) }()
	}
	var slowest time.Duration
	var silent, refused, lost, unknown []string
	reached := 0
	for range c.Big {
		k := <-answers
		var timeout net.Error
		switch {
		case k.err == nil:
			reached++
			slowest = max(slowest, k.took)
		case errors.Is(k.err, syscall.ECONNREFUSED):
			refused = append(refused, k.domain)
		case errors.Is(k.err, errNoWay), errors.Is(k.err, syscall.EHOSTUNREACH), errors.Is(k.err, syscall.ENETUNREACH):
			lost = append(lost, k.domain)
		case errors.As(k.err, &timeout) && timeout.Timeout():
			silent = append(silent, k.domain)
		default:
			unknown = append(unknown, fmt.Sprintf("%s: %v", k.domain, k.err))
		}
	}
	args := []any{"port", c.Port, "n", reached}
	switch {
	case reached > 0:
		return []Finding{{Level: OK, Key: "port", Args: append(args, "ms", slowest.Milliseconds())}}
	case len(refused) > 0:
		return []Finding{c.closed("port_refused", args, refused)}
	case len(silent) > 0:
		return []Finding{c.closed("port_blocked", args, silent)}
	case len(lost) > 0:
		return []Finding{c.closed("port_unreachable", args, lost)}
	}
	return []Finding{{Level: Warn, Key: "port_unknown", Args: args, Answer: strings.Join(unknown, "\n")}}
}

// beside ends the keys of what is no failing because of a smarthost beside.
const beside = "_beside"

// closed is a port that lets nothing out. With a smarthost beside, mail goes all
// the same.
func (c *Checker) closed(key string, args []any, domains []string) Finding {
	slices.Sort(domains)
	f := Finding{Level: Fail, Key: key, Args: append(args, "domains", strings.Join(domains, ", "))}
	if c.Smarthost != nil {
		f.Level, f.Key, f.Args = Warn, key+beside, append(f.Args, "host", c.Smarthost.Host)
	}
	return f
}

// knock tries the servers of a provider side by side. One that answers is enough;
// else the error is the one that says most.
func (c *Checker) knock(ctx context.Context, domain string) knock {
	k := knock{domain: domain}
	mx, _, err := c.Resolver.MX(ctx, domain)
	if err == nil && len(mx) == 0 {
		err = errors.New("it has no mail server")
	}
	if err != nil {
		k.err = err
		return k
	}
	mx = mx[:min(knocks, len(mx))]
	answers := make(chan knock, len(mx))
	for _, server := range mx {
		go func() {
			took, err := c.dial(ctx, server.Host)
			answers <- knock{domain, err, took}
		}()
	}
	for i := range mx {
		one := <-answers
		if one.err == nil {
			return one
		}
		if i == 0 || errors.Is(one.err, syscall.ECONNREFUSED) {
			k = one
		}
	}
	return k
}

// dial connects to a server from where mail would.
func (c *Checker) dial(ctx context.Context, host string) (time.Duration, error) {
	h, err := c.Resolver.Host(ctx, host)
	all := slices.Concat(h.IPv4, h.IPv6)
	if len(all) == 0 {
		return 0, errors.Join(errors.New("its mail server has no address"), err)
	}
	i := slices.IndexFunc(all, func(ip netip.Addr) bool {
		_, ok := c.Source.IP(ip)
		return ok
	})
	if i < 0 {
		return 0, errNoWay
	}
	to := all[i]
	if err := c.Guard.Check(to); err != nil {
		return 0, err
	}
	var dialer net.Dialer
	if from := c.Source.Address; from.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	ctx, cancel := context.WithTimeout(ctx, knockFor)
	defer cancel()
	start := time.Now()
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(to.String(), strconv.Itoa(c.Port)))
	if err != nil {
		return 0, err
	}
	return time.Since(start), conn.Close()
}

// login signs in to the smarthost.
func (c *Checker) login(ctx context.Context) []Finding {
	r := c.Smarthost.Greet(ctx)
	args := []any{"host", c.Smarthost.Host}
	switch {
	case r.Class == deliver.Sent:
		return []Finding{{Level: OK, Key: "smarthost", Args: args}}
	case r.Class == deliver.Paused:
		return []Finding{{Level: Fail, Key: "smarthost_login", Args: args, Answer: answer(r)}}
	}
	return []Finding{{Level: Fail, Key: "smarthost_down", Args: args, Answer: answer(r)}}
}

// dryRun hands in a mail for an address up to the point where it would be sent.
func (c *Checker) dryRun(ctx context.Context, address string) []Finding {
	e := deliver.Envelope{From: c.From, To: address, Dry: true, NotAfter: c.Now().Add(time.Hour), Attempt: 1}
	never := func() error { return errors.New("a trial must not be sent") }
	domain := address[strings.LastIndexByte(address, '@')+1:]
	if c.Direct != nil {
		// Delivery believes it after a minute; whoever sits here can look at once.
		if _, _, err := c.Resolver.MX(ctx, domain); errors.Is(err, resolve.ErrNoName) {
			return []Finding{{Level: Fail, Key: "dry_no_domain", Args: []any{"domain", domain}, Answer: err.Error()}}
		}
	}
	var r deliver.Result
	switch {
	case c.Direct != nil:
		r = c.Direct.Deliver(ctx, e, never, nil)
	case c.Smarthost != nil:
		r = c.Smarthost.Deliver(ctx, e, never, nil)
	default:
		return nil // mode reports it
	}
	args := []any{"address", address, "stage", r.Stage, "tls", r.TLS}
	switch {
	case r.Class == deliver.Sent && r.TLS == "":
		return []Finding{{Level: Warn, Key: "dry_clear", Args: args, Answer: answer(r)}}
	case r.Class == deliver.Sent:
		return []Finding{{Level: OK, Key: "dry", Args: args, Answer: answer(r)}}
	case r.Class == deliver.Permanent:
		return []Finding{{Level: Fail, Key: "dry_refused", Args: args, Answer: answer(r)}}
	}
	return []Finding{{Level: Warn, Key: "dry_later", Args: args, Answer: answer(r)}}
}

func answer(r deliver.Result) string {
	if r.Code == 0 {
		return r.Text
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text)), " ")
}
