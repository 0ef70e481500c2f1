package submission_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/config"
	"gatelodge/store"
	"gatelodge/store/storetest"
)

// relay is a house that takes mail from apps and captures it.
type relay struct {
	t        testing.TB
	app      *app.App
	addr     string
	password string // of the credential "nas"

	mu  sync.Mutex
	now time.Time
}

func (h *relay) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *relay) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// open starts the house. Its credential may send as nas@home.example and as all
// of lab.example; change may narrow that.
func open(t testing.TB, change func(*store.SubmissionCredential)) *relay {
	t.Helper()
	return openIn(t, storetest.Dir(t), change)
}

// openIn does so in a directory.
func openIn(t testing.TB, dir string, change func(*store.SubmissionCredential)) *relay {
	t.Helper()
	return openWith(t, dir, change, nil)
}

// openWith does so with another configuration.
func openWith(t testing.TB, dir string, change func(*store.SubmissionCredential), configure func(*config.Config)) *relay {
	t.Helper()
	h := &relay{t: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	c := config.Default()
	c.DataDir, c.Mail.Submission.Listen = dir, "127.0.0.1:0"
	c.Mail.EHLOName = "auth.home.example"
	if configure != nil {
		configure(&c)
	}
	a, err := app.Open(t.Context(), &c, app.Options{Now: h.clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	h.app = a
	credential := store.SubmissionCredential{Name: "nas", Senders: "nas@home.example *@lab.example"}
	if change != nil {
		change(&credential)
	}
	if h.password, err = a.Relay.Add(t.Context(), credential); err != nil {
		t.Fatal(err)
	}
	if h.addr = a.Listener.Listen(); h.addr == "" {
		t.Fatal(a.Listener.Trouble().Err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.Listener.Run(ctx) })
	running.Go(func() { a.Queue.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// messages are all there are, the newest first.
func (h *relay) messages() []store.Message {
	h.t.Helper()
	list, err := h.app.Outbox.List(h.t.Context(), true)
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// captured waits until n messages are, and returns them.
func (h *relay) captured(n int) []store.Work {
	h.t.Helper()
	for range 500 {
		var list []store.Work
		err := h.app.DB.View(h.t.Context(), func(tx *store.Tx) (err error) {
			list, err = tx.CapturedMessages(100)
			return err
		})
		if err != nil {
			h.t.Fatal(err)
		}
		if len(list) >= n {
			return list
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatalf("%d messages were not captured", n)
	return nil
}

// dial connects as people's programs do, by STARTTLS with the certificate that
// was made.
func (h *relay) dial() *smtp.Client {
	h.t.Helper()
	c, err := smtp.Dial(h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	pem, err := os.ReadFile(filepath.Join(h.app.DB.Dir(), "submission.pem"))
	if err != nil {
		h.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	if err := c.StartTLS(&tls.Config{ServerName: "127.0.0.1", RootCAs: roots}); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// login connects and logs in.
func (h *relay) login() *smtp.Client {
	h.t.Helper()
	c := h.dial()
	if err := c.Auth(smtp.PlainAuth("", "nas", h.password, "127.0.0.1")); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// mail hands over raw as it is, which must be dot-stuffed, and returns the error.
func mail(c *smtp.Client, from string, to []string, raw string) error {
	if err := c.Mail(from); err != nil {
		return err
	}
	for _, r := range to {
		if err := c.Rcpt(r); err != nil {
			return err
		}
	}
	if code, text := say(c, "DATA"); code != 354 {
		return &textproto.Error{Code: code, Msg: text}
	}
	if _, err := c.Text.W.WriteString(raw + "\r\n.\r\n"); err != nil {
		return err
	}
	if err := c.Text.W.Flush(); err != nil {
		return err
	}
	_, _, err := c.Text.ReadResponse(250)
	return err
}

// say sends a line as it is and returns the answer.
func say(c *smtp.Client, line string) (int, string) {
	if err := c.Text.PrintfLine("%s", line); err != nil {
		return 0, err.Error()
	}
	code, text, err := c.Text.ReadResponse(0)
	if code == 0 && err != nil {
		text = err.Error()
	}
	return code, text
}

// refused checks the reply that an app got.
func refused(t *testing.T, err error, reply string) {
	t.Helper()
	var got *textproto.Error
	if !errors.As(err, &got) {
		t.Errorf("got %v, want %s", err, reply)
		return
	}
	if !strings.HasPrefix(fmt.Sprint(got.Code, " ", got.Msg), reply) {
		t.Errorf("got %d %s, want %s", got.Code, got.Msg, reply)
	}
}
