package deliver_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/mailtest"
	"gatelodge/app/mail/mtasts"
	"gatelodge/app/mail/reach"
	"gatelodge/app/mail/resolve"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// world is the Internet of a test: names, and servers that all answer at one
// port, each on a loopback address of its own.
type world struct {
	*mailtest.DNS
	t    *testing.T
	port int
	ca   *mailtest.Authority
	db   *store.DB
	d    *deliver.Direct
	mu   sync.Mutex
	now  time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{DNS: mailtest.ServeDNS(t), t: t, ca: mailtest.NewAuthority(t), now: time.Now()}
	// The port is free on every loopback address, mostly: only this test's
	// servers are at those.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	w.db, err = store.Open(t.Context(), store.Options{Dir: storetest.Dir(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.restart(w.Address)
	return w
}

// restart begins anew with what the store remembers.
func (w *world) restart(resolver string) {
	clock := w.clock
	r := resolve.New(resolver, clock)
	guard := reach.Guard{AllowPrivate: true}
	w.d = &deliver.Direct{
		Resolver: r, STS: mtasts.New(w.db, r, guard, w.ca.Pool, clock), Guard: guard,
		Memory: &deliver.Memory{DB: w.db, Now: clock, Log: slog.New(slog.DiscardHandler)},
		Port:   w.port, EHLO: "auth.home.example", Roots: w.ca.Pool, Limits: hurried, Now: clock,
	}
	w.d.Limits.Session = 8 * time.Second
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// server runs a script at an address and gives it a name.
func (w *world) server(name, ip string, script func(*mailtest.Conn)) *mailtest.Server {
	w.t.Helper()
	w.A(name, ip)
	return mailtest.ServeOn(w.t, net.JoinHostPort(ip, strconv.Itoa(w.port)), script)
}

func (w *world) deliver() deliver.Result {
	w.t.Helper()
	e := envelope()
	e.NotAfter = w.clock().Add(48 * time.Hour)
	return w.d.Deliver(w.t.Context(), e, noDot, nil)
}

// want delivers and compares.
func (w *world) want(class deliver.Class, stage, text string) deliver.Result {
	w.t.Helper()
	r := w.deliver()
	if r.Class != class || r.Stage != stage || !strings.Contains(r.Text, text) {
		w.t.Errorf("got class %d at %q: %d %s %q (%v), want class %d at %q with %q", r.Class, r.Stage, r.Code, r.Enhanced, r.Text, r.Err, class, stage, text)
	}
	return r
}

// results returns what was counted for a report, as "policy result".
func (w *world) results() string {
	w.t.Helper()
	var list []string
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.TLSResults("else.example", 100)
		for _, r := range rows {
			list = append(list, strings.TrimSpace(r.Policy+" "+r.Result))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(list, "\n")
}

func TestDirectMailArrivesUnderTLSWithOurNameTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	s := w.server("mx.else.example", "127.0.0.2", mailtest.AcceptTLS(w.ca.Certificate(t, "mx.else.example", time.Hour)))
	r := w.want(deliver.Sent, deliver.AtDot, "queued")
	if r.TLS != "TLS 1.3, verified" || r.RemoteIP != "127.0.0.2" {
		t.Errorf("got %q with %s", r.TLS, r.RemoteIP)
	}
	if n := strings.Count(strings.Join(s.Heard(), "\n"), "EHLO auth.home.example"); n != 2 {
		t.Errorf("our name was given %d times, want 2: %v", n, s.Heard())
	}
	if len(s.Messages()) != 1 || s.Messages()[0] != body {
		t.Errorf("got %q", s.Messages())
	}
	if got := w.results(); got != "no-policy-found" {
		t.Errorf("counted %q", got)
	}
}

func TestADomainOfOtherLettersIsAskedForInASCII(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.server("xn--bcher-kva.example", "127.0.0.2", mailtest.Accept)
	e := envelope()
	e.To = "mara@bücher.example"
	if r := w.d.Deliver(t.Context(), e, noDot, nil); r.Class != deliver.Sent {
		t.Fatalf("got %+v", r)
	}
	if heard := strings.Join(s.Heard(), "\n"); !strings.Contains(heard, "RCPT TO:<mara@xn--bcher-kva.example>") || strings.Contains(heard, "SMTPUTF8") {
		t.Errorf("heard %s", heard)
	}
}

// Rows 2, 6 and 23, and what else makes the next server's turn.
func TestTheNextServerIsTried(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]func(*mailtest.Conn){
		"row 02, 421 in the greeting":  upTo("greeting", say("421 too busy")),
		"row 02, 421 in the middle":    upTo("MAIL", say("421 4.3.2 going down")),
		"row 02, 421 at RCPT":          upTo("RCPT", say("421 4.3.2 going down")),
		"row 02, 421 at the end":       upTo("dot", say("421 4.3.2 going down")),
		"row 06, 554 in the greeting":  upTo("greeting", say("554 no service for you")),
		"row 23, another protocol":     upTo("greeting", say("SSH-2.0-OpenSSH_9.9")),
		"row 20, silence":              upTo("greeting", func(c *mailtest.Conn) { c.Wait() }),
		"row 22, a reply without end":  upTo("EHLO", endless),
		"5xx at EHLO":                  upTo("EHLO", say("550 5.7.1 bad name")),
		"5xx at MAIL":                  upTo("MAIL", say("550 5.7.1 listed")),
		"gone in the middle of things": upTo("RCPT", func(c *mailtest.Conn) { c.Close() }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.MX("else.example", 10, "one.else.example")
			w.MX("else.example", 20, "two.else.example")
			one := w.server("one.else.example", "127.0.0.2", first)
			w.server("two.else.example", "127.0.0.3", mailtest.Accept)
			if r := w.want(deliver.Sent, deliver.AtDot, "queued"); r.RemoteIP != "127.0.0.3" || one.Sessions() != 1 {
				t.Errorf("got %s after %d sessions with the first", r.RemoteIP, one.Sessions())
			}
		})
	}
}

