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
)

// knockFor is how long a big provider's server gets to answer: they do in a
// fraction of that.
const knockFor = 5 * time.Second

// knock is one attempt to connect.
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
	var silent, refused, unknown []string
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
		case errors.As(k.err, &timeout) && timeout.Timeout(), errors.Is(k.err, syscall.EHOSTUNREACH), errors.Is(k.err, syscall.ENETUNREACH):
			silent = append(silent, k.domain)
		default:
			unknown = append(unknown, fmt.Sprintf("%s: %v", k.domain, k.err))
		}
	}
	args := []any{"port", c.Port, "n", reached}
	switch {
	case reached > 0:
		return []Finding{{Level: OK, Key: "port", Args: append(args, "ms", slowest.Milliseconds())}}
	case len(silent) > 0 && len(refused) == 0:
		slices.Sort(silent)
		return []Finding{{Level: Fail, Key: "port_blocked", Args: append(args, "domains", strings.Join(silent, ", "))}}
	case len(refused) > 0:
		slices.Sort(refused)
		return []Finding{{Level: Fail, Key: "port_refused", Args: append(args, "domains", strings.Join(refused, ", "))}}
	}
	return []Finding{{Level: Warn, Key: "port_unknown", Args: args, Answer: strings.Join(unknown, "\n")}}
}

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
	h, err := c.Resolver.Host(ctx, mx[0].Host)
	all := slices.Concat(h.IPv4, h.IPv6)
	if len(all) == 0 {
		k.err = errors.Join(errors.New("its mail server has no address"), err)
		return k
	}
	if k.err = c.Guard.Check(all[0]); k.err != nil {
		return k
	}
	k.took, k.err = dial(ctx, all[0], c.Port)
	return k
}

func dial(ctx context.Context, ip netip.Addr, port int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, knockFor)
	defer cancel()
	start := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(ip.String(), strconv.Itoa(port)))
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
	var r deliver.Result
	switch {
	case c.Direct != nil:
		r = c.Direct.Deliver(ctx, e, never, nil)
	case c.Smarthost != nil:
		r = c.Smarthost.Deliver(ctx, e, never, nil)
	default:
		return nil // told by mode
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
