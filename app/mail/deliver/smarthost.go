package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TLSMode is how a connection is protected.
type TLSMode string

// The modes.
const (
	Implicit TLSMode = "implicit" // TLS from the first byte (RFC 8314)
	StartTLS TLSMode = "starttls" // required: never in clear
	NoTLS    TLSMode = "off"      // to this machine only
)

// Smarthost is a mail server that relays for us. Its fields do not change.
type Smarthost struct {
	Host     string
	Port     int
	TLS      TLSMode
	User     string // "" for a server that asks for no login
	Password string
	EHLO     string         // our name
	Roots    *x509.CertPool // nil for the system's
	Limits   Limits
	Retry    Limits // from the second try on; zero is Limits
	Patience Limits // for mail that nobody waits for; zero is Limits
	Now      func() time.Time
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil for the network's

	kept keeper
}

// Deliver sends one message. beforeDot is called when everything but the final
// dot has been written; its error breaks the session off, and the message was
// certainly not delivered. trace, unless nil, is called with every step.
func (s *Smarthost) Deliver(ctx context.Context, e Envelope, beforeDot func() error, trace func(Step)) Result {
	if err := e.check(s.EHLO); err != nil {
		return Result{Class: Permanent, Stage: AtFrom, Enhanced: "5.6.0", Text: err.Error(), Err: err}
	}
	limits := e.limits(s.Limits, s.Retry, s.Patience)
	for trace == nil && !e.Dry {
		k := s.kept.take("")
		if k == nil {
			break
		}
		if r, ok := k.again(ctx, e, limits, s.Now, beforeDot); ok {
			s.end(k, r)
			return r
		}
	}
	conn, err := s.connect(ctx, limits.Connect)
	if err != nil {
		return (&conversation{stage: AtConnect}).broken(e, err)
	}
	c := &conversation{raw: conn, trace: trace, stage: AtGreeting, hidden: e.To}
	c.use(conn)
	detach := c.attach(ctx, limits)
	if trace != nil {
		c.note(Step{Note: "connected to " + conn.RemoteAddr().String()})
	}
	refused, err := s.begin(ctx, c)
	if err == nil && refused == nil {
		refused, err = c.transfer(e, s.Now, beforeDot)
	}
	var r Result
	if err != nil {
		r = c.broken(e, err)
	} else {
		r = c.finished(*refused)
	}
	if trace != nil && err == nil {
		c.quit()
	}
	detach()
	s.end(&keptSession{conversation: c, host: s.Host, since: c.start}, r)
	return r
}

// end keeps a session that took a message for the next, and closes any other.
// The message has been decided: nobody waits for the answer to QUIT.
func (s *Smarthost) end(k *keptSession, r Result) {
	switch {
	case r.Class == Sent && k.trace == nil && k.stage == AtDot && s.kept.put("", k, func() {}):
	case r.Code == 0 || k.trace != nil:
		k.conn.Close()
	default:
		go k.leave()
	}
}

// Greet connects and logs in, and takes leave: Sent means that mail would be
// taken.
func (s *Smarthost) Greet(ctx context.Context) Result {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Session)
	defer cancel()
	conn, err := s.connect(ctx, s.Limits.Connect)
	if err != nil {
		return (&conversation{stage: AtConnect}).broken(Envelope{}, err)
	}
	c, done := open(ctx, conn, s.Limits, nil)
	defer done()
	refused, err := s.begin(ctx, c)
	switch {
	case err != nil:
		return c.broken(Envelope{}, err)
	case refused != nil:
		c.quit()
		return c.finished(*refused)
	}
	r := c.finished(Result{Class: Sent})
	c.quit()
	return r
}

func (e Envelope) check(ehlo string) error {
	for _, text := range []string{e.From, e.To, ehlo} {
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' }) {
			return errInjection
		}
	}
	if e.To == "" || ehlo == "" {
		return errors.New("the message has no recipient, or we have no name")
	}
	return nil
}

func (s *Smarthost) connect(ctx context.Context, within time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	dial := s.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return dial(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
}

// begin brings the session to the point where a message can be offered. It
// returns a result when the server refuses us.
func (s *Smarthost) begin(ctx context.Context, c *conversation) (*Result, error) {
	config := &tls.Config{ServerName: s.Host, RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
	if s.TLS == Implicit {
		c.stage = AtTLS
		if err := c.handshake(ctx, config, nil); err != nil {
			return nil, err
		}
		c.stage = AtGreeting
	}
	r, err := c.greet()
	if err != nil || r.code != 220 {
		return refusal(Temporary, r), err
	}
	c.stage = AtHello
	if r, err = c.hello(s.EHLO); err != nil || r.code != 250 {
		return refusal(Temporary, r), err
	}
	if s.TLS == StartTLS {
		if refused, err := s.startTLS(ctx, c, config); err != nil || refused != nil {
			return refused, err
		}
	}
	if s.User == "" {
		return nil, nil
	}
	return s.authenticate(c)
}

func (s *Smarthost) startTLS(ctx context.Context, c *conversation, config *tls.Config) (*Result, error) {
	c.stage = AtTLS
	if _, offered := c.offers["STARTTLS"]; !offered {
		return &Result{Class: Paused, Text: "the server offers no STARTTLS, and without it nothing is sent"}, nil
	}
	r, err := c.command("STARTTLS", "", c.limits.Command)
	if err != nil || r.code != 220 {
		return refusal(Temporary, r), err
	}
	if err := c.handshake(ctx, config, nil); err != nil {
		return nil, err
	}
	// What was offered in clear proves nothing: ask again.
	c.stage = AtHello
	r, err = c.hello(s.EHLO)
	if err != nil || r.code != 250 {
		return refusal(Temporary, r), err
	}
	return nil, nil
}

func (s *Smarthost) authenticate(c *conversation) (*Result, error) {
	c.stage = AtAuth
	r, offered, err := c.login(s.User, s.Password)
	switch {
	case err != nil:
		return nil, err
	case !offered:
		return &Result{Class: Paused, Text: "the server offers neither AUTH PLAIN nor AUTH LOGIN"}, nil
	case r.code == 235:
		return nil, nil
	case r.code >= 500:
		return refusal(Paused, r), nil
	}
	return refusal(Temporary, r), nil
}

// login proves who we are by the best means the server offers: PLAIN (RFC
// 4616), else LOGIN. ok is false when it offers neither.
func (c *conversation) login(user, password string) (r reply, ok bool, err error) {
	means := strings.Fields(strings.ToUpper(c.offers["AUTH"]))
	switch {
	case slices.Contains(means, "PLAIN"):
		secret := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
		r, err = c.command("AUTH PLAIN "+secret, "AUTH PLAIN (user "+user+", password hidden)", c.limits.Command)
		if err == nil && r.code == 334 {
			// A server that wants the secret on a line of its own.
			r, err = c.command(secret, "(user and password hidden)", c.limits.Command)
		}
		return r, true, err
	case slices.Contains(means, "LOGIN"):
		r, err = c.command("AUTH LOGIN", "", c.limits.Command)
		for _, line := range []struct{ text, shown string }{{user, "(user " + user + ")"}, {password, "(password hidden)"}} {
			if err != nil || r.code != 334 {
				break
			}
			r, err = c.command(base64.StdEncoding.EncodeToString([]byte(line.text)), line.shown, c.limits.Command)
		}
		return r, true, err
	}
	return reply{}, false, nil
}