// What is said about the recipient is said for all servers of the domain.
func TestTheNextServerIsNotTried(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		verb, answer string
		class        deliver.Class
	}{
		"row 01, greylisted":           {"RCPT", "451 4.7.1 later", deliver.Temporary},
		"row 03, unknown":              {"RCPT", "550 5.1.1 no such user", deliver.Permanent},
		"row 04, refused by policy":    {"RCPT", "550 5.7.1 we do not know you", deliver.Temporary},
		"row 05, full":                 {"RCPT", "552 5.2.2 full", deliver.Permanent},
		"row 05, no space there":       {"RCPT", "452 4.3.1 no space", deliver.Temporary},
		"row 08, put off at the end":   {"dot", "451 4.3.0 not now", deliver.Temporary},
		"row 07, no answer at the end": {"dot", "", deliver.Ambiguous},
		"row 04, refused at the end":   {"dot", "550 5.7.26 your mail is not authenticated", deliver.Temporary},
		"row 04, refused at DATA":      {"DATA", "554 5.7.1 listed", deliver.Temporary},
		"a message refused at the end": {"dot", "554 5.6.0 bad content", deliver.Permanent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.MX("else.example", 10, "one.else.example")
			w.MX("else.example", 20, "two.else.example")
			do := say(tt.answer)
			if tt.answer == "" {
				do = func(c *mailtest.Conn) { c.Close() }
			}
			w.server("one.else.example", "127.0.0.2", upTo(tt.verb, do))
			two := w.server("two.else.example", "127.0.0.3", mailtest.Accept)
			if r := w.deliver(); r.Class != tt.class || two.Sessions() != 0 {
				t.Errorf("got class %d (%d %s), want %d; %d sessions with the second", r.Class, r.Code, r.Text, tt.class, two.Sessions())
			}
		})
	}
}

// Row 14: three of four are dead, and remembered as such.
func TestDeadServersArePassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 4 {
		w.MX("else.example", uint16(10*i), fmt.Sprintf("mx%d.else.example", i))
	}
	w.A("mx0.else.example", "127.0.0.2") // refuses
	reset := w.server("mx1.else.example", "127.0.0.3", func(c *mailtest.Conn) { c.Conn.(*net.TCPConn).SetLinger(0) })
	slow := w.server("mx2.else.example", "127.0.0.4", func(c *mailtest.Conn) { c.Wait() })
	w.server("mx3.else.example", "127.0.0.5", mailtest.Accept)
	if r := w.want(deliver.Sent, deliver.AtDot, "queued"); r.RemoteIP != "127.0.0.5" {
		t.Errorf("got %s", r.RemoteIP)
	}
	if reset.Sessions() != 1 || slow.Sessions() != 1 {
		t.Errorf("got %d and %d sessions with those before", reset.Sessions(), slow.Sessions())
	}
	var notes []string
	w.d.Deliver(t.Context(), envelope(), noDot, func(s deliver.Step) { notes = append(notes, s.Note) })
	if strings.Contains(strings.Join(notes, "\n"), "connecting to mx0") {
		t.Errorf("the server that refused is tried again at once:\n%s", strings.Join(notes, "\n"))
	}
}

