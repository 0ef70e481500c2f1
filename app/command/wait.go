package command

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"syscall"
	"time"

	"gatelodge/store"
)

const (
	// StartWithin is how long a start waits for what a machine that boots may not have
	// yet: the address to listen on, and the database server.
	StartWithin = 30 * time.Second
	// startPause is between two tries.
	startPause = 250 * time.Millisecond
)

// Await repeats try while its error may pass by itself, until last, and returns its
// last error. The log says once what it waits for.
func Await(ctx context.Context, log *slog.Logger, last time.Time, try func() error) error {
	for said := false; ; said = true {
		err := try()
		if err == nil || !passes(err) || !time.Now().Before(last) {
			return err
		}
		if !said {
			log.Warn("the start waits for this to pass", "err", err, "for", time.Until(last).Round(time.Second))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(startPause):
		}
	}
}

// passes reports whether err is often gone some seconds after a boot.
func passes(err error) bool {
	return store.Passing(err) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.As(err, new(*net.DNSError))
}
