package deliver_test

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/mailtest"
)

// Row 2: a server that wants less mail is left alone, by every domain it
// serves; a sign-in asks once a minute.
func TestAServerThatWantsLessMailGetsLess(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]func(*mailtest.Conn){
		"421 in the greeting":          upTo("greeting", say("421 4.7.28 too much of you")),
		"421 in the middle":            upTo("RCPT", say("421 4.7.28 too much of you")),
		"a reputation that is too bad": upTo("MAIL", say("451 4.7.650 your network is rate limited")),
		"554 in the greeting":          upTo("greeting", say("554 no service for you")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.MX("else.example", 10, "mx.big.example")
			w.MX("other.example", 10, "mx.big.example")
			s := w.server("mx.big.example", "127.0.0.2", script)
			to := func(address string, signIn bool) deliver.Result {
				e := envelope()
				e.To, e.SignIn, e.NotAfter = address, signIn, time.Now().Add(48*time.Hour)
				return w.d.Deliver(t.Context(), e, noDot, nil)
			}
			if r := to("mara@else.example", false); r.Class != deliver.Temporary || !r.Throttled() {
				t.Fatalf("got %+v", r)
			}
			rests := func(n int, what string) {
				t.Helper()
				if got := s.Sessions(); got != n {
					t.Errorf("%s: %d sessions, want %d", what, got, n)
				}
			}
			for range 3 {
				if r := to("sam@other.example", false); !r.Rests || r.Class != deliver.Temporary || !r.TransportDown() {
					t.Errorf("another domain's mail: got %+v", r)
				}
				to("sam@other.example", true)
			}
			rests(1, "at once")
			w.pass(time.Minute + time.Second)
			to("sam@other.example", false)
			rests(2, "a minute later")
			w.pass(time.Minute + time.Second)
			to("sam@other.example", false)
			rests(2, "another minute later: twice as long is due")
			to("sam@other.example", true)
			to("sam@other.example", true)
			rests(3, "a sign-in may ask, once")
			w.pass(time.Hour)
			to("sam@other.example", false)
			rests(4, "an hour later")
		})
	}
}

func TestAGreylistIsNoWishForLessMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.server("else.example", "127.0.0.2", upTo("RCPT", say("450 4.7.1 greylisted, try again in 5 minutes")))
	for range 3 {
		if r := w.want(deliver.Temporary, deliver.AtTo, "greylisted"); r.Throttled() || r.Rests {
			t.Errorf("got %+v", r)
		}
	}
	if s.Sessions() != 3 {
		t.Errorf("%d sessions, want 3", s.Sessions())
	}
}

// A server that keeps putting us off is no reason to keep mail from the
// smarthost that stands by.
func TestTheSmarthostGetsWhatADomainKeepsPuttingOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server("else.example", "127.0.0.2", upTo("greeting", say("421 too busy")))
	relay := mailtest.Serve(t, mailtest.Accept)
	f := &deliver.Fallback{Direct: w.d, Smarthost: smarthost(relay.Host, relay.Port, nil)}
	var ways []string
	for range 5 {
		e := envelope()
		e.Attempt, e.NotAfter = 1, time.Now().Add(48*time.Hour) // a domain that is down costs a message no attempt
		ways = append(ways, f.Deliver(t.Context(), e, noDot, nil).Way)
		w.pass(2 * time.Hour)
	}
	if got := strings.Join(ways, " "); got != "direct direct direct smarthost smarthost" {
		t.Errorf("got %s", got)
	}
}

// Row 4: a refusal for reasons of policy may mean our address of that family.
func TestARefusalOfUsIsAskedOverTheOtherFamilyOnce(t *testing.T) {
	t.Parallel()
	needIPv6(t)
	w := newWorld(t)
	w.d.Source = deliver.Source{} // both
	w.MX("else.example", 10, "mx.else.example")
	four := w.server("mx.else.example", "127.0.0.2", upTo("RCPT", say("550 5.7.25 your address has no name")))
	again := w.server("mx.else.example", "127.0.0.3", mailtest.Accept)
	six := w.server("mx.else.example", "::1", mailtest.Accept)
	confirmIPv6(w)
	if r := w.want(deliver.Sent, deliver.AtDot, "queued"); r.RemoteIP != "::1" {
		t.Errorf("got %s", r.RemoteIP)
	}
	if four.Sessions() != 1 || again.Sessions() != 0 || six.Sessions() != 1 {
		t.Errorf("got %d, %d and %d sessions, want one of each family", four.Sessions(), again.Sessions(), six.Sessions())
	}
}

func needIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6: %v", err)
	}
	l.Close()
}

// confirmIPv6 gives our IPv6 address a name that leads back to it.
func confirmIPv6(w *world) {
	w.PTR("1."+strings.Repeat("0.", 31)+"ip6.arpa", "auth.home.example")
	w.A("auth.home.example", "::1")
}

func TestTheFamilyAndTheAddressThatAreSetAreUsed(t *testing.T) {
	t.Parallel()
	needIPv6(t)
	for name, tt := range map[string]struct {
		source deliver.Source
		want   string // "" for nobody
		only6  bool
	}{
		"IPv4 alone":                  {deliver.Source{Family: 4}, "127.0.0.2", false},
		"IPv6 alone":                  {deliver.Source{Family: 6}, "::1", false},
		"an address":                  {deliver.Source{Address: netip.MustParseAddr("127.0.0.77")}, "127.0.0.2", false},
		"IPv4 alone, which is not it": {deliver.Source{Family: 4}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.d.Source = tt.source
			w.MX("else.example", 10, "mx.else.example")
			from := make(chan string, 4)
			script := func(c *mailtest.Conn) {
				from <- c.RemoteAddr().(*net.TCPAddr).IP.String()
				mailtest.Accept(c)
			}
			w.server("mx.else.example", "::1", script)
			if !tt.only6 {
				w.server("mx.else.example", "127.0.0.2", script)
			}
			r := w.deliver()
			if tt.want == "" {
				if r.Class != deliver.Temporary || r.Enhanced != "4.4.1" || len(from) > 0 {
					t.Errorf("got %+v and %d connections", r, len(from))
				}
				return
			}
			if r.Class != deliver.Sent || r.RemoteIP != tt.want {
				t.Errorf("got %+v", r)
			}
			if got := <-from; tt.source.Address.IsValid() && got != tt.source.Address.String() {
				t.Errorf("we came from %s", got)
			}
		})
	}
}

// Row 12, as an operator may want it: no sign-in link in clear, whoever's.
func TestSignInMailNeedsTLSWhereThatIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.d.SignInNeedsTLS = true
	s := w.server("else.example", "127.0.0.2", mailtest.Accept)
	to := func(signIn bool) deliver.Result {
		e := envelope()
		e.SignIn = signIn
		return w.d.Deliver(t.Context(), e, noDot, nil)
	}
	if r := to(false); r.Class != deliver.Sent {
		t.Errorf("other mail: got %+v", r)
	}
	if r := to(true); r.Class != deliver.Temporary || r.Stage != deliver.AtTLS || !strings.Contains(r.Text, "require_tls_for_signin") {
		t.Errorf("a sign-in, a session in clear being open: got %+v", r)
	}
	if n := len(s.Messages()); n != 1 {
		t.Errorf("%d messages arrived, want the other alone", n)
	}
}

func TestDANECanBeOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Secure()
	w.d.NoDANE = true
	w.MX("else.example", 10, "mx.else.example")
	w.TLSA("mx.else.example", w.port, 3, 1, 1, make([]byte, 32))
	w.server("mx.else.example", "127.0.0.2", mailtest.Accept)
	w.want(deliver.Sent, deliver.AtDot, "queued")
	if slices.ContainsFunc(w.Asked(), func(q string) bool { return strings.HasPrefix(q, "_"+strconv.Itoa(w.port)) }) {
		t.Error("it asked for TLSA records")
	}
}

// Row 13: connections that are dropped, as a firewall does it.
func TestAServerBehindASilentFirewallIsPassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "one.else.example")
	w.MX("else.example", 20, "two.else.example")
	mailtest.Drop(t, net.JoinHostPort("127.0.0.2", strconv.Itoa(w.port)))
	w.A("one.else.example", "127.0.0.2")
	w.server("two.else.example", "127.0.0.3", mailtest.Accept)
	var steps []deliver.Step
	e := envelope()
	start := time.Now()
	r := w.d.Deliver(t.Context(), e, noDot, func(s deliver.Step) { steps = append(steps, s) })
	if r.Class != deliver.Sent || r.RemoteIP != "127.0.0.3" {
		t.Errorf("got %+v", r)
	}
	if took := time.Since(start); took < hurried.Connect {
		t.Errorf("nothing was dropped: it took %v", took)
	}
	if l := deliver.SignInLimits(); l.Connect != 10*time.Second || l.Session != 2*time.Minute {
		t.Errorf("for a sign-in: %+v, want 10 s for a connection, 120 s for all", l)
	}
}