func TestAtMostFiveServersAreTried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var servers []*mailtest.Server
	for i := range 8 {
		name := fmt.Sprintf("mx%d.else.example", i)
		w.MX("else.example", 10, name)
		servers = append(servers, w.server(name, fmt.Sprintf("127.0.0.%d", i+2), upTo("greeting", say("421 no"))))
	}
	w.want(deliver.Temporary, deliver.AtGreeting, "no")
	n := 0
	for _, s := range servers {
		n += s.Sessions()
	}
	if n != 5 {
		t.Errorf("%d servers were tried, want 5", n)
	}
}

// Rows 15 to 19: what DNS can say.
func TestNames(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		set      func(w *world)
		class    deliver.Class
		enhanced string
	}{
		"row 15, a resolver that fails":        {func(w *world) { w.Fail("else.example", true) }, deliver.Temporary, "4.4.3"},
		"row 15, a server whose address fails": {func(w *world) { w.MX("else.example", 10, "mx.else.example"); w.Fail("mx.else.example", true) }, deliver.Temporary, "4.4.3"},
		"row 16, no such domain, at first":     {func(*world) {}, deliver.Temporary, "4.1.2"},
		"the null MX beside another": {func(w *world) {
			w.MX("else.example", 0, "")
			w.MX("else.example", 10, "mx.else.example")
			w.server("mx.else.example", "127.0.0.2", mailtest.Accept)
		}, deliver.Sent, "2.0.0"},
		"row 17, the null MX":              {func(w *world) { w.MX("else.example", 0, ""); w.A("else.example", "127.0.0.2") }, deliver.Permanent, "5.1.10"},
		"row 18, ourselves":                {func(w *world) { w.MX("else.example", 10, "auth.home.example") }, deliver.Permanent, "5.4.6"},
		"row 18, ourselves before another": {func(w *world) { w.MX("else.example", 5, "AUTH.home.example"); w.MX("else.example", 10, "x.example") }, deliver.Permanent, "5.4.6"},
		"row 18, ourselves by another name, before another": {func(w *world) {
			w.d.Guard = reach.Guard{}
			w.A("auth.home.example", "9.9.9.9") // behind a router, no interface has it
			w.MX("else.example", 10, "alias.home.example")
			w.A("alias.home.example", "9.9.9.9")
			w.MX("else.example", 20, "x.example")
			w.A("x.example", "9.9.9.10")
		}, deliver.Permanent, "5.4.6"},
		"row 19, a chain that is too long": {func(w *world) { chain(w, 20); w.server("end.example", "127.0.0.2", mailtest.Accept) }, deliver.Temporary, "4.4.3"},
		"row 19, a loop":                   {func(w *world) { w.CNAME("else.example", "b.example"); w.CNAME("b.example", "else.example") }, deliver.Temporary, "4.4.3"},
		"row 19, a chain that is not":      {func(w *world) { chain(w, 6); w.server("end.example", "127.0.0.2", mailtest.Accept) }, deliver.Sent, "2.0.0"},
		"row 19, a server that is another name": {func(w *world) {
			w.MX("else.example", 10, "a.example")
			w.CNAME("a.example", "b.example")
			w.server("b.example", "127.0.0.2", mailtest.Accept)
		}, deliver.Sent, "2.0.0"},
		"no MX, but an address":    {func(w *world) { w.server("else.example", "127.0.0.2", mailtest.Accept) }, deliver.Sent, "2.0.0"},
		"an MX without an address": {func(w *world) { w.MX("else.example", 10, "mx.else.example") }, deliver.Permanent, "5.1.2"},
		"a server without address before one with": {func(w *world) {
			w.MX("else.example", 10, "no.else.example")
			w.MX("else.example", 20, "mx.else.example")
			w.server("mx.else.example", "127.0.0.2", mailtest.Accept)
		}, deliver.Sent, "2.0.0"},
		"we as the last of two: only those before": {func(w *world) {
			w.MX("else.example", 10, "mx.else.example")
			w.MX("else.example", 20, "auth.home.example")
			w.server("mx.else.example", "127.0.0.2", mailtest.Accept)
		}, deliver.Sent, "2.0.0"},
		"a domain whose servers only have IPv6": {func(w *world) { w.MX("else.example", 10, "mx.else.example"); w.A("mx.else.example", "::1") }, deliver.Temporary, ""},
		"IPv6 beside IPv4, for us who have no name": {func(w *world) {
			w.MX("else.example", 10, "mx.else.example")
			w.A("mx.else.example", "::1")
			w.server("mx.else.example", "127.0.0.2", mailtest.Accept)
		}, deliver.Sent, "2.0.0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.set(w)
			if r := w.deliver(); r.Class != tt.class || r.Enhanced != tt.enhanced {
				t.Errorf("got class %d, %s %s at %s (%v), want class %d, %s", r.Class, r.Enhanced, r.Text, r.Stage, r.Err, tt.class, tt.enhanced)
			}
		})
	}
}

