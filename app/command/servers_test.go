package command_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatelodge/app/command"
	"gatelodge/app/mail/mailtest"
	"gatelodge/store/storetest"
)

// TestServersOverOneDatabase runs two of the released program over one
// PostgreSQL, and kills one of them in the middle of its work.
func TestServersOverOneDatabase(t *testing.T) {
	t.Parallel()
	p := storetest.StartPostgres(t)
	relay := newRelay(t)
	const config = "database = %q\n[mail]\nmode = \"smarthost\"\nfrom = \"login@home.example\"\nca_file = %q\n[mail.smarthost]\nurl = \"smtp://127.0.0.1:%d\"\n"
	settings := fmt.Sprintf(config, p.Name(t), relay.ca, relay.Port)

	one, two := t.TempDir(), t.TempDir()
	write(t, filepath.Join(one, "config.toml"), settings, 0o600)
	write(t, filepath.Join(two, "config.toml"), settings, 0o600)
	first := serve(t, one)
	_, code, _ := strings.Cut(first.wait(setUpAt), "=")

	if got := use(t, two, "serve", "-listen", "127.0.0.1:0"); got.code != command.ExitKey || !strings.Contains(got.err, "hint: put back the secret.key") {
		t.Errorf("a second server without the key: got %+v", got)
	}
	key, err := os.ReadFile(filepath.Join(one, "gatelodge-data", "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(two, "gatelodge-data", "secret.key"), string(key), 0o600)
	second := serve(t, two)

	mara := newVisitor(t, first.url)
	mara.setUp(code, "mara@home.example")
	mara.carry(second.url)
	if email := mara.is(second.url); email != "mara@home.example" {
		t.Fatalf("signed in on one server, on the other one is %q", email)
	}
	other := &visitor{t: t, client: mara.client, url: second.url}
	other.sends("/signout", "/signout")
	if email := mara.is(first.url); email != "" {
		t.Errorf("signed out on one server, on the other one is still %q", email)
	}

	// The first is killed while it hands a message on: the second takes it over.
	relay.stall.Store(true)
	mara.sends("/signin", "/signin/code", "identifier", "mara@home.example")
	relay.until(t, "the mail server was never asked", func() bool { return relay.stalled.Load() == 1 })
	relay.stall.Store(false)
	first.stop(syscall.SIGKILL)
	relay.until(t, "nobody took over the mail of the killed server", func() bool { return len(relay.Messages()) == 1 })

	// And what both find to do is done once.
	first = serve(t, one)
	for i := range 10 {
		email := fmt.Sprintf("u%d@home.example", i)
		if got := use(t, one, "user", "add", email); got.code != 0 {
			t.Fatalf("user add: got %+v", got)
		}
		newVisitor(t, []string{first.url, second.url}[i%2]).sends("/signin", "/signin/code", "identifier", email)
	}
	relay.until(t, "mail is missing", func() bool { return len(relay.Messages()) >= 11 })
	time.Sleep(200 * time.Millisecond) // for a copy that must not come
	if n := len(relay.Messages()); n != 11 {
		t.Errorf("%d messages were sent, want 11", n)
	}
	for name, s := range map[string]*server{"first": first, "second": second} {
		if got := s.stop(syscall.SIGTERM); got.code != 0 || strings.Contains(got.err, "level=ERROR") {
			t.Errorf("the %s server: got exit %d\n%s", name, got.code, got.err)
		}
	}
}

// is returns the address of who is signed in at a server, or "".
func (v *visitor) is(url string) string {
	v.t.Helper()
	res, err := v.client.Get(url + "/api/auth/session")
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		v.t.Fatalf("got %d, %v", res.StatusCode, err)
	}
	var session struct {
		User struct {
			Email string `json:"email"`
		} `json:"user"`
	}
	if err := json.Unmarshal(body, &session); err != nil {
		v.t.Fatal(err)
	}
	return session.User.Email
}

// relay is a mail server that stalls before the body while stall is set.
type relay struct {
	*mailtest.Server
	ca      string
	stall   atomic.Bool
	stalled atomic.Int32
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	authority := mailtest.NewAuthority(t)
	r := &relay{ca: filepath.Join(t.TempDir(), "ca.pem")}
	write(t, r.ca, string(authority.PEM), 0o600)
	cert := authority.Certificate(t, "127.0.0.1", time.Hour)
	r.Server = mailtest.Serve(t, func(c *mailtest.Conn) { r.talk(c, cert) })
	return r
}

func (r *relay) talk(c *mailtest.Conn, cert tls.Certificate) {
	c.Line("220 mail.test ESMTP")
	for {
		switch word, _, _ := strings.Cut(c.Read(), " "); strings.ToUpper(word) {
		case "EHLO":
			c.Line("250-mail.test", "250-STARTTLS", "250 8BITMIME")
		case "STARTTLS":
			c.Line("220 go ahead")
			c.StartTLS(cert)
		case "DATA":
			if r.stall.Load() {
				r.stalled.Add(1)
				c.Wait()
			}
			c.Line("354 go ahead")
			c.Body()
			c.Line("250 2.0.0 queued")
		case "QUIT":
			c.Line("221 bye")
			return
		default:
			c.Line("250 2.1.0 ok")
		}
	}
}

// until waits for something to become true.
func (r *relay) until(t *testing.T, otherwise string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(otherwise)
		}
	}
}
