package web_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/mail/mailtest"
)

// directly sends mail to the recipients' own servers, of which home.example has one
// at a port where nobody listens.
func directly(t *testing.T) func(*config.Config) {
	t.Helper()
	dns := mailtest.ServeDNS(t)
	dns.MX("home.example", 10, "mx.home.example")
	dns.A("mx.home.example", "127.0.0.1")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	return func(c *config.Config) {
		c.Mail.Mode, c.Mail.From, c.Mail.EHLOName = "direct", "login@house.example", "auth.house.example"
		c.Mail.Resolver, c.Mail.MXPort, c.Mail.AllowPrivateDestinations = dns.Address, port, true
	}
}

// shows waits until a page says all of that.
func (b *browser) shows(path string, said ...string) {
	b.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		body, missing := b.get(path).body, ""
		for _, s := range said {
			if !strings.Contains(body, s) {
				missing = s
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s does not say %q:\n%s", path, missing, body)
		}
	}
}

// A server that nobody reaches costs a mail no try: people and admins are told all
// the same that it is put off, and until when.
func TestMailToAnUnreachableServerIsShownAsDelayed(t *testing.T) {
	h := open(t, directly(t))
	b := h.browser()
	b.known(h.user("mara@home.example"))
	b.post("/signin", "identifier", "mara@home.example").goesTo(t, "/signin/code")
	b.shows("/signin/code", "has not accepted the message yet")
	boss := h.boss()
	boss.shows("/admin/mail", "mara@home.example", "Not offered yet", "Mail to home.example waits")
	if page := boss.get("/admin/mail").body; strings.Contains(page, ">now<") || strings.Contains(page, "0 tries") {
		t.Error("the next try is told to be now")
	}
}

// Row 29, where the smarthost only stands by.
func TestAdminsSeeThatTheStandbyRefusesThisServer(t *testing.T) {
	s := mailtest.Serve(t, func(c *mailtest.Conn) {
		c.Line("220 mail.test")
		c.Read()
		c.Line("250-mail.test", "250 AUTH PLAIN")
		c.Read()
		c.Line("535 5.7.8 bad credentials")
		c.Wait()
	})
	direct := directly(t)
	h := open(t, func(c *config.Config) {
		direct(c)
		c.Mail.Smarthost.URL = fmt.Sprintf("smtp://user@127.0.0.1:%d?tls=off", s.Port)
	})
	h.user("mara@home.example")
	boss := h.boss()
	h.browser().post("/signin", "identifier", "mara@home.example").goesTo(t, "/signin/code")
	boss.shows("/admin/people", "The standby smarthost refuses this server.", "bad credentials")
	// Whoever mends it says so with the button.
	before := s.Sessions()
	boss.post("/admin/mail/retry").goesTo(t, "/admin/mail")
	for deadline := time.Now().Add(5 * time.Second); s.Sessions() == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the smarthost is not asked again")
		}
	}
}

// Row 04: what other servers mind about us is for those to mend who run the server.
func TestARefusalForReasonsOfPolicyIsOnEveryAdminPage(t *testing.T) {
	smarthost := mailtest.Serve(t, picky)
	h := open(t, through(smarthost.Port))
	h.user("policy@home.example")
	h.user("mara@home.example")
	b := h.boss()
	h.browser().post("/signin", "identifier", "policy@home.example").goesTo(t, "/signin/code")
	h.settled()
	for _, path := range []string{"/admin/people", "/admin/mail"} {
		b.get(path).is(t, 200, "The server of home.example refuses mail from this server.", "550 5.7.1 not from you")
	}
	h.pass(time.Second)
	h.browser().post("/signin", "identifier", "mara@home.example").goesTo(t, "/signin/code")
	h.settled()
	if strings.Contains(b.get("/admin/mail").body, "refuses mail from this one") {
		t.Error("it is told though the domain takes our mail again")
	}
}