// chain leads from the domain through n CNAMEs to end.example.
func chain(w *world, n int) {
	from := "else.example"
	for i := range n - 1 {
		to := fmt.Sprintf("c%d.example", i)
		w.CNAME(from, to)
		from = to
	}
	w.CNAME(from, "end.example")
}

// Row 16: a domain that is missing for a minute is believed to be.
func TestAMissingDomainIsConfirmedBeforeItIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(deliver.Temporary, deliver.AtRoute, "no domain else.example")
	w.pass(31 * time.Second)
	w.want(deliver.Temporary, deliver.AtRoute, "no domain else.example")
	w.pass(31 * time.Second)
	if r := w.want(deliver.Permanent, deliver.AtRoute, "no domain else.example"); r.Enhanced != "5.1.2" {
		t.Errorf("got %s", r.Enhanced)
	}
	w.server("else.example", "127.0.0.2", mailtest.Accept)
	w.pass(31 * time.Second)
	w.want(deliver.Sent, deliver.AtDot, "queued")
}

// Row 16: that a domain was missing half a year ago confirms nothing today.
func TestAnAbsenceOfLongAgoConfirmsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.want(deliver.Temporary, deliver.AtRoute, "no domain else.example")
	w.pass(180 * 24 * time.Hour)
	w.want(deliver.Temporary, deliver.AtRoute, "no domain else.example")
	w.pass(61 * time.Second)
	w.want(deliver.Permanent, deliver.AtRoute, "no domain else.example")
}

// Row 15: nobody answers at all.
func TestASilentResolverPutsMailOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Silent(true)
	start := time.Now()
	if r := w.want(deliver.Temporary, deliver.AtRoute, "DNS did not answer"); r.Enhanced != "4.4.3" || !r.TransportDown() {
		t.Errorf("got %+v", r)
	}
	if took := time.Since(start); took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Row 18: names lead to our own doors. Nobody knocks there.
func TestPrivateDestinationsAreRefused(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{
		"127.0.0.2", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
		"::1", "::ffff:127.0.0.2", "fe80::1", "fc00::1", "ff02::1", "::", "64:ff9b::7f00:2", "2002:7f00:2::",
	} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.d.Guard = reach.Guard{}
			w.MX("else.example", 10, "mx.else.example")
			w.A("mx.else.example", ip)
			inside := mailtest.ServeOn(t, net.JoinHostPort("127.0.0.2", strconv.Itoa(w.port)), mailtest.Accept)
			if r := w.want(deliver.Permanent, deliver.AtRoute, "an address that mail does not go to"); r.Enhanced != "5.4.6" || inside.Sessions() != 0 {
				t.Errorf("got %s and %d connections", r.Enhanced, inside.Sessions())
			}
		})
	}
}

// Row 9: what cannot be encrypted goes in clear once, unless it must not.
func TestABrokenHandshakeIsFollowedByOneSessionInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	s := w.server("mx.else.example", "127.0.0.2", oldTLS(w.ca.Certificate(t, "mx.else.example", time.Hour)))
	if r := w.want(deliver.Sent, deliver.AtDot, "queued"); r.TLS != "" || s.Sessions() != 2 {
		t.Errorf("got %q after %d sessions", r.TLS, s.Sessions())
	}
}

// An old server's encryption is better than none (RFC 7435).
func TestAnOldServerIsSpokenToUnderTheTLSThatItKnows(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]*tls.Config{
		"TLS 1.0":                  {MaxVersion: tls.VersionTLS10},
		"TLS 1.1":                  {MaxVersion: tls.VersionTLS11},
		"RSA key exchange":         {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}},
		"RSA key exchange and CBC": {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_256_CBC_SHA}},
		"3DES":                     {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.MX("else.example", 10, "mx.else.example")
			config.MinVersion, config.Certificates = tls.VersionTLS10, []tls.Certificate{w.ca.RSACertificate(t, "mx.else.example", time.Hour)}
			s := w.server("mx.else.example", "127.0.0.2", func(c *mailtest.Conn) {
				c.Line("220 mail.test")
				for {
					switch word, _, _ := strings.Cut(c.Read(), " "); word {
					case "EHLO":
						c.Line("250-mail.test", "250 STARTTLS")
					case "STARTTLS":
						c.Line("220 go")
						c.StartTLSAs(config)
					case "DATA":
						c.Line("354 go")
						c.Body()
						c.Line("250 2.0.0 queued")
					default:
						c.Line("250 ok")
					}
				}
			})
			if r := w.want(deliver.Sent, deliver.AtDot, "queued"); !strings.HasPrefix(r.TLS, "TLS 1.") || s.Sessions() != 1 {
				t.Errorf("got %q after %d sessions", r.TLS, s.Sessions())
			}
		})
	}
}

