package deliver_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/mailtest"
)

func TestASessionIsKeptForTheNextMessageOfItsDomain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	s := w.server("mx.else.example", "127.0.0.2", mailtest.AcceptTLS(w.ca.Certificate(t, "mx.else.example", time.Hour)))
	for range 45 {
		if r := w.want(deliver.Sent, deliver.AtDot, "queued"); r.TLS != "TLS 1.3, verified" || r.RemoteIP != "127.0.0.2" {
			t.Fatalf("got %q from %s", r.TLS, r.RemoteIP)
		}
	}
	if n := s.Sessions(); n != 3 || len(s.Messages()) != 45 {
		t.Errorf("%d messages in %d sessions, want 45 in 3 of at most 20", len(s.Messages()), n)
	}
	if got := w.results(); got != "no-policy-found" {
		t.Errorf("counted %q", got)
	}
}

func TestASessionThatEndedMeanwhileCostsNoMessage(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(*mailtest.Conn){
		"closed": func(c *mailtest.Conn) { c.Close() },
		"421":    func(c *mailtest.Conn) { c.Read(); c.Line("421 4.4.2 idle for too long") },
		"reset":  func(c *mailtest.Conn) { c.Read(); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.MX("else.example", 10, "mx.else.example")
			s := w.server("mx.else.example", "127.0.0.2", func(c *mailtest.Conn) {
				c.Line("220 mail.test")
				for {
					switch word, _, _ := strings.Cut(c.Read(), " "); word {
					case "DATA":
						c.Line("354 go")
						c.Body()
						c.Line("250 2.0.0 queued")
						then(c)
						return
					default:
						c.Line("250 ok")
					}
				}
			})
			for range 3 {
				w.want(deliver.Sent, deliver.AtDot, "queued")
			}
			if n := len(s.Messages()); n != 3 {
				t.Errorf("%d messages arrived, want 3", n)
			}
		})
	}
}

// Row 02, in a session that was kept: 421 for a recipient says that this server is
// going away, not that the domain's others would.
func TestAKeptSessionThatEndsAtRCPTIsFollowedByTheNextServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "one.else.example")
	w.MX("else.example", 20, "two.else.example")
	var mu sync.Mutex
	taken := 0
	w.server("one.else.example", "127.0.0.2", upTo("RCPT", func(c *mailtest.Conn) {
		mu.Lock()
		defer mu.Unlock()
		if taken++; taken > 1 {
			c.Line("421 4.3.2 going down")
			return
		}
		c.Line("250 ok")
	}))
	w.server("two.else.example", "127.0.0.3", mailtest.Accept)
	for _, ip := range []string{"127.0.0.2", "127.0.0.3"} {
		if r := w.want(deliver.Sent, deliver.AtDot, "queued"); r.RemoteIP != ip {
			t.Errorf("got %s, want %s", r.RemoteIP, ip)
		}
	}
}

// A refusal in a kept session is one like any other, and nobody's mail goes to
// another's server.
func TestAKeptSessionIsForItsDomainAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	w.MX("other.example", 10, "mx.other.example")
	one := w.server("mx.else.example", "127.0.0.2", mailtest.Accept)
	two := w.server("mx.other.example", "127.0.0.3", mailtest.Accept)
	for _, to := range []string{"mara@else.example", "sam@other.example", "mara@ELSE.example", "sam@other.example"} {
		e := envelope()
		e.To = to
		if r := w.d.Deliver(t.Context(), e, noDot, nil); r.Class != deliver.Sent {
			t.Fatalf("%s: got %+v", to, r)
		}
	}
	if one.Sessions() != 1 || two.Sessions() != 1 || strings.Contains(strings.Join(one.Heard(), "\n"), "other.example") {
		t.Errorf("got %d and %d sessions; the first heard %q", one.Sessions(), two.Sessions(), one.Heard())
	}
}

// Row 24: what was taken is reported before anybody waits for the answer to QUIT.
func TestAQuitThatHangsHoldsUpNoReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	var once sync.Once
	w.server("else.example", "127.0.0.2", upTo("QUIT", func(*mailtest.Conn) { <-release }))
	t.Cleanup(func() { once.Do(func() { close(release) }) })
	w.want(deliver.Sent, deliver.AtDot, "queued") // while nobody has answered
	relay := mailtest.Serve(t, upTo("QUIT", func(*mailtest.Conn) { <-release }))
	if r := smarthost(relay.Host, relay.Port, nil).Deliver(t.Context(), envelope(), noDot, nil); r.Class != deliver.Sent {
		t.Errorf("got %+v", r)
	}
	once.Do(func() { close(release) })
}

func TestTheSmarthostsSessionIsKept(t *testing.T) {
	t.Parallel()
	s := mailtest.Serve(t, upTo("never", nil))
	host := smarthost(s.Host, s.Port, func(h *deliver.Smarthost) { h.User, h.Password = "user", "hunter2" })
	for range 5 {
		if r := host.Deliver(t.Context(), envelope(), noDot, nil); r.Class != deliver.Sent {
			t.Fatalf("got %+v", r)
		}
	}
	if n := s.Sessions(); n != 1 || len(s.Messages()) != 5 {
		t.Errorf("%d messages in %d sessions, want 5 in 1", len(s.Messages()), n)
	}
}

func TestManyAtOnceShareTheSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "mx.else.example")
	s := w.server("mx.else.example", "127.0.0.2", mailtest.Accept)
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			for range 30 {
				w.want(deliver.Sent, deliver.AtDot, "queued")
			}
		})
	}
	running.Wait()
	if n := len(s.Messages()); n != 60 || s.Sessions() > 6 {
		t.Errorf("%d messages in %d sessions", n, s.Sessions())
	}
}
