package peers_test

import (
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatelodge/app/apptest"
	"gatelodge/app/config"
	"gatelodge/app/mail/compose"
	"gatelodge/app/mail/deliver"
	"gatelodge/app/mail/post"
	"gatelodge/store"
)

// lodge is our side: a server whose mail goes directly, and whose clock the test
// turns.
type lodge struct {
	*apptest.Server
	t testing.TB
}

func (l *lodge) pass(d time.Duration) {
	l.Pass(d)
	l.Queue.Wake()
}

func (n *network) lodge() *lodge {
	n.t.Helper()
	return &lodge{t: n.t, Server: apptest.Open(n.t, apptest.Options{Start: time.Now(), Configure: func(c *config.Config) {
		c.PublicURL = "https://auth.home.example"
		c.Mail.Mode, c.Mail.From, c.Mail.Resolver = "direct", "Our house <login@home.example>", "127.0.0.1"
		c.Mail.CAFile = filepath.Join(n.dir, "ca.pem")
		n.write(c.Mail.CAFile, string(n.ca.PEM))
	}})}
}

// send queues a message that somebody waits for, and returns its id.
func (l *lodge) send(to string) string {
	l.t.Helper()
	m, err := l.Post.Write(compose.Test{}, post.Terms{To: to, Awaited: true, NotAfter: l.Now().Add(2 * time.Hour), Reference: "GL-0000-0000"})
	if err == nil {
		err = l.DB.Update(l.t.Context(), func(tx *store.Tx) error { return l.Queue.Add(tx, m) })
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.Queue.Wake()
	return m.ID
}

// ended waits until an attempt at the message has, and returns it.
func (l *lodge) ended(id string, attempts int) store.Message {
	l.t.Helper()
	var w store.Work
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := l.DB.View(l.t.Context(), func(tx *store.Tx) (err error) {
			w, err = tx.MessageByID(id)
			return err
		})
		if err != nil {
			l.t.Fatal(err)
		}
		if w.State != "leased" && (w.State != "queued" || w.Attempts >= attempts && w.LastText != "") {
			return w.Message
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%s is %s after %d attempts", id, w.State, w.Attempts)
		}
	}
}