// oldTLS offers nothing but RC4, and takes mail in clear.
func oldTLS(cert tls.Certificate) func(*mailtest.Conn) {
	return func(c *mailtest.Conn) {
		c.Line("220 mail.test")
		for {
			switch word, _, _ := strings.Cut(c.Read(), " "); word {
			case "EHLO":
				c.Line("250-mail.test", "250 STARTTLS")
			case "STARTTLS":
				c.Line("220 go")
				conn := tls.Server(c.Conn, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}})
				if conn.Handshake() == nil {
					panic("the handshake came about")
				}
				return
			case "DATA":
				c.Line("354 go")
				c.Body()
				c.Line("250 2.0.0 queued")
			default:
				c.Line("250 ok")
			}
		}
	}
}

// Row 12: what is seen again and again is written down again, so that it is never
// swept away as a memory of long ago.
func TestTheMemoryOfTLSIsRefreshed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	w.server("mx.else.example", "127.0.0.2", mailtest.AcceptTLS(w.ca.Certificate(t, "mx.else.example", 1000*24*time.Hour)))
	for range 14 {
		w.want(deliver.Sent, deliver.AtDot, "queued")
		w.pass(30 * 24 * time.Hour)
		w.restart(w.Address)
	}
	for n := 1; n > 0; {
		var err error
		if n, err = w.db.Sweep(t.Context(), w.clock(), 100); err != nil {
			t.Fatal(err)
		}
	}
	known := w.d.Memory
	var d store.MailDomain
	if err := known.DB.View(t.Context(), func(tx *store.Tx) (err error) { d, err = tx.MailDomain("else.example"); return err }); err != nil {
		t.Fatal(err)
	}
	if age := w.clock().Sub(d.TLSSeenAt); d.TLSSeenAt.IsZero() || age > 31*24*time.Hour {
		t.Errorf("it was last seen %v ago, %v", age, d.TLSSeenAt)
	}
}

// Rows 9 and 12: who has spoken TLS once must go on.
func TestADomainThatSpokeTLSGetsNothingInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	cert := w.ca.Certificate(t, "mx.else.example", time.Hour)
	var stripped, broken bool
	var mu sync.Mutex
	s := w.server("mx.else.example", "127.0.0.2", func(c *mailtest.Conn) {
		mu.Lock()
		strip, breaks := stripped, broken
		mu.Unlock()
		switch {
		case strip:
			mailtest.Accept(c)
		case breaks:
			oldTLS(cert)(c)
		default:
			mailtest.AcceptTLS(cert)(c)
		}
	})
	w.want(deliver.Sent, deliver.AtDot, "queued")
	w.restart(w.Address)
	mu.Lock()
	stripped = true
	mu.Unlock()
	w.want(deliver.Temporary, deliver.AtTLS, "mail domain -forget else.example")
	mu.Lock()
	stripped, broken = false, true
	mu.Unlock()
	w.want(deliver.Temporary, deliver.AtTLS, "")
	if n := len(s.Messages()); n != 1 {
		t.Errorf("%d messages arrived, want the first alone", n)
	}
	if err := w.db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.ForgetMailDomain("else.example"); return err }); err != nil {
		t.Fatal(err)
	}
	w.want(deliver.Sent, deliver.AtDot, "queued")
}

// Row 10: any certificate is better than none, where none is demanded.
func TestCertificatesThatAreNotDemandedMayBeBad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, cert := range map[string]tls.Certificate{
		"expired": w.ca.Certificate(t, "mx.else.example", -time.Hour), "of another name": w.ca.Certificate(t, "x.example", time.Hour),
		"of somebody unknown": mailtest.NewAuthority(t).Certificate(t, "mx.else.example", time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.MX("else.example", 10, "mx.else.example")
			w.server("mx.else.example", "127.0.0.2", mailtest.AcceptTLS(cert))
			if r := w.want(deliver.Sent, deliver.AtDot, "queued"); r.TLS != "TLS 1.3, not verified" {
				t.Errorf("got %q", r.TLS)
			}
		})
	}
}

// Row 11: words slipped in before the handshake. The session in clear that
// follows is a new one.
func TestInjectedWordsEndTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	if err := w.db.Update(t.Context(), func(tx *store.Tx) error { return tx.SetTLSSeen("else.example", time.Now()) }); err != nil {
		t.Fatal(err)
	}
	s := w.server("mx.else.example", "127.0.0.2", func(c *mailtest.Conn) {
		c.Line("220 mail.test")
		c.Read()
		c.Line("250-mail.test", "250 STARTTLS")
		c.Read()
		c.Send("220 go\r\n250 2.1.0 ok\r\n")
		c.Wait()
	})
	w.want(deliver.Temporary, deliver.AtTLS, "more than its answer")
	if heard := strings.Join(s.Heard(), "\n"); strings.Contains(heard, "MAIL") {
		t.Errorf("it went on: %s", heard)
	}
}

