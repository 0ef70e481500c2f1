package deliver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/mailtest"
)

const body = "Subject: Hello\r\n\r\nline\r\n.dot\r\n..two\r\n"

// hurried are limits that make a test of them short.
var hurried = deliver.Limits{Connect: 400 * time.Millisecond, Command: 400 * time.Millisecond, Dot: 400 * time.Millisecond, Session: 1500 * time.Millisecond}

func smarthost(host string, port int, change func(*deliver.Smarthost)) *deliver.Smarthost {
	s := &deliver.Smarthost{Host: host, Port: port, TLS: deliver.NoTLS, EHLO: "auth.home.example", Limits: hurried, Now: time.Now}
	if change != nil {
		change(s)
	}
	return s
}

func envelope() deliver.Envelope {
	return deliver.Envelope{From: "login@home.example", To: "mara@else.example", Body: []byte(body), NotAfter: time.Now().Add(time.Hour)}
}

func noDot() error { return nil }

// upTo plays a good server until the client sends the given verb, and then calls
// do instead of answering.
func upTo(verb string, do func(c *mailtest.Conn)) func(*mailtest.Conn) {
	return func(c *mailtest.Conn) {
		if verb == "greeting" {
			do(c)
			return
		}
		c.Line("220 mail.test ESMTP")
		for {
			word, _, _ := strings.Cut(c.Read(), " ")
			word = strings.ToUpper(word)
			if word == verb {
				do(c)
				continue
			}
			switch word {
			case "EHLO":
				c.Line("250-mail.test", "250-AUTH PLAIN LOGIN", "250 SIZE 100000")
			case "AUTH":
				c.Line("235 2.7.0 welcome")
			case "DATA":
				c.Line("354 go ahead")
				c.Body()
				if verb == "dot" {
					do(c)
					continue
				}
				c.Line("250 2.0.0 queued")
			case "QUIT":
				c.Line("221 bye")
				return
			default:
				c.Line("250 2.1.0 ok")
			}
		}
	}
}

func say(lines ...string) func(*mailtest.Conn) { return func(c *mailtest.Conn) { c.Line(lines...) } }

// after answers as do does, a moment later than the limits of a first try allow.
func after(do func(*mailtest.Conn)) func(*mailtest.Conn) {
	return func(c *mailtest.Conn) {
		time.Sleep(hurried.Command + hurried.Command/2)
		do(c)
	}
}

// A server that is slow gets its time the second time, and until then the way is
// not down.
func TestASlowServerGetsItsTimeOnARetry(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]func(*mailtest.Conn){
		"greeting": func(c *mailtest.Conn) {
			after(func(*mailtest.Conn) {})(c)
			mailtest.Accept(c)
		},
		"RCPT": upTo("RCPT", after(say("250 2.1.5 ok"))),
		"DATA": upTo("DATA", after(func(c *mailtest.Conn) {
			c.Line("354 go")
			c.Body()
			c.Line("250 2.0.0 queued")
		})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Serve(t, script)
			s := smarthost(server.Host, server.Port, func(s *deliver.Smarthost) { s.Retry = deliver.RetryLimits() })
			e := envelope()
			e.Attempt = 1
			if r := s.Deliver(t.Context(), e, noDot, nil); r.Class != deliver.Temporary || !r.Impatient || r.TransportDown() {
				t.Errorf("the first time: got %+v", r)
			}
			e.Attempt = 2
			if r := s.Deliver(t.Context(), e, noDot, nil); r.Class != deliver.Sent {
				t.Errorf("the second time: got %+v", r)
			}
		})
	}
}

func TestAServerThatKnowsNoEHLOGetsItsMail(t *testing.T) {
	t.Parallel()
	server := mailtest.Serve(t, upTo("EHLO", say("502 5.5.1 command not implemented")))
	if r := smarthost(server.Host, server.Port, nil).Deliver(t.Context(), envelope(), noDot, nil); r.Class != deliver.Sent {
		t.Errorf("got %+v", r)
	}
	heard := strings.Join(server.Heard(), "\n")
	if !strings.Contains(heard, "HELO auth.home.example\nMAIL FROM:<login@home.example>\n") {
		t.Errorf("it heard\n%s", heard)
	}
}

