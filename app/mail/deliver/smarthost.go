package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
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

// margin is what a mail needs to be of use after it has arrived.
const margin = time.Minute

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
	Now      func() time.Time
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil for the network's
}

// Deliver sends one message. beforeDot is called when everything but the final
// dot has been written; its error breaks the session off, and the message was
// certainly not delivered. trace, unless nil, is told every step.
func (s *Smarthost) Deliver(ctx context.Context, e Envelope, beforeDot func() error, trace func(Step)) Result {
	if err := e.check(s.EHLO); err != nil {
		return Result{Class: Permanent, Stage: AtFrom, Enhanced: "5.6.0", Text: err.Error(), Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Session)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return s.broken(&conversation{stage: AtConnect}, e, err)
	}
	c, done := open(ctx, conn, s.Limits, trace)
	defer done()
	c.hidden = e.To
	if trace != nil {
		c.note(Step{Note: "connected to " + conn.RemoteAddr().String()})
	}
	refused, err := s.begin(ctx, c)
	if err == nil && refused == nil {
		refused, err = s.transfer(c, e, beforeDot)
	}
	switch {
	case err != nil:
		return s.broken(c, e, err)
	case refused != nil:
		c.quit()
		return s.finished(c, *refused)
	}
	panic("unreachable: a session ends with a result or an error")
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

func (s *Smarthost) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Limits.Connect)
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
		if err := c.handshake(ctx, config); err != nil {
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
	if err := c.handshake(ctx, config); err != nil {
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

// transfer offers the message. It always returns a result or an error.
func (s *Smarthost) transfer(c *conversation, e Envelope, beforeDot func() error) (*Result, error) {
	c.stage = AtFrom
	params := ""
	if size := c.size(); size > 0 && len(e.Body) > size {
		return &Result{Class: Permanent, Enhanced: "5.3.4", Text: fmt.Sprintf("the message has %d bytes, the server takes %d", len(e.Body), size)}, nil
	}
	if _, offered := c.offers["SIZE"]; offered {
		params += " SIZE=" + strconv.Itoa(len(e.Body))
	}
	if !ascii(e.From) || !ascii(e.To) {
		if _, offered := c.offers["SMTPUTF8"]; !offered {
			return &Result{Class: Permanent, Enhanced: "5.6.7", Text: "the address has letters beyond ASCII, and the server cannot take those"}, nil
		}
		params += " SMTPUTF8"
	}
	r, err := c.command("MAIL FROM:<"+e.From+">"+params, "", c.limits.Command)
	if err != nil || r.code != 250 {
		return senderRefusal(r), err
	}
	c.stage = AtTo
	r, err = c.command("RCPT TO:<"+e.To+">", "", c.limits.Command)
	if err != nil || r.code != 250 && r.code != 251 {
		return recipientRefusal(r), err
	}
	c.stage = AtData
	if !s.Now().Add(margin).Before(e.NotAfter) {
		return &Result{Class: Expired, Text: "it would have come too late"}, nil
	}
	r, err = c.command("DATA", "", c.limits.Command)
	if err != nil || r.code != 354 {
		return recipientRefusal(r), err
	}
	if err := c.body(e.Body); err != nil {
		return nil, err
	}
	if err := beforeDot(); err != nil {
		return nil, fmt.Errorf("broken off before the final dot: %w", err)
	}
	c.stage = AtDot
	r, err = c.command(".", "", c.limits.Dot)
	if err != nil {
		return nil, err
	}
	if r.code == 250 {
		return refusal(Sent, r), nil
	}
	return recipientRefusal(r), nil
}

// refusal is a result that says what the server said.
func refusal(class Class, r reply) *Result {
	return &Result{Class: class, Code: r.code, Enhanced: r.enhanced, Text: r.text()}
}

// senderRefusal is about us, not about the recipient: 5xx is for the queue to
// count. 530 means that a login was due.
func senderRefusal(r reply) *Result {
	if r.code == 530 {
		return refusal(Paused, r)
	}
	return refusal(Temporary, r)
}

// recipientRefusal is believed by the first digit alone: enhanced codes
// contradict it too often.
func recipientRefusal(r reply) *Result {
	switch {
	case r.code == 530:
		return refusal(Paused, r)
	case r.code >= 500:
		return refusal(Permanent, r)
	}
	return refusal(Temporary, r)
}

func (s *Smarthost) finished(c *conversation, r Result) Result {
	r.Stage, r.TLS, r.RemoteIP = c.stage, c.tls, remoteIP(c)
	r.Text = scrub(r.Text, c.hidden)
	return r
}

// broken is the result of a session in which the server said nothing to the
// point: it is gone, it is too slow, or it is not what it should be.
func (s *Smarthost) broken(c *conversation, e Envelope, err error) Result {
	r := Result{Class: Temporary, Err: err, Text: brokenText(err)}
	if c.stage == AtDot {
		r.Class = Ambiguous
	}
	c.hidden = e.To
	return s.finished(c, r)
}

func brokenText(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &unknown):
		return "the server's certificate is not signed by an authority this machine trusts (mail.ca_file can name one)"
	case errors.As(err, &name):
		return "the server's certificate is for another name: " + name.Error()
	case errors.As(err, &invalid):
		return "the server's certificate is not valid: " + invalid.Error()
	case errors.As(err, &record):
		return "the server does not speak TLS on this port"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "the server did not answer in time"
	case errors.Is(err, net.ErrClosed):
		return "the session was ended: it took too long, or this server is stopping"
	}
	return err.Error()
}

func remoteIP(c *conversation) string {
	if c.conn == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(c.conn.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return host
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