// policyServer serves MTA-STS policies for the world's domain.
func (w *world) policyServer(ip string, h http.HandlerFunc) {
	w.t.Helper()
	w.A("mta-sts.else.example", ip)
	l, err := tls.Listen("tcp", net.JoinHostPort(ip, "0"), &tls.Config{Certificates: []tls.Certificate{w.ca.Certificate(w.t, "mta-sts.else.example", time.Hour)}})
	if err != nil {
		w.t.Fatal(err)
	}
	server := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go server.Serve(l)
	w.t.Cleanup(func() { server.Close() })
	_, w.d.STS.Port, _ = net.SplitHostPort(l.Addr().String())
}

func policyText(mode, mx string) http.HandlerFunc {
	return func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(rw, "version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: 86400\r\n", mode, mx)
	}
}

// Rows 9, 10 and 31: a policy that is enforced, and one that is tested.
func TestMTASTS(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		mode, mx, cert string
		valid          time.Duration
		class          deliver.Class
		level, counted string
	}{
		"enforced, all is well":         {"enforce", "*.else.example", "mx.else.example", time.Hour, deliver.Sent, "TLS 1.3, MTA-STS", "sts"},
		"enforced, another certificate": {"enforce", "mx.else.example", "evil.example", time.Hour, deliver.Temporary, "", "sts certificate-host-mismatch"},
		"enforced, expired":             {"enforce", "mx.else.example", "mx.else.example", -time.Hour, deliver.Temporary, "", "sts certificate-expired"},
		"enforced, another server":      {"enforce", "good.else.example", "mx.else.example", time.Hour, deliver.Temporary, "", "sts validation-failure"},
		"enforced, no TLS":              {"enforce", "mx.else.example", "", time.Hour, deliver.Temporary, "", "sts starttls-not-supported"},
		"tested, another certificate":   {"testing", "mx.else.example", "evil.example", time.Hour, deliver.Sent, "TLS 1.3, not verified", "sts sts-webpki-invalid"},
		"tested, another server":        {"testing", "good.else.example", "mx.else.example", time.Hour, deliver.Sent, "TLS 1.3, verified", "sts\nsts validation-failure"},
		"taken back":                    {"none", "mx.else.example", "evil.example", time.Hour, deliver.Sent, "TLS 1.3, not verified", "no-policy-found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.MX("else.example", 10, "mx.else.example")
			w.TXT("_mta-sts.else.example", "v=STSv1; id=1;")
			w.policyServer("127.0.0.9", policyText(tt.mode, tt.mx))
			script := mailtest.Accept
			if tt.cert != "" {
				script = mailtest.AcceptTLS(w.ca.Certificate(t, tt.cert, tt.valid))
			}
			s := w.server("mx.else.example", "127.0.0.2", script)
			r := w.deliver()
			if r.Class != tt.class || r.Class == deliver.Sent && r.TLS != tt.level {
				t.Errorf("got class %d %q at %s: %s, want class %d %q", r.Class, r.TLS, r.Stage, r.Text, tt.class, tt.level)
			}
			if got := w.results(); got != tt.counted {
				t.Errorf("counted %q, want %q", got, tt.counted)
			}
			if tt.class != deliver.Sent && strings.Contains(strings.Join(s.Heard(), "\n"), "MAIL") {
				t.Errorf("it went on: %v", s.Heard())
			}
		})
	}
}

// Row 31: what cannot be read is not taken for nothing.
func TestNothingGoesWhereWhatADomainDemandsCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	s := w.server("mx.else.example", "127.0.0.2", mailtest.AcceptTLS(w.ca.Certificate(t, "evil.example", time.Hour)))
	storetest.Spoil(t, w.db, "ALTER TABLE mail_domains RENAME TO lost")
	w.want(deliver.Temporary, deliver.AtTLS, "could not be read")
	if len(s.Messages()) != 0 {
		t.Error("it was sent")
	}
}