// A mail whose answer is not awaited arrives twice (RFC 5321, 4.5.3.2.6).
func TestTheAnswerToTheDotIsAwaitedBeyondTheSession(t *testing.T) {
	t.Parallel()
	server := mailtest.Serve(t, upTo("dot", after(say("250 2.0.0 queued"))))
	s := smarthost(server.Host, server.Port, func(s *deliver.Smarthost) {
		s.Limits.Session, s.Limits.Dot = hurried.Command, 10*time.Second
	})
	if r := s.Deliver(t.Context(), envelope(), noDot, nil); r.Class != deliver.Sent {
		t.Errorf("got %+v", r)
	}
	for name, l := range map[string]deliver.Limits{"first": deliver.SignInLimits(), "retry": deliver.RetryLimits(), "patient": deliver.RelayLimits()} {
		if l.Dot != 10*time.Minute {
			t.Errorf("%s: %v for the answer to the dot, want ten minutes", name, l.Dot)
		}
	}
}

// TestFaults holds the rows of the fault table that a single session can show.
func TestFaults(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		verb  string
		do    func(*mailtest.Conn)
		class deliver.Class
		code  int
		stage string
		down  bool
	}{
		"row 01, greylisted at RCPT, is temporary":                     {"RCPT", say("451 4.7.1 try again later"), deliver.Temporary, 451, deliver.AtTo, false},
		"row 02, 421 in the greeting, means the server is down":        {"greeting", say("421 too busy"), deliver.Temporary, 421, deliver.AtGreeting, true},
		"row 02, 421 in the middle, means the server is down":          {"MAIL", say("421 4.3.2 shutting down"), deliver.Temporary, 421, deliver.AtFrom, true},
		"row 03, 550 at RCPT, is permanent":                            {"RCPT", say("550 5.1.1 no such user"), deliver.Permanent, 550, deliver.AtTo, false},
		"row 04, 554 at MAIL, is about us and temporary":               {"MAIL", say("554 5.7.1 listed"), deliver.Temporary, 554, deliver.AtFrom, false},
		"row 05, a full mailbox, is permanent":                         {"RCPT", say("552 5.2.2 full"), deliver.Permanent, 552, deliver.AtTo, false},
		"row 05, a full disk there, is temporary":                      {"RCPT", say("452 4.3.1 no space"), deliver.Temporary, 452, deliver.AtTo, false},
		"row 05, a size that is too much, is permanent":                {"MAIL", say("552 5.3.4 too big"), deliver.Permanent, 552, deliver.AtFrom, false},
		"row 06, 554 in the greeting, is temporary":                    {"greeting", say("554 no service for you"), deliver.Temporary, 554, deliver.AtGreeting, true},
		"row 07, a reset after the final dot, is ambiguous":            {"dot", func(c *mailtest.Conn) { c.Close() }, deliver.Ambiguous, 0, deliver.AtDot, false},
		"row 07, silence after the final dot, is ambiguous":            {"dot", func(c *mailtest.Conn) { c.Wait() }, deliver.Ambiguous, 0, deliver.AtDot, false},
		"row 08, 4xx after the final dot, is temporary":                {"dot", say("451 4.3.0 not now"), deliver.Temporary, 451, deliver.AtDot, false},
		"5xx after the final dot is permanent":                         {"dot", say("550 5.7.1 spam"), deliver.Permanent, 550, deliver.AtDot, false},
		"row 20, silence instead of a greeting, ends":                  {"greeting", func(c *mailtest.Conn) { c.Wait() }, deliver.Temporary, 0, deliver.AtGreeting, true},
		"row 20, a reply byte by byte, ends":                           {"EHLO", drip, deliver.Temporary, 0, deliver.AtHello, true},
		"row 22, a reply without end, is cut off":                      {"EHLO", endless, deliver.Temporary, 0, deliver.AtHello, true},
		"row 22, a line without end, is cut off":                       {"EHLO", func(c *mailtest.Conn) { c.Send("250 " + strings.Repeat("x", 100_000)) }, deliver.Temporary, 0, deliver.AtHello, true},
		"row 23, a banner of another protocol, is temporary":           {"greeting", say("SSH-2.0-OpenSSH_9.9"), deliver.Temporary, 0, deliver.AtGreeting, true},
		"row 23, a code that changes within a reply, is no reply":      {"EHLO", say("250-one", "550 two"), deliver.Temporary, 0, deliver.AtHello, true},
		"row 23, 250 where 354 belongs, is not taken for it":           {"DATA", say("250 ok"), deliver.Temporary, 250, deliver.AtData, false},
		"row 24, a QUIT that hangs, changes nothing":                   {"QUIT", func(c *mailtest.Conn) { c.Wait() }, deliver.Sent, 250, deliver.AtDot, false},
		"row 29, 535 at AUTH, pauses the way":                          {"AUTH", say("535 5.7.8 bad credentials"), deliver.Paused, 535, deliver.AtAuth, false},
		"454 at AUTH is temporary":                                     {"AUTH", say("454 4.7.0 try later"), deliver.Temporary, 454, deliver.AtAuth, true},
		"another 2xx than 250 at MAIL goes on":                         {"MAIL", say("251 2.1.0 ok"), deliver.Sent, 250, deliver.AtDot, false},
		"another 2xx than 250 at RCPT goes on":                         {"RCPT", say("252 2.1.5 perhaps"), deliver.Sent, 250, deliver.AtDot, false},
		"another 2xx than 250 after the dot is not sent again":         {"dot", say("251 2.0.0 taken"), deliver.Sent, 251, deliver.AtDot, false},
		"a reply after the dot that is cut off is an acceptance":       {"dot", func(c *mailtest.Conn) { c.Line("250-2.0.0 queued"); c.Close() }, deliver.Sent, 250, deliver.AtDot, false},
		"a reply after the dot that never ends is an acceptance":       {"dot", func(c *mailtest.Conn) { c.Line("250-2.0.0 queued"); c.Wait() }, deliver.Sent, 250, deliver.AtDot, false},
		"a reply after the dot that goes astray is an acceptance":      {"dot", say("250-2.0.0 queued", "as 4711"), deliver.Sent, 250, deliver.AtDot, false},
		"a line after the dot of 2,500 octets is an acceptance":        {"dot", say("250 " + strings.Repeat("x", 2500)), deliver.Sent, 250, deliver.AtDot, false},
		"a line after the dot without a space is an acceptance":        {"dot", say("250ok"), deliver.Sent, 250, deliver.AtDot, false},
		"half a line after the dot is ambiguous":                       {"dot", func(c *mailtest.Conn) { c.Send("250 2.0.0 que"); c.Close() }, deliver.Ambiguous, 0, deliver.AtDot, false},
		"a reply after the dot that takes itself back is ambiguous":    {"dot", say("250-2.0.0 queued", "550 5.7.1 or not"), deliver.Ambiguous, 0, deliver.AtDot, false},
		"a server that knows no EHLO is greeted by HELO":               {"EHLO", say("502 5.5.1 not implemented"), deliver.Paused, 0, deliver.AtAuth, false},
		"530 at MAIL pauses the way":                                   {"MAIL", say("530 5.7.0 authentication required"), deliver.Paused, 530, deliver.AtFrom, false},
		"a server that is gone in the middle is temporary":             {"RCPT", func(c *mailtest.Conn) { c.Close() }, deliver.Temporary, 0, deliver.AtTo, false},
		"no AUTH that we know pauses the way":                          {"EHLO", say("250-mail.test", "250 AUTH GSSAPI"), deliver.Paused, 0, deliver.AtAuth, false},
		"a message beyond SIZE is permanent and not offered":           {"EHLO", say("250-mail.test", "250-AUTH PLAIN", "250 SIZE 10"), deliver.Permanent, 0, deliver.AtFrom, false},
		"the basic code counts, whatever the enhanced one says":        {"RCPT", say("450 5.1.1 confused"), deliver.Temporary, 450, deliver.AtTo, false},
		"an answer of several lines is one answer":                     {"RCPT", say("550-5.1.1 no", "550-5.1.1 such", "550 5.1.1 user"), deliver.Permanent, 550, deliver.AtTo, false},
		"a server that speaks before it is asked is taken in its turn": {"NOOP", nil, deliver.Sent, 250, deliver.AtDot, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Serve(t, upTo(tt.verb, tt.do))
			start := time.Now()
			got := smarthost(server.Host, server.Port, func(s *deliver.Smarthost) { s.User, s.Password = "user", "hunter2" }).
				Deliver(t.Context(), envelope(), noDot, nil)
			if got.Class != tt.class || got.Code != tt.code || got.Stage != tt.stage || got.TransportDown() != tt.down {
				t.Errorf("got class %d code %d stage %q down %v (%s %v), want class %d code %d stage %q down %v",
					got.Class, got.Code, got.Stage, got.TransportDown(), got.Text, got.Err, tt.class, tt.code, tt.stage, tt.down)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("it took %v", took)
			}
			if strings.Contains(got.Text, "hunter2") {
				t.Errorf("the password is in the report: %s", got.Text)
			}
		})
	}
}