// TestMailServersOfOthersTakeOurMail holds what Postfix, Exim, postgrey, Knot and
// Unbound make of the fault table.
func TestMailServersOfOthersTakeOurMail(t *testing.T) {
	t.Parallel()
	exim := eximPath(t)
	if within(t, "postfix", "postgrey", "knotd", "keymgr", "unbound", "ip", "nsenter", exim) {
		return
	}
	n := newNetwork(t)
	cert := n.ca.Certificate(t, certified[0], time.Hour, certified[1:]...)
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	n.names(leaf, nil)
	n.policies()
	n.exim(cert)
	n.postfix(cert)
	l := n.lodge()
	postfixBox := func(domain string) string { return filepath.Join(n.dir, "postfix/mail", domain, "mara") }
	eximBox := func(domain string) string { return filepath.Join(n.dir, "exim/mail", domain) }

	tests := map[string]struct {
		to    string
		state string
		code  int
		tls   string // of what is sent
		says  string // of what is not
		box   string // where it lies then, or nothing does
	}{
		"Postfix, under DANE":                    {"mara@postfix.example", "sent", 250, "TLS 1.3, DANE", "", postfixBox("postfix.example")},
		"Exim, under DANE by its authority":      {"mara@exim.example", "sent", 250, "TLS 1.3, DANE", "", eximBox("exim.example")},
		"Postfix, STARTTLS without a policy":     {"mara@postfix.lab", "sent", 250, "TLS 1.3, verified", "", postfixBox("postfix.lab")},
		"Exim, STARTTLS without a policy":        {"mara@exim.lab", "sent", 250, "TLS 1.3, verified", "", eximBox("exim.lab")},
		"row 31, Postfix, MTA-STS enforced":      {"mara@sts.lab", "sent", 250, "TLS 1.3, MTA-STS", "", postfixBox("sts.lab")},
		"row 31, MTA-STS tested, another name":   {"mara@ststest.lab", "sent", 250, "TLS 1.3, not verified", "", postfixBox("ststest.lab")},
		"row 10, MTA-STS enforced, another name": {"mara@stsbad.lab", "queued", 0, "", "certificate is for another name", postfixBox("stsbad.lab")},
		"row 32, DANE, another key":              {"mara@danebad.example", "queued", 0, "", "none of those that its domain names", postfixBox("danebad.example")},
		"row 03, Postfix, somebody unknown":      {"nobody@postfix.lab", "failed", 550, "", "User unknown", ""},
		"row 03, Exim, somebody unknown":         {"nobody@exim.lab", "failed", 550, "", "no such user", ""},
		"row 05, Postfix, a full mailbox":        {"full@postfix.lab", "failed", 552, "", "mailbox full", ""},
		"row 05, Exim, a full mailbox":           {"full@exim.lab", "failed", 552, "", "mailbox full", ""},
		"row 04, Postfix, refused by policy":     {"policy@postfix.lab", "queued", 554, "", "we do not know you", ""},
		"row 13, a firewall that drops":          {"mara@dropped.lab", "sent", 250, "TLS 1.3, verified", "", postfixBox("dropped.lab")},
		"row 15, Unbound, a forged zone":         {"mara@x.bogus", "queued", 0, "", "could not be found", ""},
		"row 15, Unbound, a server that is dead": {"mara@x.dead", "queued", 0, "", "could not be found", ""},
		"row 16, no such domain":                 {"mara@nowhere.example", "queued", 0, "", "no domain nowhere.example", ""},
		"row 17, the null MX":                    {"mara@null.example", "failed", 0, "", "takes no mail", ""},
		"row 18, ourselves":                      {"mara@loop.example", "failed", 0, "", "is this one", ""},
		"row 18, a private address":              {"mara@inside.lab", "failed", 0, "", "private or reserved", ""},
		"IPv6, for us who have no name there":    {"mara@both.lab", "sent", 250, "TLS 1.3, verified", "", postfixBox("both.lab")},
	}
	t.Run("at first", func(t *testing.T) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m := l.ended(l.send(tt.to), 0)
				if m.State != tt.state || m.LastCode != tt.code || m.TLS != tt.tls && tt.state == "sent" || !strings.Contains(m.LastText, tt.says) {
					t.Errorf("got %s, %d %s %q, TLS %q; want %s, %d, %q, TLS %q", m.State, m.LastCode, m.LastEnh, m.LastText, m.TLS, tt.state, tt.code, tt.says, tt.tls)
				}
				if tt.box == "" {
					return
				}
				want := 0
				if tt.state == "sent" {
					want = 1
					if strings.Contains(m.LastIP, ":") {
						t.Errorf("it went over IPv6, where our address has no name: %s", m.LastIP)
					}
				}
				for _, text := range n.arrived(tt.box, want) {
					if !strings.Contains(text, "auth.home.example") || strings.Count(text, "DKIM-Signature:") != 2 {
						t.Errorf("our name or one of two signatures is missing:\n%s", text)
					}
				}
			})
		}
	})
	t.Run("row 01, Postfix with postgrey, tried again", func(t *testing.T) {
		id := l.send("grey@postfix.lab")
		if m := l.ended(id, 1); m.State != "queued" || m.LastCode != 450 || !strings.Contains(m.LastText, "Greylisted") {
			t.Fatalf("got %s, %d %s", m.State, m.LastCode, m.LastText)
		}
		time.Sleep(2 * time.Second) // postgrey has no other clock
		l.pass(34 * time.Second)
		if m := l.ended(id, 2); m.State != "sent" || m.Attempts != 2 || m.LastIP != postfixIP {
			t.Errorf("got %s after %d attempts: %d %s", m.State, m.Attempts, m.LastCode, m.LastText)
		}
		n.arrived(filepath.Join(n.dir, "postfix/mail/postfix.lab/grey"), 1)
	})
	t.Run("row 03, an address that does not exist is remembered", func(t *testing.T) {
		if m := l.ended(l.send("nobody@postfix.lab"), 0); m.State != "suppressed" {
			t.Errorf("got %s", m.State)
		}
	})
	t.Run("row 16, it is believed after a minute", func(t *testing.T) {
		e := deliver.Envelope{From: "login@home.example", To: "mara@nowhere.example", Body: []byte("\r\n"), NotAfter: l.Now().Add(time.Hour)}
		l.pass(62 * time.Second)
		if r := l.Direct.Deliver(t.Context(), e, func() error { return nil }, nil); r.Class != deliver.Permanent || r.Enhanced != "5.1.2" {
			t.Errorf("got %+v", r)
		}
	})
	if t.Failed() {
		t.Logf("Postfix:\n%s\nExim:\n%s\nUnbound:\n%s", n.logOf("postfix/log"), n.logOf("exim/log/mainlog"), n.logOf("unbound.out"))
	}
}