// Row 32, and what DANE can come to.
func TestDANE(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		records func(w *world, c *x509.Certificate)
		cert    string
		valid   time.Duration
		plain   bool
		class   deliver.Class
		level   string
	}{
		"the server's key": {tlsaOf(3, 1, false), "mx.else.example", time.Hour, false, deliver.Sent, "TLS 1.3, DANE"},
		"the server's certificate, expired, any name": {tlsaOf(3, 0, false), "x.example", -time.Hour, false, deliver.Sent, "TLS 1.3, DANE"},
		"another key":                               {tlsaOf(3, 1, true), "mx.else.example", time.Hour, false, deliver.Temporary, ""},
		"another key beside the right one":          {both(tlsaOf(3, 1, true), tlsaOf(3, 1, false)), "mx.else.example", time.Hour, false, deliver.Sent, "TLS 1.3, DANE"},
		"a use that means nothing here":             {tlsaOf(1, 1, true), "x.example", time.Hour, false, deliver.Sent, "TLS 1.3, not verified"},
		"a use that means nothing here, and no TLS": {tlsaOf(1, 1, true), "", time.Hour, true, deliver.Temporary, ""},
		"no TLS":                     {tlsaOf(3, 1, false), "", time.Hour, true, deliver.Temporary, ""},
		"records that cannot be had": {func(w *world, _ *x509.Certificate) { w.Fail(fmt.Sprintf("_%d._tcp.mx.else.example", w.port), true) }, "mx.else.example", time.Hour, false, deliver.Temporary, ""},
		"no records":                 {func(*world, *x509.Certificate) {}, "mx.else.example", time.Hour, false, deliver.Sent, "TLS 1.3, verified"},
		"an authority that the server does not send": {tlsaOf(2, 1, false), "mx.else.example", time.Hour, false, deliver.Temporary, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.Secure()
			w.MX("else.example", 10, "mx.else.example")
			cert := w.ca.Certificate(t, "mx.else.example", time.Hour)
			if tt.cert != "" {
				cert = w.ca.Certificate(t, tt.cert, tt.valid)
			}
			script := mailtest.AcceptTLS(cert)
			if tt.plain {
				script = mailtest.Accept
			}
			leaf, err := x509.ParseCertificate(cert.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			tt.records(w, leaf)
			s := w.server("mx.else.example", "127.0.0.2", script)
			r := w.deliver()
			if r.Class != tt.class || r.Class == deliver.Sent && r.TLS != tt.level {
				t.Errorf("got class %d %q at %s: %s, want class %d %q", r.Class, r.TLS, r.Stage, r.Text, tt.class, tt.level)
			}
			if tt.class != deliver.Sent && strings.Contains(strings.Join(s.Heard(), "\n"), "MAIL") {
				t.Errorf("it went on: %v", s.Heard())
			}
		})
	}
}

func tlsaOf(usage, selector byte, flip bool) func(*world, *x509.Certificate) {
	return func(w *world, c *x509.Certificate) {
		what := c.Raw
		if selector == 1 {
			what = c.RawSubjectPublicKeyInfo
		}
		sum := sha256.Sum256(what)
		if flip {
			sum[0] ^= 1
		}
		w.TLSA("mx.else.example", w.port, usage, selector, 1, sum[:])
	}
}

func both(a, b func(*world, *x509.Certificate)) func(*world, *x509.Certificate) {
	return func(w *world, c *x509.Certificate) { a(w, c); b(w, c) }
}

// Row 32, downgraded: who holds back one answer of DNS gets no mail in clear. With
// the addresses of one family goes nothing of what is known of the other.
func TestDANEHoldsThoughOneFamilyFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Secure()
	w.MX("else.example", 10, "mx.else.example")
	w.TLSA("mx.else.example", w.port, 3, 1, 1, make([]byte, 32))
	w.FailType("mx.else.example", dnsmessage.TypeAAAA)
	s := w.server("mx.else.example", "127.0.0.2", mailtest.AcceptTLS(w.ca.Certificate(t, "mx.else.example", time.Hour)))
	w.want(deliver.Temporary, deliver.AtTLS, "DANE")
	if len(s.Messages()) != 0 {
		t.Error("it was sent to a server that DANE does not name")
	}
}

// Row 32: records that mean nothing here switch off no policy that does.
func TestRecordsThatMeanNothingLeaveMTASTSInForce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Secure()
	w.MX("else.example", 10, "mx.else.example")
	w.TLSA("mx.else.example", w.port, 1, 1, 1, make([]byte, 32))
	w.TXT("_mta-sts.else.example", "v=STSv1; id=1;")
	w.policyServer("127.0.0.9", policyText("enforce", "mx.else.example"))
	s := w.server("mx.else.example", "127.0.0.2", mailtest.AcceptTLS(w.ca.Certificate(t, "evil.example", time.Hour)))
	w.want(deliver.Temporary, deliver.AtTLS, "another name")
	if len(s.Messages()) != 0 {
		t.Error("it was sent")
	}
}

// A resolver that drops questions for TLSA holds one server up for two seconds.
func TestTLSARecordsThatNobodyAnswersForCostTwoSeconds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Secure()
	w.MX("else.example", 10, "mx.else.example")
	w.Hush(fmt.Sprintf("_%d._tcp.mx.else.example", w.port))
	w.server("mx.else.example", "127.0.0.2", mailtest.AcceptTLS(w.ca.Certificate(t, "mx.else.example", time.Hour)))
	start := time.Now()
	w.want(deliver.Temporary, deliver.AtTLS, "could not be found out")
	if took := time.Since(start); took > 3500*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