// A local part that SMTP takes between quotes only is quoted (RFC 5321, 4.1.2).
func TestALocalPartIsQuotedWhereItMustBe(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"mara@else.example":   "RCPT TO:<mara@else.example>",
		"a..b@docomo.example": `RCPT TO:<"a..b"@docomo.example>`,
		"mara.@ezweb.example": `RCPT TO:<"mara."@ezweb.example>`,
		"a+b=c@else.example":  "RCPT TO:<a+b=c@else.example>",
	} {
		got := make(chan string, 1)
		server := mailtest.Serve(t, func(c *mailtest.Conn) {
			c.Line("220 mail.test ESMTP")
			for {
				line := c.Read()
				switch {
				case strings.HasPrefix(line, "RCPT"):
					got <- line
					c.Line("550 5.1.1 no such user")
				case line == "QUIT":
					c.Line("221 bye")
					return
				default:
					c.Line("250 ok")
				}
			}
		})
		e := envelope()
		e.To = to
		smarthost(server.Host, server.Port, nil).Deliver(t.Context(), e, noDot, nil)
		select {
		case line := <-got:
			if line != want {
				t.Errorf("sent %q, want %q", line, want)
			}
		default:
			t.Errorf("%s: no RCPT", to)
		}
	}
}

func drip(c *mailtest.Conn) {
	for _, b := range []byte(strings.Repeat("250-x\r\n", 100)) {
		c.Send(string(b))
		time.Sleep(100 * time.Millisecond)
	}
}

