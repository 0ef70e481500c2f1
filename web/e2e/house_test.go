package e2e

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/app/factor/password"
	"gatelodge/app/mail/mailtest"
	"gatelodge/app/mail/outbox"
	"gatelodge/web"
)

// house is a server within the test, on a clock that the test sets: for what takes
// minutes, or days.
type house struct {
	t   testing.TB
	app *app.App
	url string

	mu  sync.Mutex
	now time.Time
}

func (h *house) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func openHouse(t testing.TB) *house {
	t.Helper()
	mailtest.Peer(t, "chromium") // nobody else comes
	// Close to the browser's own time, which its cookies go by.
	h := &house{t: t, now: time.Now()}
	c := config.Default()
	c.DataDir, c.Name, c.Contact = t.TempDir(), "Our house", "Sam <sam@home.example>"
	srv := httptest.NewUnstartedServer(nil)
	c.Listen = srv.Listener.Addr().String()
	a, err := app.Open(t.Context(), &c, app.Options{
		Now: h.Now, Cost: password.Cost{Memory: 64, Passes: 1, Lanes: 1},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.app = a
	s, err := web.New(a)
	if err != nil {
		t.Fatal(err)
	}
	srv.Config.Handler = s
	srv.Start()
	h.url = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	work, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(work) }()
	t.Cleanup(func() {
		srv.Close()
		stop()
		<-done
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// user adds a user and signs the browser in as them, by a link from the operator.
func (h *house) user(b *browser, email, name string) {
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
func (h *house) letter(purpose, to string) outbox.Message {
	h.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		list, err := h.app.Outbox.Captured(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		for _, m := range list {
			if m.Purpose == purpose && m.Rcpt == to {
				return m
			}
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("no mail of kind %s to %s", purpose, to)
		}
	}
}
