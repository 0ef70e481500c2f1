package deliver_test

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/mailtest"
)

// blocked is a world whose provider drops what goes to the port of mail servers,
// and a smarthost that stands by. All that was found out already.
func blocked(t *testing.T, relay func(*mailtest.Conn)) (*world, *mailtest.Server, *deliver.Fallback) {
	t.Helper()
	w := newWorld(t)
	for i := range 4 {
		domain := fmt.Sprintf("d%d.example", i)
		ip := fmt.Sprintf("127.0.0.%d", i+2)
		w.A(domain, ip)
		mailtest.Drop(t, net.JoinHostPort(ip, strconv.Itoa(w.port)))
	}
	s := mailtest.Serve(t, relay)
	f := &deliver.Fallback{Direct: w.d, Smarthost: smarthost(s.Host, s.Port, func(h *deliver.Smarthost) { h.User, h.Password = "user", "hunter2" })}
	for i := range 3 {
		w.d.Deliver(t.Context(), deliver.Envelope{From: "login@home.example", To: fmt.Sprintf("a@d%d.example", i), Body: []byte(body), NotAfter: time.Now().Add(time.Hour)}, noDot, nil)
	}
	return w, s, f
}

// logins is how often the smarthost was asked to let us in.
func logins(s *mailtest.Server) int {
	return strings.Count(strings.Join(s.Heard(), "\n"), "AUTH ")
}

// Row 29, where the smarthost only stands by: however much mail there is, a login
// that is refused is tried once, and again when it may have been mended.
func TestAStandbyThatRefusesOurLoginIsLeftAlone(t *testing.T) {
	t.Parallel()
	w, s, f := blocked(t, upTo("AUTH", say("535 5.7.8 bad credentials")))
	send := func(n int) deliver.Result {
		e := envelope()
		e.To, e.NotAfter = fmt.Sprintf("a@d%d.example", n%4), time.Now().Add(48*time.Hour)
		return f.Deliver(t.Context(), e, noDot, nil)
	}
	for i := range 3 {
		if r := send(i); r.Class != deliver.Temporary || r.Way != "direct" || !r.TransportDown() {
			t.Errorf("neither way is open: got %+v", r)
		}
	}
	if n := logins(s); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	if r := f.Refused(); r.Reason != "bad credentials" || !r.Since.Equal(w.clock()) {
		t.Errorf("got %+v", r)
	}
	since := f.Refused().Since
	w.pass(deliver.RefusedFor + time.Second)
	send(0)
	send(1)
	if n := logins(s); n != 2 {
		t.Errorf("%d logins a quarter of an hour later, want 2", n)
	}
	if got := f.Refused().Since; !got.Equal(since) {
		t.Errorf("it refuses us since %v, want %v", got, since)
	}
	f.Resume()
	send(0)
	if n := logins(s); n != 3 {
		t.Errorf("%d logins after an operator said so, want 3", n)
	}
}

// Row 29: a server that refuses us is no reason to lose the mail while the
// smarthost is to be mended.
func TestMailThatOnlyTheStandbyCanTakeWaitsForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server("else.example", "127.0.0.2", upTo("RCPT", say("550 5.7.1 no")))
	s := mailtest.Serve(t, upTo("AUTH", say("535 5.7.8 bad credentials")))
	f := &deliver.Fallback{Direct: w.d, Smarthost: smarthost(s.Host, s.Port, func(h *deliver.Smarthost) { h.User, h.Password = "user", "hunter2" })}
	for range 3 {
		e := envelope()
		e.Attempt, e.Refusals = 5, 4
		if r := f.Deliver(t.Context(), e, noDot, nil); r.Class != deliver.Paused || r.Text != "bad credentials" {
			t.Errorf("got %+v", r)
		}
	}
	if n := logins(s); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
}

// A message that we break off ourselves is not offered to the next server: its
// whole text would go there for nothing.
func TestAMailThatWasTakenBackGoesToNoOtherServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.MX("else.example", 10, "one.else.example")
	w.MX("else.example", 20, "two.else.example")
	w.server("one.else.example", "127.0.0.2", mailtest.Accept)
	two := w.server("two.else.example", "127.0.0.3", mailtest.Accept)
	r := w.d.Deliver(t.Context(), envelope(), func() error { return errors.New("cancelled") }, nil)
	if r.Class != deliver.Temporary || two.Sessions() != 0 {
		t.Errorf("got %+v and %d sessions with the second", r, two.Sessions())
	}
}

// Row 25, at a server that many domains share: mail that nobody waits for leaves
// places to sign-ins.
func TestMailOfAppsLeavesPlacesAtASharedServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := make(chan struct{})
	w.d.Limits.Command, w.d.Limits.Session = 10*time.Second, 20*time.Second
	reached := make(chan string, 10)
	w.A("mx.big.example", "127.0.0.2")
	mailtest.ServeOn(t, net.JoinHostPort("127.0.0.2", strconv.Itoa(w.port)), upTo("RCPT", func(c *mailtest.Conn) {
		heard := c.Last()
		reached <- heard
		if strings.Contains(heard, "slow") {
			<-release
		}
		c.Line("250 ok")
	}))
	t.Cleanup(func() { close(release) }) // before the server waits for its scripts
	deliverTo := func(to string, change func(*deliver.Envelope)) deliver.Result {
		w.MX(to[strings.IndexByte(to, '@')+1:], 10, "mx.big.example")
		e := envelope()
		e.To = to
		change(&e)
		return w.d.Deliver(t.Context(), e, noDot, nil)
	}
	patient := func(e *deliver.Envelope) { e.Patient = true }
	for i := range 2 {
		go deliverTo(fmt.Sprintf("slow@app%d.example", i), patient)
		<-reached
	}
	if r := deliverTo("slow@app2.example", patient); !r.Busy {
		t.Errorf("a third mail of apps: got %+v", r)
	}
	if r := deliverTo("mara@else.example", func(e *deliver.Envelope) { e.SignIn = true }); r.Class != deliver.Sent {
		t.Errorf("a sign-in: got %+v", r)
	}
}