func endless(c *mailtest.Conn) {
	for {
		c.Send(strings.Repeat("250-more\r\n", 100))
	}
}

// Row 21: a server that stops reading in the middle of the message.
func TestAServerThatStopsReadingIsLeft(t *testing.T) {
	t.Parallel()
	server := mailtest.Serve(t, func(c *mailtest.Conn) {
		c.Conn.(*net.TCPConn).SetReadBuffer(4096)
		c.Line("220 mail.test")
		for {
			switch word, _, _ := strings.Cut(c.Read(), " "); word {
			case "DATA":
				c.Line("354 go ahead")
				time.Sleep(3 * time.Second)
				return
			default:
				c.Line("250 ok")
			}
		}
	})
	e := envelope()
	e.Body = []byte(strings.Repeat(strings.Repeat("x", 70)+"\r\n", 200_000))
	s := smarthost(server.Host, server.Port, func(s *deliver.Smarthost) {
		s.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				conn.(*net.TCPConn).SetWriteBuffer(4096)
			}
			return conn, err
		}
	})
	got := s.Deliver(t.Context(), e, func() error { t.Error("it came to the final dot"); return nil }, nil)
	if got.Class != deliver.Temporary || got.Stage != deliver.AtData {
		t.Errorf("got class %d at %s (%s), want temporary at DATA", got.Class, got.Stage, got.Text)
	}
}

