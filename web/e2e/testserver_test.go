package e2e

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/apptest"
	"gatelodge/app/config"
	"gatelodge/app/mail/mailtest"
	"gatelodge/app/mail/outbox"
	"gatelodge/web"
)

// server is a server within the test, on a clock that the test sets: for what takes
// minutes, or days.
type testServer struct {
	*apptest.Server
	t   testing.TB
	app *app.App
	url string
}

func (h *testServer) pass(d time.Duration) { h.Pass(d) }

func openServer(t testing.TB) *testServer {
	t.Helper()
	mailtest.Peer(t, "chromium") // nobody else comes
	srv := httptest.NewUnstartedServer(nil)
	// Close to the browser's own time, which its cookies go by.
	h := &testServer{t: t, Server: apptest.Open(t, apptest.Options{Start: time.Now(), Configure: func(c *config.Config) {
		c.Name, c.Contact, c.Listen = "Our house", "Sam <sam@home.example>", srv.Listener.Addr().String()
	}})}
	h.app = h.App
	s, err := web.New(h.app)
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = s
	srv.Start()
	h.url = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	t.Cleanup(srv.Close)
	return h
}

// user adds a user and signs the browser in as them, by a link from the operator.
func (h *testServer) user(b *browser, email, name string) {
	h.t.Helper()
	u, err := h.app.Users.Add(h.t.Context(), app.Operator(), email, name, false)
	if err != nil {
		h.t.Fatal(err)
	}
	link, _, err := h.app.Login.LinkFor(h.t.Context(), app.Operator(), u)
	if err != nil {
		h.t.Fatal(err)
	}
	b.open(link)
	b.see("Sign in on this device?")
	b.press("Yes, sign in here")
	b.see("Your account")
}

// letter returns the newest mail of a kind to an address, once there is one.
func (h *testServer) letter(purpose, to string) outbox.Message { return h.Letter(purpose, to) }
