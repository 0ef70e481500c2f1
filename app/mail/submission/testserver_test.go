package submission_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/app"
	"gatelodge/app/apptest"
	"gatelodge/app/config"
	"gatelodge/store"
)

// relay is a server that takes mail from apps and captures it.
type relay struct {
	*apptest.Server
	t        testing.TB
	app      *app.App
	addr     string
	password string // of the credential "nas"
}

func (h *relay) pass(d time.Duration) { h.Pass(d) }

// open starts the server. Its credential may send as nas@home.example and as all
// of lab.example; change may narrow that.
func open(t testing.TB, change func(*store.SubmissionCredential)) *relay {
	t.Helper()
	return openIn(t, "", change)
}

// openIn does so in a directory.
func openIn(t testing.TB, dir string, change func(*store.SubmissionCredential)) *relay {
	t.Helper()
	return openWith(t, dir, change, nil)
}

// openWith does so with another configuration.
func openWith(t testing.TB, dir string, change func(*store.SubmissionCredential), configure func(*config.Config)) *relay {
	t.Helper()
	h := &relay{t: t, Server: apptest.Open(t, apptest.Options{Dir: dir, Configure: func(c *config.Config) {
		c.Mail.Submission.Listen, c.Mail.EHLOName = "127.0.0.1:0", "auth.home.example"
		if configure != nil {
			configure(c)
		}
	}})}
	h.app = h.App
	credential := store.SubmissionCredential{Name: "nas", Senders: "nas@home.example *@lab.example"}
	if change != nil {
		change(&credential)
	}
	var err error
	if h.password, err = h.Relay.Add(t.Context(), credential); err != nil {
		t.Fatal(err)
	}
	if h.addr = h.Listener.Listen(); h.addr == "" {
		t.Fatal(h.Listener.Trouble().Err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { h.Listener.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
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