// Rows 9 and 11, and everything else about TLS: never in clear, never to
// somebody else.
func TestTLSIsRequiredAndVerified(t *testing.T) {
	t.Parallel()
	ca := mailtest.NewAuthority(t)
	good := ca.Certificate(t, "127.0.0.1", time.Hour)
	startTLS := func(cert tls.Certificate, answer string) func(*mailtest.Conn) {
		return func(c *mailtest.Conn) {
			c.Line("220 mail.test")
			c.Read()
			c.Line("250-mail.test", "250 STARTTLS")
			c.Read()
			c.Send(answer)
			if !strings.HasPrefix(answer, "220") {
				c.Wait()
			}
			c.StartTLS(cert)
			for {
				switch word, _, _ := strings.Cut(c.Read(), " "); word {
				case "EHLO":
					c.Line("250-mail.test", "250 AUTH PLAIN")
				case "AUTH":
					c.Line("235 ok")
				case "DATA":
					c.Line("354 go")
					c.Body()
					c.Line("250 ok")
				default:
					c.Line("250 ok")
				}
			}
		}
	}
	tests := map[string]struct {
		script func(*mailtest.Conn)
		class  deliver.Class
		text   string
	}{
		"a good certificate":                {startTLS(good, "220 go\r\n"), deliver.Sent, "ok"},
		"STARTTLS is not offered":           {mailtest.Accept, deliver.Paused, "offers no STARTTLS"},
		"STARTTLS is refused":               {startTLS(good, "454 4.7.0 no TLS now\r\n"), deliver.Temporary, "no TLS now"},
		"a certificate for another name":    {startTLS(ca.Certificate(t, "other.example", time.Hour), "220 go\r\n"), deliver.Temporary, "another name"},
		"a certificate that has expired":    {startTLS(ca.Certificate(t, "127.0.0.1", -time.Hour), "220 go\r\n"), deliver.Temporary, "not valid"},
		"a certificate of somebody unknown": {startTLS(mailtest.NewAuthority(t).Certificate(t, "127.0.0.1", time.Hour), "220 go\r\n"), deliver.Temporary, "not signed by an authority"},
		"words injected before the handshake": {
			startTLS(good, "220 go\r\n250-mail.test\r\n250 AUTH PLAIN\r\n"), deliver.Temporary, "more than its answer",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Serve(t, tt.script)
			got := smarthost(server.Host, server.Port, func(s *deliver.Smarthost) {
				s.TLS, s.Roots, s.User, s.Password = deliver.StartTLS, ca.Pool, "user", "hunter2"
			}).Deliver(t.Context(), envelope(), noDot, nil)
			if got.Class != tt.class || !strings.Contains(got.Text, tt.text) {
				t.Errorf("got class %d, %q, want class %d with %q", got.Class, got.Text, tt.class, tt.text)
			}
			heard := strings.Join(server.Heard(), "\n")
			if tt.class != deliver.Sent && (strings.Contains(heard, "AUTH") || strings.Contains(heard, "MAIL")) {
				t.Errorf("it went on in clear or with a stranger:\n%s", heard)
			}
			if tt.class == deliver.Sent && strings.Count(heard, "EHLO auth.home.example") != 2 {
				t.Errorf("want our name in EHLO before and after STARTTLS, got:\n%s", heard)
			}
		})
	}
}

func TestImplicitTLSAgainstAServerOfAnotherHand(t *testing.T) {
	t.Parallel()
	ca := mailtest.NewAuthority(t)
	for _, mode := range []deliver.TLSMode{deliver.Implicit, deliver.StartTLS} {
		for _, means := range []string{sasl.Plain, sasl.Login} {
			t.Run(string(mode)+" "+means, func(t *testing.T) {
				t.Parallel()
				peer := &peer{means: means}
				port := peer.serve(t, ca.Certificate(t, "127.0.0.1", time.Hour), mode == deliver.Implicit)
				var steps []deliver.Step
				dots := 0
				got := smarthost("127.0.0.1", port, func(s *deliver.Smarthost) {
					s.TLS, s.Roots, s.User, s.Password = mode, ca.Pool, "user@home.example", "hunter2"
				}).Deliver(t.Context(), envelope(), func() error { dots++; return nil }, func(s deliver.Step) { steps = append(steps, s) })
				if got.Class != deliver.Sent || got.TLS == "" || dots != 1 {
					t.Fatalf("got %+v with %d announcements of the dot", got, dots)
				}
				if peer.user != "user@home.example" || peer.from != "login@home.example" || peer.to != "mara@else.example" || peer.data != body {
					t.Errorf("the server got user %q from %q to %q body %q", peer.user, peer.from, peer.to, peer.data)
				}
				if trace := fmt.Sprint(steps); strings.Contains(trace, "hunter2") || strings.Contains(trace, "aHVudGVyMg") || !strings.Contains(trace, "EHLO auth.home.example") {
					t.Errorf("the trace shows a secret or lacks a step: %s", trace)
				}
			})
		}
	}
}