// A server that is another name of one with records is asked for by that name.
func TestUnderDANETheServerIsAskedForByTheNameOfItsRecords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Secure()
	w.MX("else.example", 10, "mx.else.example")
	w.CNAME("mx.else.example", "real.else.example")
	cert := w.ca.Certificate(t, "real.else.example", time.Hour)
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	w.TLSA("real.else.example", w.port, 3, 1, 1, sum[:])
	asked := make(chan string, 1)
	w.server("real.else.example", "127.0.0.2", func(c *mailtest.Conn) {
		c.Line("220 mail.test")
		c.Read()
		c.Line("250-mail.test", "250 STARTTLS")
		c.Read()
		c.Line("220 go")
		conn := tls.Server(c.Conn, &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			asked <- h.ServerName
			return &cert, nil
		}})
		if err := conn.Handshake(); err != nil {
			t.Errorf("handshake: %v", err)
		}
	})
	w.deliver()
	if got := <-asked; got != "real.else.example" {
		t.Errorf("it asked for %q", got)
	}
}

// Without DNSSEC anybody could have written the records.
func TestDANEWithoutDNSSECSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	w.TLSA("mx.else.example", w.port, 3, 1, 1, make([]byte, 32))
	w.server("mx.else.example", "127.0.0.2", mailtest.Accept)
	w.want(deliver.Sent, deliver.AtDot, "queued")
	for _, q := range w.Asked() {
		if strings.HasPrefix(q, "_") && !strings.HasPrefix(q, "_mta-sts") {
			t.Errorf("asked for %s", q)
		}
	}
}

func TestTheSmarthostStandsBy(t *testing.T) {
	t.Parallel()
	direct := func(t *testing.T, script func(*mailtest.Conn)) (*world, *mailtest.Server, *deliver.Fallback) {
		w := newWorld(t)
		w.MX("else.example", 10, "mx.else.example")
		w.A("mx.else.example", "127.0.0.2")
		if script != nil {
			mailtest.ServeOn(t, net.JoinHostPort("127.0.0.2", strconv.Itoa(w.port)), script)
		}
		relay := mailtest.Serve(t, mailtest.Accept)
		return w, relay, &deliver.Fallback{Direct: w.d, Smarthost: smarthost(relay.Host, relay.Port, nil)}
	}
	tests := map[string]struct {
		script            func(*mailtest.Conn)
		attempt, refusals int // -1: it is cancelled before the dot
		way               string
		class             deliver.Class
	}{
		"a server that takes it":                     {mailtest.Accept, 1, 0, "direct", deliver.Sent},
		"a server that nobody reaches":               {nil, 1, 0, "smarthost", deliver.Sent},
		"a greylist is waited out":                   {upTo("RCPT", say("451 later")), 3, 0, "direct", deliver.Temporary},
		"a server that puts it off for ever":         {upTo("RCPT", say("451 later")), 4, 0, "smarthost", deliver.Sent},
		"a server that refuses us":                   {upTo("greeting", say("554 no")), 4, 0, "smarthost", deliver.Sent},
		"a server that refuses us by policy, twice":  {upTo("RCPT", say("550 5.7.1 no")), 2, 1, "direct", deliver.Temporary},
		"a server that refuses us by policy again":   {upTo("RCPT", say("550 5.7.1 no")), 3, 2, "smarthost", deliver.Sent},
		"a server that refuses us at the end, again": {upTo("dot", say("550 5.7.26 no")), 3, 2, "smarthost", deliver.Sent},
		"a mail that was taken back":                 {upTo("dot", say("451 later")), 9, -1, "direct", deliver.Temporary},
		"an address that does not exist":             {upTo("RCPT", say("550 5.1.1 no")), 4, 0, "direct", deliver.Permanent},
		"an answer that is lost is not sent by both": {upTo("dot", func(c *mailtest.Conn) { c.Close() }), 9, 0, "direct", deliver.Ambiguous},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, relay, f := direct(t, tt.script)
			e := envelope()
			e.Attempt, e.Refusals = tt.attempt, tt.refusals
			r := f.Deliver(t.Context(), e, func() error {
				if tt.refusals < 0 {
					return errors.New("cancelled")
				}
				return nil
			}, nil)
			if r.Way != tt.way || r.Class != tt.class || (tt.way == "smarthost") != (len(relay.Messages()) == 1) {
				t.Errorf("got %s class %d (%s), %d messages at the smarthost; want %s class %d", r.Way, r.Class, r.Text, len(relay.Messages()), tt.way, tt.class)
			}
		})
	}
}
