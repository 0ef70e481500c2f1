package submission_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatelodge/app/config"
	"gatelodge/app/mail/submission"
)

// A port that another program has, and one whose certificate is gone, is had as
// soon as it can be.
func TestThePortIsAskedForAgain(t *testing.T) {
	squatter, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := squatter.Addr().String()
	h := openWith(t, t.TempDir(), nil, nil)
	l := &submission.Listener{Address: address, Now: time.Now, Log: slog.New(slog.DiscardHandler), Again: time.Millisecond}
	l.Open = func() (*submission.Server, error) {
		certificate, err := submission.OpenCertificate("", "", h.app.DB.Dir(), "auth.home.example", time.Now())
		if err != nil {
			return nil, err
		}
		return submission.Listen(h.app.Relay, address, certificate, false)
	}
	if at := l.Listen(); at != "" {
		t.Fatalf("it listens at %s, which is taken", at)
	}
	trouble := l.Trouble()
	if !errors.Is(trouble.Err, syscall.EADDRINUSE) || trouble.Since.IsZero() {
		t.Errorf("got %v since %v", trouble.Err, trouble.Since)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	defer func() {
		stop()
		running.Wait()
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			t.Error("it listens still")
		}
	}()
	squatter.Close()
	for deadline := time.Now().Add(10 * time.Second); l.Trouble().Err != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the port is free, and: %v", l.Trouble().Err)
		}
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// A certificate that is not there keeps the relay shut, not the server.
func TestAMissingCertificateIsTold(t *testing.T) {
	h := openWith(t, t.TempDir(), nil, nil)
	c := config.Default()
	c.Mail.Submission.CertFile = filepath.Join(t.TempDir(), "none.pem")
	l := &submission.Listener{Address: "127.0.0.1:0", Now: h.Now, Log: slog.New(slog.DiscardHandler), Open: func() (*submission.Server, error) {
		_, err := submission.OpenCertificate(c.Mail.Submission.CertFile, c.Mail.Submission.CertFile, h.app.DB.Dir(), "x", h.Now())
		return nil, err
	}}
	if l.Listen() != "" || !errors.Is(l.Trouble().Err, fs.ErrNotExist) || !strings.Contains(l.Trouble().Err.Error(), "none.pem") {
		t.Errorf("got %v", l.Trouble().Err)
	}
}