// Row 33, should a line break come so far: no command is sent with one.
func TestWhatMustNotBeSentIsNot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*deliver.Envelope)
		dot    error
		class  deliver.Class
	}{
		"a message that would come too late": {func(e *deliver.Envelope) { e.NotAfter = time.Now().Add(30 * time.Second) }, nil, deliver.Expired},
		"a line break in the recipient":      {func(e *deliver.Envelope) { e.To = "a@b.example>\r\nRCPT TO:<c@d.example" }, nil, deliver.Permanent},
		"a bracket in the sender":            {func(e *deliver.Envelope) { e.From = "a@b.example> SIZE=1" }, nil, deliver.Permanent},
		"letters the server cannot take":     {func(e *deliver.Envelope) { e.To = "mära@else.example" }, nil, deliver.Permanent},
		"a message cancelled before the dot": {func(*deliver.Envelope) {}, errors.New("cancelled"), deliver.Temporary},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := mailtest.Serve(t, mailtest.Accept)
			e := envelope()
			tt.change(&e)
			got := smarthost(server.Host, server.Port, nil).Deliver(t.Context(), e, func() error { return tt.dot }, nil)
			if got.Class != tt.class {
				t.Errorf("got class %d (%s), want %d", got.Class, got.Text, tt.class)
			}
			if n := len(server.Messages()); n != 0 {
				t.Errorf("the server has %d messages", n)
			}
		})
	}
}

func TestACancelledContextEndsASession(t *testing.T) {
	t.Parallel()
	server := mailtest.Serve(t, func(c *mailtest.Conn) { c.Wait() })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	s := smarthost(server.Host, server.Port, func(s *deliver.Smarthost) { s.Limits = deliver.SignInLimits() })
	start := time.Now()
	got := s.Deliver(ctx, envelope(), noDot, nil)
	if got.Class != deliver.Temporary || time.Since(start) > 3*time.Second {
		t.Errorf("got class %d after %v", got.Class, time.Since(start))
	}
}

func TestTheReportNeverHoldsTheAddress(t *testing.T) {
	t.Parallel()
	server := mailtest.Serve(t, upTo("RCPT", say("550 5.1.1 <Mara@Else.example>: mara@else.example unknown\x1b[31m")))
	got := smarthost(server.Host, server.Port, nil).Deliver(t.Context(), envelope(), noDot, nil)
	if strings.Contains(strings.ToLower(got.Text), "mara@") || strings.ContainsRune(got.Text, 0x1b) || got.Enhanced != "5.1.1" {
		t.Errorf("got %q, enhanced %q", got.Text, got.Enhanced)
	}
}

// peer is a mail server by another hand.
type peer struct {
	means                string
	user, from, to, data string
}

func (p *peer) serve(t *testing.T, cert tls.Certificate, implicit bool) int {
	t.Helper()
	s := smtp.NewServer(p)
	s.Domain = "mail.test"
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if implicit {
		l = tls.NewListener(l, s.TLSConfig)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return port
}

func (p *peer) NewSession(*smtp.Conn) (smtp.Session, error) { return p, nil }
func (p *peer) AuthMechanisms() []string                    { return []string{p.means} }
func (p *peer) Reset()                                      {}
func (p *peer) Logout() error                               { return nil }

func (p *peer) check(user, password string) error {
	if password != "hunter2" {
		return smtp.ErrAuthFailed
	}
	p.user = user
	return nil
}

func (p *peer) Auth(string) (sasl.Server, error) {
	if p.means == sasl.Login {
		return &loginServer{check: p.check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return p.check(user, password) }), nil
}

func (p *peer) Mail(from string, _ *smtp.MailOptions) error { p.from = from; return nil }
func (p *peer) Rcpt(to string, _ *smtp.RcptOptions) error   { p.to = to; return nil }

func (p *peer) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	p.data = string(b)
	return err
}

// loginServer is AUTH LOGIN as servers do it: two questions.
type loginServer struct {
	check func(user, password string) error
	user  string
	asked int
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}
